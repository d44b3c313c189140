"""`diffposetalk assets`, and the heads and identities that the command line takes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.cli import run
from diffposetalk.cli.picture import read_identity
from diffposetalk.errors import InputError
from diffposetalk.exchange import Scene, export
from diffposetalk.files.asset_folder import ASSETS, asset_folder
from diffposetalk.head import load_head
from diffposetalk.head.shapes.head import TargetsHead
from diffposetalk.motion import Motion, flame_channels


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path / "assets"))
    return tmp_path / "assets"


@pytest.fixture
def asked(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, dict[str, Any]]]:
    def ask(*words: object) -> tuple[int, dict[str, Any]]:
        code = run(["assets", *map(str, words), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return ask


Ask = Callable[..., tuple[int, dict[str, Any]]]


def test_an_empty_folder_tells_where_everything_is_from(asked: Ask) -> None:
    code, told = asked()
    assert code == 0 and {one["state"] for one in told["assets"]} == {"absent"}
    assert len(told["assets"]) == len(ASSETS)
    assert any("flame.is.tue.mpg.de" in one["about"] for one in told["assets"])


def test_files_are_recognised_checked_and_placed(asked: Ask, flame_path: Path, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "odd name.pkl"
    shutil.copy(flame_path, other)
    code, told = asked("--add", other, "--add", flame_path.with_name("landmark_embedding.npy"))
    assert code == 0 and [one["asset"] for one in told["added"]] == ["flame2020", "flame-landmarks"]
    assert sorted(path.name for path in folder.iterdir()) == ["generic_model.pkl", "landmark_embedding.npy"]
    head: Any = load_head("flame")
    assert head.n_vertices == 40 and head.points is not None
    code, told = asked()
    assert [one["asset"] for one in told["assets"] if one["state"] == "good"] == ["flame2020", "flame-landmarks"]
    assert asked("--add", folder / "generic_model.pkl")[0] == 0, "placing what is in place"
    shutil.copy(flame_path, tmp_path / "flame2023.pkl")
    assert asked("--add", tmp_path / "flame2023.pkl")[1]["added"][0]["asset"] == "flame2023"
    assert load_head("flame2023").name == "flame"


def test_what_is_wrong_is_said_and_not_placed(asked: Ask, flame_path: Path, folder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "generic_model.pkl"
    cut.write_bytes(flame_path.read_bytes()[:5000])
    code, told = asked("--add", cut)
    assert code == 1 and "generic_model.pkl: is not a whole pickle" in told["error"] and not folder.exists()
    np.savez(tmp_path / "other.npz", a=np.ones(3))
    code, told = asked("--add", tmp_path / "other.npz")
    assert code == 1 and "none of the known assets (it holds a)" in told["error"]
    code, told = asked("--add", tmp_path / "absent.pkl")
    assert code == 1 and "absent.pkl: no such file" in told["error"]
    folder.mkdir()
    shutil.copy(cut, folder)
    _, told = asked()
    wrong = [one for one in told["assets"] if one["state"] == "wrong"]
    assert [one["asset"] for one in wrong] == ["flame2020"] and "whole pickle" in wrong[0]["about"]


def test_checkpoints_of_the_authors(asked: Ask, reference: Path, folder: Path) -> None:
    files = sorted((reference / "experiments").glob("*/*/checkpoints/*.pt"))
    code, told = asked(*[word for file in files for word in ("--add", file)])
    assert code == 0 and {one["asset"] for one in told["added"]} == {"denoiser", "style-encoder"}
    assert len(list(folder.glob("*/*.pt"))) == len(files), "runs that share a file name stay apart"
    assert asked("--add", reference / "stats_train.npz")[1]["added"][0]["asset"] == "statistics"


def test_speech_encoders(asked: Ask, folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    source = tmp_path / "any"
    source.mkdir()
    assert "config.json" in asked("--add", source)[1]["error"]
    (source / "config.json").write_text('{"model_type": "hubert", "hidden_size": 8}')
    assert "lacks the weights" in asked("--add", source)[1]["error"]
    save_file({"a": np.zeros(3, np.float32)}, source / "model.safetensors")
    assert asked("--add", source)[1]["added"][0]["asset"] == "hubert"
    assert (folder / "hubert-base-ls960" / "model.safetensors").is_file()
    assert not list(folder.glob(".*partial*"))


def test_a_flame_motion_without_flame(tmp_path: Path, capsys: pytest.CaptureFixture[str], flame_path: Path) -> None:
    motion = Motion(np.zeros((3, 50)), flame_channels()[:50], np.zeros((3, 3)), 25.0, "flame")
    motion.save(tmp_path / "m.npz")
    words = ["render", str(tmp_path / "m.npz"), "-o", str(tmp_path / "m.mp4")]
    assert run(words) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(asset_folder()) in said and "flame.is.tue.mpg.de" in said
    assert run([*words, "--head", "anny"]) == 2
    assert "the motion is for the head flame" in capsys.readouterr().err
    assert run([*words, "--head", "flame.obj"]) == 2
    assert run([*words, "--head", str(tmp_path / "generic_model.pkl")]) == 1
    assert "flame.is.tue.mpg.de" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["npz", "glb"])
def test_rendering_on_another_head_names_retarget(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    points = np.array([[-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
    head = TargetsHead.of(
        "other", points, np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]]), ["jawOpen"], np.ones((1, 4, 3)), metres=0.1
    )
    if kind == "npz":
        head.save(tmp_path / "other.npz")
    else:
        motion = Motion(np.ones((2, 1)), ("jawOpen",), np.zeros((2, 3)), 25.0, "other")
        export(motion, tmp_path / "other.glb", scene=Scene(head=head))
    Motion(np.zeros((3, 52)), CHANNELS, np.zeros((3, 3)), 25.0).save(tmp_path / "m.npz")
    words = ["render", str(tmp_path / "m.npz"), "--head", str(tmp_path / f"other.{kind}")]
    assert run([*words, "-o", str(tmp_path / "m.mp4")]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "diffposetalk retarget MOTION --head HEAD" in message
    assert not (tmp_path / "m.mp4").exists()


def test_identity_files_of_one_row_or_of_a_sequence(tmp_path: Path) -> None:
    codes = np.arange(300, dtype=np.float32).reshape(3, 100)
    for name, value in (("one", codes[0]), ("row", codes[:1]), ("sequence", codes)):
        np.save(tmp_path / f"{name}.npy", value)
        np.testing.assert_array_equal(read_identity(str(tmp_path / f"{name}.npy")), codes[0])
        np.savez(tmp_path / f"{name}.npz", shape=value, exp=np.zeros((3, 50)), pose=np.zeros((3, 6)))
        np.testing.assert_array_equal(read_identity(str(tmp_path / f"{name}.npz")), codes[0])
        (tmp_path / f"{name}.json").write_text(json.dumps(value.tolist()))
        np.testing.assert_array_equal(read_identity(str(tmp_path / f"{name}.json")), codes[0])
    np.savez(tmp_path / "only.npz", anything=codes[0])
    np.testing.assert_array_equal(read_identity(str(tmp_path / "only.npz")), codes[0])
    np.savez(tmp_path / "other.npz", exp=codes, pose=codes)
    with pytest.raises(InputError, match=r"none of the arrays shape, .* \(it has exp, pose\)"):
        read_identity(str(tmp_path / "other.npz"))
    for text, what in (
        ("{}", "not of object"),
        ("[1, null]", "not of object"),
        ("[1e999]", "finite"),
        ("[[[", "readable"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=what):
            read_identity(str(tmp_path / "bad.json"))
    np.save(tmp_path / "deep.npy", codes[None])
    with pytest.raises(InputError, match="plain list"):
        read_identity(str(tmp_path / "deep.npy"))


def test_asset_folder_by_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFPOSETALK_ASSETS")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert asset_folder() == Path("/data/diffposetalk")
