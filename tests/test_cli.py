"""The command line on a tiny untrained model: what it writes, prints and returns."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.cli.main import build_parser
from diffposetalk.errors import UsageError
from diffposetalk.media import probe
from diffposetalk.model.checkpoint import Model
from diffposetalk.motion import Motion
from diffposetalk.style import Style

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory, sample_path: Path) -> Path:
    """A second and a half of speech as a file."""
    from diffposetalk.speech import Speech

    path = tmp_path_factory.mktemp("speech") / "short.wav"
    Speech.load(sample_path).slice(3.0, 4.5).save(path)
    return path


def run_json(capsys: Captured, *words: object) -> dict[str, Any]:
    """Run a command with `--json`; return its one object."""
    assert run([*map(str, words), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("\n") == 1
    return json.loads(out)


def test_animate_writes_motion_as_long_as_the_speech(
    capsys: Captured, tmp_path: Path, short: Path, tiny_model_path: Path
) -> None:
    result = run_json(capsys, "animate", short, "--model", tiny_model_path, "-o", tmp_path / "a.npz")
    motion = Motion.load(tmp_path / "a.npz")
    assert len(motion) == result["frames"] == 38  # every begun 40 ms
    assert result["outputs"] == [str(tmp_path / "a.npz")]
    assert result["style"] == "neutral"


def test_same_seed_same_bytes_other_seed_other_motion(tmp_path: Path, short: Path, tiny_model_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        words = ["animate", short, "--model", tiny_model_path, "--seed", seed, "-o", tmp_path / f"{name}.npz"]
        assert run([*map(str, words), "--quiet"]) == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert np.abs(Motion.load(tmp_path / "a.npz").expression - Motion.load(tmp_path / "c.npz").expression).max() > 0.01


def test_samples_are_numbered_and_are_what_the_next_seeds_give(
    capsys: Captured, tmp_path: Path, short: Path, tiny_model_path: Path
) -> None:
    common = ["animate", short, "--model", tiny_model_path]
    result = run_json(capsys, *common, "--samples", 2, "-o", tmp_path / "a.npz")
    assert result["outputs"] == [str(tmp_path / "a-1.npz"), str(tmp_path / "a-2.npz")]
    run_json(capsys, *common, "--seed", 1, "-o", tmp_path / "b.npz")
    second, alone = Motion.load(tmp_path / "a-2.npz"), Motion.load(tmp_path / "b.npz")
    np.testing.assert_allclose(second.expression, alone.expression, atol=1e-4)


@pytest.mark.parametrize(
    "option",
    [
        ("--sampler", "ddim", "--steps", "5"),
        ("--sampler", "ddpm"),
        ("--guidance", "independent"),
        ("--speech-scale", "2", "--style-scale", "0.5"),
        ("--threshold", "0.99,1,4"),
        ("--expression-scale", "0.5"),
        ("--style", "lively"),
    ],
)
def test_options_change_the_motion(tmp_path: Path, short: Path, tiny_model_path: Path, option: tuple[str, ...]) -> None:
    common = ["animate", str(short), "--model", str(tiny_model_path), "--quiet", "-o"]
    assert run([*common, str(tmp_path / "plain.npz")]) == 0
    assert run([*common, str(tmp_path / "other.npz"), *option]) == 0
    plain, other = Motion.load(tmp_path / "plain.npz"), Motion.load(tmp_path / "other.npz")
    assert not np.array_equal(plain.expression, other.expression)


def test_head_scale_zero_stills_the_head_and_nothing_else(tmp_path: Path, short: Path, tiny_model_path: Path) -> None:
    common = ["animate", str(short), "--model", str(tiny_model_path), "--quiet", "-o"]
    assert run([*common, str(tmp_path / "plain.npz")]) == 0
    assert run([*common, str(tmp_path / "still.npz"), "--head-scale", "0"]) == 0
    plain, still = Motion.load(tmp_path / "plain.npz"), Motion.load(tmp_path / "still.npz")
    np.testing.assert_array_equal(plain.expression, still.expression)
    assert np.abs(plain.head_pose).max() > 0
    assert np.abs(still.head_pose).max() == 0


def test_animate_writes_video_and_contact_sheet(
    capsys: Captured, tmp_path: Path, short: Path, tiny_model_path: Path, gl: None
) -> None:
    words = ["-o", tmp_path / "a.mp4", "-o", tmp_path / "a.npz", "--contact-sheet", tmp_path / "a.png", "--size", 64]
    result = run_json(capsys, "animate", short, "--model", tiny_model_path, *words)
    assert sorted(Path(path).name for path in result["outputs"]) == ["a.mp4", "a.npz", "a.png"]
    info = probe(tmp_path / "a.mp4")
    assert (info.width, info.height, info.fps, info.audio_codec) == (64, 64, 25.0, "aac")
    assert info.duration == pytest.approx(1.52, abs=0.07)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_render_draws_a_motion_file(capsys: Captured, tmp_path: Path, motion: Motion, short: Path, gl: None) -> None:
    motion.save(tmp_path / "m.npz")
    words = ["--speech", short, "-o", tmp_path / "m.mp4", "-o", tmp_path / "m.png", "--size", 64]
    result = run_json(capsys, "render", tmp_path / "m.npz", *words)
    assert result["frames"] == 50
    assert probe(tmp_path / "m.mp4").duration == pytest.approx(2.0, abs=0.07)
    assert (tmp_path / "m.png").exists()


def test_identity_changes_the_picture(tmp_path: Path, motion: Motion, gl: None) -> None:
    motion.slice(0, 2).save(tmp_path / "m.npz")
    pictures = []
    for identity in ([], ["--identity", "1"], ["--identity", "2"]):
        out = tmp_path / f"{len(pictures)}.png"
        assert run(["render", str(tmp_path / "m.npz"), "-o", str(out), "--quiet", *identity]) == 0
        pictures.append(out.read_bytes())
    assert len(set(pictures)) == 3


def test_style_lists_presets_and_reads_one_from_motion(
    capsys: Captured, tmp_path: Path, motion: Motion, short: Path, tiny_model_path: Path
) -> None:
    listed = run_json(capsys, "style", "--model", tiny_model_path)
    assert listed["presets"] == {"neutral": "preset neutral", "lively": "preset lively"}
    motion.save(tmp_path / "m.npz")
    run_json(capsys, "style", tmp_path / "m.npz", "--model", tiny_model_path, "-o", tmp_path / "s.safetensors")
    style = Style.load(tmp_path / "s.safetensors")
    assert style.vector.shape == (16,)
    assert style.source == "m.npz"
    for given in ("s.safetensors", "m.npz"):
        words = ["animate", short, "--model", tiny_model_path, "--style", tmp_path / given]
        run_json(capsys, *words, "-o", tmp_path / f"{given}.npz")
    first, second = (Motion.load(tmp_path / f"{given}.npz") for given in ("s.safetensors", "m.npz"))
    np.testing.assert_array_equal(first.expression, second.expression)


def test_info_tells_every_kind_of_file(
    capsys: Captured, tmp_path: Path, motion: Motion, sample_path: Path, tiny_model: Any, tiny_model_path: Path
) -> None:
    motion.save(tmp_path / "m.npz")
    tiny_model.presets["lively"].save(tmp_path / "s.safetensors")
    files = [tiny_model_path, tmp_path / "s.safetensors", tmp_path / "m.npz", sample_path]
    told = run_json(capsys, "info", *files)["files"]
    assert [about["kind"] for about in told] == ["model", "style", "motion", "sound or video"]
    assert told[0]["styles"] == ["neutral", "lively"]
    assert told[2]["largest_pitch_yaw_roll_deg"][1] == pytest.approx(11.4, abs=0.1)
    assert told[3]["sample_rate"] == 16000
    here = run_json(capsys, "info")
    assert here["diffposetalk"]
    assert run(["info", *map(str, files)]) == 0
    assert "preset lively" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        ["animate", "--steps", "0", "x.wav"],
        ["animate", "--steps", "ten", "x.wav"],
        ["animate", "--seed", "-1", "x.wav"],
        ["animate", "--speech-scale", "nan", "x.wav"],
        ["animate", "--threshold", "1,2", "x.wav"],
        ["animate", "--size", "333", "x.wav"],
        ["animate", "--sampler", "euler", "x.wav"],
        ["animate", "--samples", "0", "x.wav"],
        ["animate"],
        ["sing", "x.wav"],
        ["animate", "x.wav"],
        ["animate", "x.wav", "-o", "x.npz", "-o", "x.npz"],
        ["animate", "x.wav", "-o", "x.avi"],
        ["render", "x.npz"],
        ["style", "x.npz"],
        ["style", "-o", "x.safetensors"],
        ["animate", "--identity", "somebody", "-o", "x.npz", "{speech}"],
        ["animate", "--model", "large", "-o", "x.npz", "{speech}"],
        ["animate", "--threshold", "0.99,4,1", "-o", "x.npz", "{speech}"],
    ],
)
def test_a_bad_request_is_one_line_and_exit_2(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, short: Path, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([word.format(speech=short) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("diffposetalk: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_no_command_prints_help(capsys: Captured) -> None:
    assert run([]) == 2
    assert "animate" in capsys.readouterr().out


def test_version(capsys: Captured) -> None:
    from diffposetalk import __version__

    assert run(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_a_defect_is_one_line_unless_debugging(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("strange")

    monkeypatch.setattr("diffposetalk.cli.commands.info._installation", fail)
    assert run(["info"]) == 1
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "ValueError: strange" in err
    assert "--debug" in err
    assert run(["info", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_are_json_too(capsys: Captured) -> None:
    assert run(["info", "none.wav", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "none.wav: no such file", "exit_code": 1}
    assert err == "diffposetalk: none.wav: no such file\n"


def test_a_closed_pipe_is_no_error(sample_path: Path) -> None:
    command = f"{sys.executable} -m diffposetalk info {sample_path} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_usage_errors_carry_exit_code_2() -> None:
    assert UsageError("x").exit_code == 2


def test_voices_are_counted_or_listed(capsys: Captured) -> None:
    pytest.importorskip("espeakng_loader")
    everything = run_json(capsys, "corpus", "--voices")["voices"]
    assert run(["corpus", "--voices"]) == 0
    counted = capsys.readouterr().out.splitlines()
    assert len(counted) == 2 + len({voice["language"] for voice in everything})
    assert sum(int(word) for word in counted[-1].split()[1:]) == len(everything)
    for kind in ("language", "engine"):
        word = everything[0][kind]
        expected = [voice for voice in everything if voice[kind] == word]
        assert run_json(capsys, "corpus", "--voices", word)["voices"] == expected
        assert run(["corpus", "--voices", word]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1 + len(expected)
    assert run(["corpus", "--voices", "klingon"]) == 2
    assert "engines: " in capsys.readouterr().err


def test_info_names_what_a_model_learned_from(capsys: Captured, tmp_path: Path, tiny_model: Any) -> None:
    lines = ("Recordings, CC0-1.0: 3 speakers, 1.5 h", "speech synthesised by espeak: 2 speakers, 0.5 h")
    Model(**{**tiny_model.__dict__, "sources": lines}).save(tmp_path / "m.safetensors")
    (about,) = run_json(capsys, "info", tmp_path / "m.safetensors")["files"]
    assert about["sources"] == list(lines)
    assert run(["info", str(tmp_path / "m.safetensors")]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[-2].split(maxsplit=1) == ["sources", lines[0]] and rows[-1].strip() == lines[1]


def test_info_says_what_a_motion_has_not_what_it_lacks(capsys: Captured, tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    assert run(["info", str(tmp_path / "m.npz")]) == 0
    told = capsys.readouterr().out
    assert "frames" in told and "False" not in told and "jaw_pose" not in told


def options(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, argparse.Action]]:
    """Yield the options of a parser and of its commands, each with the words that lead to it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from options(command, (*words, name))
        else:
            yield " ".join((*words, *action.option_strings[:1])), action


def test_every_default_stands_in_the_help() -> None:
    """As "default: X"; flags and repeatable options start empty and say nothing."""
    for name, action in options(build_parser()):
        assert action.help, name
        if action.default not in (None, False, True, [], argparse.SUPPRESS):
            assert "default: " in action.help, (name, action.help)
            if isinstance(action.default, str | float | int) and "%(" not in action.help and action.default != "":
                shown = f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
                assert f"default: {shown}" in action.help, (name, action.help)


@pytest.mark.parametrize(
    "words",
    [
        ["animate"],
        ["bogus"],
        ["evaluate", "nope"],
        ["export", "a.npz", "--bogus"],
        ["animate", "a.wav", "--steps", "x"],
    ],
)
def test_a_wrong_command_line_is_one_json_object_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words, "--json"]) == 2
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["exit_code"] == 2 and err == f"diffposetalk: {result['error']}\n"
