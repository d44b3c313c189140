"""Systems through the command: broken outputs move the right metric the right way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.workshop.evaluate.performances import (
    CLIPS,
    frozen,
    late,
    never_shut,
    other_clip,
    score,
    varied,
    vertices_of,
    write_outputs,
    write_system,
)

from diffposetalk.cli import run
from diffposetalk.exchange import export
from diffposetalk.head.shared import shared_head
from diffposetalk.motion import Motion

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def figures(material: Path) -> dict[str, dict[str, float]]:
    """Figures of a good system and of broken ones, by the command."""
    made = material / "made"
    good = write_outputs(made / "good", material, varied, 3)
    swapped = made / "swapped"
    for name in CLIPS:
        (swapped / name).parent.mkdir(parents=True, exist_ok=True)
        for sample in range(3):
            (swapped / f"{name}.{(sample + 1) % 3}.npz").write_bytes((good / f"{name}.{sample}.npz").read_bytes())
    broken = {
        "late": late,
        "frozen": frozen,
        "doubled": lambda key, motion: motion.scaled(2.0, 2.0),
        "open": never_shut,
        "other": other_clip(material),
    }
    folders = [good, swapped, *(write_outputs(made / name, material, change) for name, change in broken.items())]
    out = material / "report"
    command = ["evaluate", *map(str, folders), "--data", str(material / "set.toml"), "-o", str(out), "--quiet"]
    assert run(command) == 0
    first = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert set(first) == {"report.html", "report.md", "report.json", "leaderboard.csv"}
    assert run(command) == 0
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == first
    systems = json.loads(first["report.json"])["systems"]
    return {
        system: {name: figure["value"] for name, figure in values["figures"].items() if figure}
        for system, values in systems.items()
    }


def test_the_truth_is_perfect(figures: dict[str, dict[str, float]]) -> None:
    truth = figures["truth"]
    assert truth["gap_pearson"] == pytest.approx(1) and truth["gap_concordance"] == pytest.approx(1)
    assert truth["mtm_ms"] == truth["sync_lag_ms"] == truth["lve_mm"] == truth["mod_mm"] == 0
    assert truth["bcs"] == pytest.approx(70, abs=3)
    assert truth["beats_truth"] == pytest.approx(1)
    assert truth["style_source_retrieval"] >= 50  # a clip of a speaker and another of the same speaker


def test_late_lips(figures: dict[str, dict[str, float]]) -> None:
    assert figures["good"]["sync_lag_ms"] == 0
    assert figures["late"]["sync_lag_ms"] == 200
    assert figures["late"]["gap_pearson"] < 0.3 < 0.8 < figures["good"]["gap_pearson"]
    assert figures["late"]["mtm_ms"] > figures["good"]["mtm_ms"] + 20
    assert figures["late"]["bcs"] < figures["good"]["bcs"]
    assert figures["late"]["opening_ratio"] == pytest.approx(1, abs=0.1)


def test_frozen_faces(figures: dict[str, dict[str, float]]) -> None:
    assert figures["frozen"]["gap_pearson"] == 0
    assert (
        figures["frozen"]["head_step_deg"]
        == figures["frozen"]["brow_spread_mm"]
        == figures["frozen"]["mtm_joined"]
        == 0
    )
    assert figures["frozen"]["beats_truth"] == 0
    assert figures["frozen"]["fdd"] > 0 and figures["frozen"]["frechet_head"] > figures["good"]["frechet_head"]


def test_another_speaker(figures: dict[str, dict[str, float]]) -> None:
    assert figures["other"]["gap_pearson"] < 0.5 * figures["good"]["gap_pearson"]
    assert figures["other"]["style_source_retrieval"] < figures["truth"]["style_source_retrieval"]
    assert figures["other"]["style_opening_r"] < 0 < figures["good"]["style_opening_r"]
    assert figures["other"]["beats_truth"] < figures["good"]["beats_truth"]


def test_doubled_amplitude(figures: dict[str, dict[str, float]]) -> None:
    assert figures["doubled"]["opening_ratio"] > 1.7
    assert figures["doubled"]["head_step_deg"] == pytest.approx(2 * figures["truth"]["head_step_deg"], rel=0.05)
    assert figures["doubled"]["gap_pearson"] > 0.95 > 0.8 > figures["doubled"]["gap_concordance"]
    assert figures["doubled"]["lve_mm"] > 2 * figures["good"]["lve_mm"]
    assert figures["doubled"]["bcs"] <= figures["truth"]["bcs"]


def test_a_mouth_that_never_shuts(figures: dict[str, dict[str, float]]) -> None:
    assert figures["open"]["bcs"] == 0
    assert "closure_precision" not in figures["open"]  # nothing is closed
    assert figures["open"]["gap_pearson"] > 0.95


def test_swapped_seeds(figures: dict[str, dict[str, float]]) -> None:
    """What looks at all samples stays the same; what looks at the first one changes."""
    good, swapped = figures["good"], figures["swapped"]
    for name in (
        "gap_pearson_of_mean",
        "gap_pearson_best",
        "energy_fair_lips_mm",
        "diversity_lips_mm",
        "head_diversity_deg",
    ):
        assert swapped[name] == pytest.approx(good[name], rel=1e-6), name
    for name in ("gap_pearson", "beats_truth", "mod_mm"):
        assert swapped[name] != good[name], name
    assert "energy_fair_lips_mm" not in figures["late"]  # one sample


def test_other_formats_and_rates_give_the_same_figures(material: Path, tmp_path: Path) -> None:
    csv = write_system(tmp_path / "csv", material, lambda path, motion: export(motion, path), ".csv")
    figures = score(material, csv, tmp_path / "a")
    assert figures["gap_pearson"] > 0.99 and figures["lve_mm"] < 0.1 and figures["beats_truth"] > 0.95
    fast = write_system(tmp_path / "fast", material, lambda path, motion: motion.resampled(50).save(path))
    figures = score(material, fast, tmp_path / "b")
    assert figures["gap_pearson"] > 0.99 and figures["sync_lag_ms"] == 0

    def vertices(path: Path, motion: Motion) -> None:
        np.savez(path, vertices=vertices_of(motion)[None], head_pose=motion.head_pose)

    figures = score(material, write_system(tmp_path / "vertices", material, vertices), tmp_path / "c")
    assert figures["gap_pearson"] > 0.999 and figures["lve_mm"] < 1e-3 and figures["beats_truth"] == pytest.approx(1)


def test_vertices_of_another_mesh_by_lists(material: Path, tmp_path: Path) -> None:
    upper, lower = shared_head("anny").lip_pairs.T
    chosen = [*upper, *lower, *range(0, 10000, 50)]

    def vertices(path: Path, motion: Motion) -> None:
        np.savez(path, vertices=vertices_of(motion)[:, chosen])

    folder = write_system(tmp_path / "few", material, vertices)
    text = (material / "set.toml").read_text()
    pairs = [[k, k + len(upper)] for k in range(len(upper))]
    mesh = f"\n[[topologies]]\nvertices = {len(chosen)}\nlip_pairs = {pairs}\n"
    (material / "lists.toml").write_text(text.replace("[[clips]]", f"{mesh}\n[[clips]]", 1))
    figures = score(material, folder, tmp_path / "out", "lists.toml")
    assert figures["gap_pearson"] > 0.98
    assert figures["lve_mm"] is figures["opening_ratio"] is figures["beats_truth"] is None
    assert "another mesh than the truth" in (tmp_path / "out" / "report.md").read_text()
    assert (
        run(["evaluate", str(folder), "--data", str(material / "set.toml"), "-o", str(tmp_path / "no"), "--quiet"]) == 1
    )


def test_a_run_goes_on_where_it_stopped(material: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_outputs(tmp_path / "system", material, varied)
    last = folder / "cyd/2.npz"
    kept = last.read_bytes()
    last.write_bytes(b"damaged")
    command = ["evaluate", f"x={folder}", "--data", str(material / "set.toml"), "-o", str(tmp_path / "out"), "--json"]
    assert run(command) == 1
    capsys.readouterr()
    last.write_bytes(kept)
    assert run(command) == 0
    costs = json.loads(capsys.readouterr().out)["costs"]
    assert costs["x"]["made"] == 1  # five clips were kept
    last.write_bytes((folder / "cyd/1.npz").read_bytes())
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["costs"]["x"]["made"] == 1  # only the changed one is measured again


def test_a_model_and_films(material: Path, tmp_path: Path, gl: None) -> None:
    """A baseline that speaks the clips itself; films are part of the page, and the page is the same twice."""
    pages = []
    for name in ("a", "b"):
        out = tmp_path / name
        command = ["evaluate", "energy", "--data", str(material / "set.toml"), "-o", str(out), "--films", "--quiet"]
        assert run(command) == 0
        pages.append((out / "report.html").read_bytes())
    assert pages[0] == pages[1]
    assert pages[0].count(b"data:video/mp4") == 3
    assert b"http://" not in pages[0].replace(b"http://www.w3.org", b"") and b"https://" not in pages[0]


@pytest.mark.slow
def test_renders_of_a_system_are_tracked(material: Path, tmp_path: Path, gl: None) -> None:
    pytest.importorskip("mediapipe")
    from diffposetalk.render import render_motion

    head = shared_head("anny")
    folder = write_system(
        tmp_path / "films", material, lambda path, motion: render_motion(motion, head, path, size=384), ".mp4"
    )
    figures = score(material, folder, tmp_path / "out")
    assert figures["gap_pearson"] > 0.8 and figures["sync_lag_ms"] == 0
    assert figures["beats_truth"] > 0.6
