"""`export`, `-o` of animate and render, and motion of other software as input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.cli import run
from diffposetalk.exchange import FORMATS, load_motion
from diffposetalk.media import probe
from diffposetalk.motion import Motion

Captured = pytest.CaptureFixture[str]


def run_json(capsys: Captured, *words: object) -> dict[str, Any]:
    assert run([*map(str, words), "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def refused(capsys: Captured, *words: object) -> str:
    assert run([str(word) for word in words]) in (1, 2)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


@pytest.fixture
def motion_path(tmp_path: Path, motion: Motion) -> Path:
    motion.save(tmp_path / "m.npz")
    return tmp_path / "m.npz"


def test_one_motion_into_many_files(capsys: Captured, tmp_path: Path, motion_path: Path, motion: Motion) -> None:
    names = ["a.csv", "a_a2f.json", "a.bvh", "a.tsv", "a_table.csv", "a_visemes.json", "a.vrma", "a_nim.csv"]
    words = [word for name in names for word in ("-o", tmp_path / name)]
    assert run([str(word) for word in ["export", motion_path, *words, "--json"]]) == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert [Path(path).name for path in result["outputs"]] == names
    assert err.count("\n") == 1 and "a_nim.csv: nim files have no place for the rotation of the head" in err
    assert (result["frames"], result["fps"]) == (50, 25.0)
    for name in ("a.csv", "a_a2f.json", "a_table.csv"):
        assert np.abs(load_motion(tmp_path / name).expression - motion.expression).max() < 1e-3


def test_knobs(capsys: Captured, tmp_path: Path, motion_path: Path) -> None:
    knobs = [
        "--fps",
        50,
        "--gain",
        "jaw=0.5",
        "--offset",
        "browInnerUp=0.2",
        "--smoothing",
        "head=0.1",
        "--head-unit",
        "deg",
    ]
    run_json(capsys, "export", motion_path, "-o", tmp_path / "a.csv", *knobs)
    again = load_motion(tmp_path / "a.csv")
    assert again.fps == 50 and again.channel("jawOpen").max() == pytest.approx(0.3, abs=0.01)
    assert again.channel("browInnerUp") == pytest.approx(0.2)


def test_a_format_by_name(capsys: Captured, tmp_path: Path, motion_path: Path) -> None:
    run_json(capsys, "export", motion_path, "--format", "lam", "-o", tmp_path / "a.txt")
    assert len(json.loads((tmp_path / "a.txt").read_text())["names"]) == 52
    line = refused(capsys, "export", motion_path, "--format", "lam", "-o", tmp_path / "b", "-o", tmp_path / "c")
    assert "one -o" in line


def test_the_list_of_formats(capsys: Captured) -> None:
    assert {row["format"] for row in run_json(capsys, "export", "--list")["formats"]} == set(FORMATS)
    assert run(["export", "--list"]) == 0
    assert "_lam.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "a.fbx"], "cannot write '.fbx' files here; use one of .mp4, "),
        (["-o", "a.csv", "--fps", "0"], "0 is not between 1 and 240"),
        (["-o", "a.csv", "--fps", "1000"], "1000 is not between 1 and 240"),
        (["-o", "a.csv", "--gain", "mouth"], "write REGION=NUMBER"),
        (["-o", "a.csv", "--gain", "lips=2"], "no region or channel 'lips'"),
        (["-o", "a.csv", "-o", "a.csv"], "named twice"),
        ([], "nothing to write"),
        (["-o", "a", "--format", "fbx"], "unknown format 'fbx'"),
    ],
)
def test_wrong_requests(
    capsys: Captured, tmp_path: Path, motion_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, "export", motion_path, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["m.npz"]


def test_clamping_is_one_line(capsys: Captured, tmp_path: Path, motion_path: Path) -> None:
    words = ["export", motion_path, "--gain", "jaw=3", "-o", tmp_path / "a.csv", "-o", tmp_path / "a.json"]
    assert run([str(word) for word in words]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "clamped to [0, 1], the farthest jawOpen at 1.79" in err


def test_animate_writes_every_format_alike(
    capsys: Captured, tmp_path: Path, speech: Any, tiny_model_path: Path
) -> None:
    speech.save(tmp_path / "s.wav")
    words = ["animate", tmp_path / "s.wav", "--model", tiny_model_path, "--samples", 2]
    outputs = ["-o", tmp_path / "a.csv", "-o", tmp_path / "a.npz", "-o", tmp_path / "a_lam.json"]
    result = run_json(capsys, *words, *outputs)
    assert [Path(path).name for path in result["outputs"]] == [
        "a-1.npz", "a-1.csv", "a_lam-1.json", "a-2.npz", "a-2.csv", "a_lam-2.json",
    ]  # fmt: skip
    assert set(json.loads((tmp_path / "a_lam-2.json").read_text())) == {"names", "metadata", "frames"}
    for take in (1, 2):
        ours, theirs = load_motion(tmp_path / f"a-{take}.npz"), load_motion(tmp_path / f"a-{take}.csv")
        assert np.abs(ours.expression - theirs.expression).max() < 1e-3
        assert np.abs(ours.head_pose - theirs.head_pose).max() < 1e-3


@pytest.mark.parametrize("take", ["apfel", "facial"])
def test_real_takes_are_motion_everywhere(
    capsys: Captured, tmp_path: Path, shared: Path, speech: Any, tiny_model_path: Path, gl: None, take: str
) -> None:
    """They are described, drawn, and serve as references of a style."""
    source = shared / "livelink" / f"{take}.csv"
    about = run_json(capsys, "info", source)["files"][0]
    assert (about["kind"], about["fps"], about["expression_channels"]) == ("motion", 30.0, 52)
    run_json(capsys, "export", source, "--no-clamp", "--format", "motion", "-o", tmp_path / "take.npz")
    load_motion(tmp_path / "take.npz").slice(0, 30).save(tmp_path / "part.npz")
    run_json(capsys, "export", tmp_path / "part.npz", "--no-clamp", "-o", tmp_path / "part.csv")
    run_json(capsys, "render", tmp_path / "part.csv", "--no-clamp", "--size", 64, "-o", tmp_path / "a.mp4")
    assert probe(tmp_path / "a.mp4").fps == 30
    run_json(capsys, "style", source, "--model", tiny_model_path, "-o", tmp_path / "s.safetensors")
    speech.save(tmp_path / "s.wav")
    common = ["animate", tmp_path / "s.wav", "--model", tiny_model_path]
    run_json(capsys, *common, "--style", source, "-o", tmp_path / "a.npz")
    run_json(capsys, *common, "--style", tmp_path / "s.safetensors", "-o", tmp_path / "b.npz")
    assert np.array_equal(load_motion(tmp_path / "a.npz").expression, load_motion(tmp_path / "b.npz").expression)


@pytest.fixture
def ambiguous(tmp_path: Path) -> Path:
    """Time codes that are the same at 29.97 and 30 frames a second."""
    rows = [f"00:00:{i // 30:02d}:{i % 30:02d},1,{i / 90:.4f}" for i in range(90)]
    (tmp_path / "take.csv").write_text("\n".join(["Timecode,BlendShapeCount,JawOpen", *rows]))
    return tmp_path / "take.csv"


@pytest.mark.parametrize(
    ("words", "fps", "frames", "noted"),
    [
        ([], 30.0, 90, True),
        (["--fps", "29.97"], 29.97, 90, False),
        (["--fps", "29.97002997"], 29.97002997, 90, False),
        (["--fps", "60"], 60.0, 180, True),
        (["--input-fps", "24"], 24.0, 90, False),
        (["--input-fps", "24", "--fps", "48"], 48.0, 180, False),
    ],
)
def test_the_rate_of_a_table(
    capsys: Captured, tmp_path: Path, ambiguous: Path, words: list[str], fps: float, frames: int, noted: bool
) -> None:
    assert run([str(word) for word in ["export", ambiguous, *words, "-o", tmp_path / "a.npz"]]) == 0
    err = capsys.readouterr().err
    assert err.count("\n") == noted and ("29.97" in err) == noted
    motion = load_motion(tmp_path / "a.npz")
    assert motion.fps == pytest.approx(fps) and len(motion) == frames


def test_the_rate_of_a_table_in_other_commands(
    capsys: Captured, tmp_path: Path, ambiguous: Path, tiny_model_path: Path
) -> None:
    run_json(capsys, "retarget", ambiguous, "--fps", 25, "-o", tmp_path / "a.npz")
    assert load_motion(tmp_path / "a.npz").fps == 25
    words = ["style", ambiguous, "--fps", 25, "--model", tiny_model_path, "-o", tmp_path / "s.safetensors"]
    assert run_json(capsys, *words)["source"] == "take.csv"
    assert "for .csv files only" in refused(
        capsys, "retarget", tmp_path / "a.npz", "--fps", 25, "-o", tmp_path / "b.npz"
    )


@pytest.mark.parametrize("name", ["a.csv", "a_azure.json", "a_lam.json", "a.vrma"])
def test_curves_at_another_rate_load_no_torch(tmp_path: Path, motion_path: Path, name: str) -> None:
    """Writing curves costs a twentieth of loading torch."""
    program = (
        "import sys; from diffposetalk.cli import run; code = run(sys.argv[1:]); "
        "sys.exit(code or ('torch' in sys.modules) * 9)"
    )
    words = ["export", motion_path, "--fps", "30", "-o", tmp_path / name]
    done = subprocess.run([sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "torch was loaded"
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("output", "companion"),
    [
        ("a.glb", "a_speech.wav"),
        ("a.usda", "a_speech.wav"),
        ("a.usda", "a_textures"),
        ("a.pc2", "a_rest.obj"),
        ("a.pc2", "a_rest.mtl"),
        ("a.pc2", "a_textures"),
    ],
)
def test_files_of_the_user_beside_a_scene_are_kept(
    capsys: Captured, tmp_path: Path, motion_path: Path, sample_path: Path, output: str, companion: str
) -> None:
    """Refused before the work, one line; the second export of one's own files goes on."""
    (tmp_path / companion).write_bytes(b"mine")
    words = ["export", motion_path, "--speech", sample_path, "-o", tmp_path / output]
    line = refused(capsys, *words)
    assert companion in line and "beside it" in line
    assert (tmp_path / companion).read_bytes() == b"mine" and not (tmp_path / output).exists()
    (tmp_path / companion).unlink()
    for _ in range(2):
        run_json(capsys, *words)
    assert (tmp_path / companion).exists()


def test_companions_without_speech_or_inside(capsys: Captured, tmp_path: Path, motion_path: Path) -> None:
    (tmp_path / "a_speech.wav").write_bytes(b"mine")
    run_json(capsys, "export", motion_path, "-o", tmp_path / "a.glb")
    (tmp_path / "a_textures").write_bytes(b"mine")
    run_json(capsys, "export", motion_path, "-o", tmp_path / "a.usdz")
    assert (tmp_path / "a_speech.wav").read_bytes() == b"mine"


def test_two_folders_of_one_name(capsys: Captured, tmp_path: Path, motion_path: Path) -> None:
    line = refused(capsys, "export", motion_path, "-o", tmp_path / "f.obj", "-o", tmp_path / "f.ply")
    assert "f" in line and not (tmp_path / "f").exists()
