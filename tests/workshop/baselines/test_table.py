"""A table trains its systems, compares them, and goes on where it was stopped."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.evaluate import table
from diffposetalk.workshop.train import loop

TABLE = """
kind = "table"
name = "tiny"
corpus = "{corpus}"
clips = 1
samples = 2
[frozen]
model = "{start}"
[systems.energy]
model = "energy"
[systems.linear]
recipe = "baselines/linear"
set = ["validation_share=0.3"]
[systems.yi]
recipe = "baselines/yi"
set = ["validation_share=0.3", "network.dim=16", "motion.loop.steps=2", "motion.loop.batch=2"]
[systems.ours]
recipe = "lite"
set = [{ours}]
[systems.no-guidance]
recipe = "ablations/no_guidance"
set = [{ours}]
same_weights = "ours"
[systems.rhubarb]
model = "rhubarb"
"""
OURS = ["validation_share=0.3", "preset_seconds=4", "denoiser.network.speech_dim=16", "denoiser.network.dim=16",
        "denoiser.network.style_dim=16", "denoiser.network.n_layers=1", "denoiser.network.n_heads=2",
        "denoiser.loop.steps=3", "denoiser.loop.batch=2", "denoiser.loop.validation_batches=1",
        "denoiser.loop.precision='fp32'"]  # fmt: skip


@pytest.fixture
def recipe(made_up_corpus: Path, start_model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TABLE.format(corpus=made_up_corpus, start=start_model, ours=json.dumps(OURS)[1:-1]))
    return path


def test_a_table_is_trained_once_and_compared(recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    for kind, train in list(table.TRAININGS.items()):

        def counted(name: Any, out: Path, *rest: Any, train: Any = train) -> dict[str, Any]:
            trained.append(Path(out).name)
            result: dict[str, Any] = train(name, out, *rest)
            return result

        monkeypatch.setitem(table.TRAININGS, kind, counted)
    steps: list[int] = []
    rate = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda step, *rest: steps.append(step) or rate(step, *rest))
    compared: list[tuple[list[str], Path]] = []

    def compare(words: list[str], data: Path, output: Path, *rest: Any, **more: Any) -> dict[str, Any]:
        compared.append((words, data))
        return {"notes": []}

    monkeypatch.setattr(table.command, "evaluate", compare)
    monkeypatch.setattr(table, "installed", lambda: False)
    monkeypatch.setattr(table, "make_protocol", lambda corpus, out, *rest: out.write_text(""))
    folder = tmp_path / "out"
    result = table.evaluate(recipe, folder)
    assert trained == ["linear", "yi", "ours", "no-guidance"]
    assert len(steps) == 2 + 3, "no-guidance takes the weights of ours"
    assert {line.partition("=")[0] for line in compared[0][0]} == {"energy", "linear", "yi", "ours", "no-guidance"}
    assert all(Path(line.partition("=")[2]).exists() for line in compared[0][0] if not line.startswith("energy"))
    assert any("Rhubarb Lip Sync is not installed" in note for note in result["notes"])
    assert result["trained"]["yi"]["seconds"] > 0

    again = table.evaluate(recipe, folder)
    assert len(trained) == 4 and again["trained"] == result["trained"]

    table.evaluate(recipe, folder, ["systems.yi.set=['validation_share=0.3','network.dim=16','motion.loop.steps=2',"
                                    "'motion.loop.batch=2','seed=0']"])  # fmt: skip
    assert trained[4:] == ["yi"], "only what changed is trained again"


def test_the_time_of_an_interrupted_training_counts(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*rest: Any) -> dict[str, Any]:
        time.sleep(0.3)
        raise KeyboardInterrupt

    def finished(name: str, out: Path, *rest: Any) -> dict[str, Any]:
        out.mkdir(exist_ok=True)
        (out / "model.safetensors").write_bytes(b"")
        return {"model": str(out / "model.safetensors"), "figures": {}}

    monkeypatch.setattr(table, "make_protocol", lambda corpus, out, *rest: out.write_text(""))
    monkeypatch.setattr(table.command, "evaluate", lambda *rest, **more: {"notes": []})
    monkeypatch.setattr(table, "TRAININGS", {"baseline": stopped, "lite": finished})
    with pytest.raises(KeyboardInterrupt):
        table.evaluate(recipe, tmp_path / "out")
    monkeypatch.setitem(table.TRAININGS, "baseline", finished)
    trained = table.evaluate(recipe, tmp_path / "out")["trained"]
    assert trained["linear"]["seconds"] >= 0.3 > trained["yi"]["seconds"]


def test_wrong_tables_are_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes the weights of 'nobody', which is no system"):
        table.evaluate(recipe, tmp_path, ["systems.no-guidance.same_weights=nobody"])
    with pytest.raises(UsageError, match="either a model or a recipe"):
        table.evaluate(recipe, tmp_path, ["systems.energy.recipe=baselines/yi"])
    with pytest.raises(UsageError, match="is of the kind 'paper'"):
        table.evaluate(recipe, tmp_path / "out", ["systems.linear.recipe=paper/denoiser"])
