"""The paper's two stages on a small LMDB: they learn, resume to the byte, and every ablation trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.cli import run
from diffposetalk.config import load_config
from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import Coefficients
from diffposetalk.data.convert import tfhp_to_shards
from diffposetalk.data.tfhp import FRAME_SAMPLES, TfhpReader
from diffposetalk.data.tfhp_write import write_tfhp
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.model.checkpoint import load_model
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.speech import Speech
from diffposetalk.workshop.train.paper.recipe import PaperRecipe
from diffposetalk.workshop.train.paper.run import train_paper

CONFIGS = Path(__file__).parents[3] / "configs" / "paper"
TINY = """
resident = true
workers = 0
device = "cpu"
threads = 1
style.encoder = { dim = 16, n_layers = 1, n_heads = 2, window = 20, dropout = 0.0 }
style.loop = { steps = 3, batch = 4, learning_rate = 1e-3, schedule = "constant", validate_every = 2 }
speech.start = ""
speech.encoder.kind = "compact"
speech.encoder.n_mels = 16
speech.encoder.width = 16
speech.encoder.dim = 16
denoiser.network = { speech_dim = 16, style_dim = 16, dim = 32, n_layers = 1, n_heads = 2, window = 20, context = 4 }
denoiser.network.dropout = 0.0
denoiser.loop = { steps = 3, batch = 3, schedule = "constant", learning_rate = 3e-3, precision = "fp32", validate_every = 2 }
denoiser.noise_steps = 20
denoiser.weights.vertex_m2 = 1e3
"""
"""What makes any recipe of the paper tiny; written as overrides."""


def overrides(**changes: object) -> list[str]:
    """Return the tiny sizes as ``key=value`` strings, followed by further ones."""
    lines = []
    for line in TINY.strip().splitlines():
        key, _, value = line.partition(" = ")
        if value.startswith("{"):
            lines += [f"{key}.{part.strip().replace(' = ', '=')}" for part in value.strip("{} ").split(",")]
        else:
            lines.append(f"{key}={value}")
    return [*lines, *(f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in changes.items())]


@pytest.fixture(scope="module")
def tfhp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TFHP data set of six speakers, each moving in a manner of its own, with statistics."""
    path = tmp_path_factory.mktemp("tfhp") / "set"
    rng = np.random.default_rng(0)
    clips = []
    for speaker in "ABCDEF":
        manner, identity = rng.standard_normal((2, 10)), rng.standard_normal(100).astype(np.float32)
        for video in range(2):
            time = np.arange(70)[:, None] / 25
            exp = manner[0] + manner[1] * np.sin(2 * np.pi * (1 + np.arange(10) / 5) * time + rng.random(10))
            exp = np.pad(exp, ((0, 0), (0, 40)))
            pose = 0.1 * np.sin(time * np.arange(1, 7) + rng.random(6))
            coefficients = Coefficients(np.tile(identity, (70, 1)), np.float32(exp), np.float32(pose))
            samples = np.float32(0.1 * rng.standard_normal(70 * FRAME_SAMPLES))
            name = f"{speaker}/{video:03d}"
            clips.append(Clip(Speech(samples), coefficients.motion(), identity, speaker, name))
    splits = {"train": "ABCD", "val": "E", "test": "F"}
    write_tfhp(
        clips, path, seg_len=25, splits={k: [f"{who}/{i:03d}" for who in v for i in (0, 1)] for k, v in splits.items()}
    )
    return path


@pytest.fixture(scope="module")
def head_path(flame_head: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head file of FLAME's layout with 60 vertices, of which 20 move with the jaw."""
    n = 60
    regressor, weights = flame_head["regressor"][:, :n], flame_head["weights"][:n].copy()
    weights[20:, 2] = 0
    path = tmp_path_factory.mktemp("head") / "flame.npz"
    np.savez(
        path,
        v_template=flame_head["template"][:n],
        shapedirs=flame_head["shapes"][:n],
        posedirs=flame_head["poses"][:n],
        J_regressor=regressor / regressor.sum(1, keepdims=True),
        weights=weights / weights.sum(1, keepdims=True),
        kintree_table=np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
        f=np.random.default_rng(0).integers(0, n, (40, 3)),
    )
    return path


@pytest.fixture
def arguments(tfhp: Path, head_path: Path) -> dict[str, Any]:
    """Data and head, as overrides want them."""
    return {"data": str(tfhp), "head": str(head_path)}


def rows(run: Path, stage: str) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / stage / "log.jsonl").read_text().splitlines()]


def test_both_stages_train_into_one_model(arguments: dict[str, Any], tmp_path: Path, sample_path: Path) -> None:
    result = train_paper(CONFIGS / "denoiser.toml", tmp_path / "run", overrides(**arguments))
    assert 0 <= result["figures"]["style_retrieval"] <= 1
    for stage, n_terms in (("style", 1), ("denoiser", 8)):
        last = rows(tmp_path / "run", stage)[-1]
        assert last["step"] == 3 and sum(key.startswith("val_") for key in last) == n_terms
    model = load_model(result["model"])
    assert model.identity_space is not None and model.style_encoder is not None and model.config.padding == "zero"
    talker = Talker(model)
    reference = TfhpReader(arguments["data"]).clip("F/000").motion
    motion = talker.generate(Speech.load(sample_path).slice(0, 2), style=reference, steps=2, identity=np.zeros(100))
    assert len(motion) == 50 and motion.jaw_pose is not None and np.isfinite(motion.expression).all()
    assert list((tmp_path / "run" / "denoiser" / "tensorboard").iterdir())


@pytest.mark.parametrize("stage", ["style", "denoiser"])
def test_loss_falls_on_a_repeated_batch(arguments: dict[str, Any], tmp_path: Path, stage: str) -> None:
    changes = {f"{stage}__loop__steps": 60, f"{stage}__loop__batch": 4}
    if stage == "denoiser":
        changes |= {"denoiser__windows__truncated_first": 0.0, "denoiser__windows__truncated_second": 0.0}
    recipe = CONFIGS / ("style.toml" if stage == "style" else "denoiser.toml")
    changed = [
        item for item in overrides(**arguments, **changes) if stage == "denoiser" or item[:5] not in ("speec", "denoi")
    ]
    from diffposetalk.workshop.train.paper.batches import Batches

    ordinary = Batches.__getitem__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "__getitem__", lambda self, k: ordinary(self, 0))
        train_paper(recipe, tmp_path / "run", changed)
    losses = [row["loss"] for row in rows(tmp_path / "run", stage)]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_a_killed_run_ends_up_the_same(arguments: dict[str, Any], tmp_path: Path) -> None:
    """Stopped in the middle of the second stage, between two checkpoints."""
    changed = overrides(**arguments, denoiser__loop__steps=6, denoiser__loop__checkpoint_every=2)
    changed += ["denoiser.loop.accumulate=2", "denoiser.loop.ema=0.9"]
    whole = train_paper(CONFIGS / "denoiser.toml", tmp_path / "whole", changed)

    class Killed(Exception):
        pass

    def kill(done: float, total: float | None = None, what: str | None = None) -> None:
        if what and what.startswith("denoiser: loss") and done == 5:
            raise Killed

    with pytest.raises(Killed):
        train_paper(CONFIGS / "denoiser.toml", tmp_path / "parts", changed, kill)
    parts = train_paper(CONFIGS / "denoiser.toml", tmp_path / "parts", changed)
    assert Path(parts["model"]).read_bytes() == Path(whole["model"]).read_bytes()


def test_the_style_encoder_alone(arguments: dict[str, Any], tmp_path: Path) -> None:
    changed = [item for item in overrides(**arguments) if not item.startswith(("speech.", "denoiser."))]
    result = train_paper(CONFIGS / "style.toml", tmp_path / "run", changed)
    style = StyleReader.load(result["model"]).read_style(TfhpReader(arguments["data"]).clip("F/000").motion)
    assert style.vector.shape == (16,)


ABLATIONS = sorted((CONFIGS / "ablations").glob("*.toml"))


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.stem)
def test_every_ablation_trains(path: Path, arguments: dict[str, Any], tmp_path: Path, speech: Speech) -> None:
    fixed = {
        "no_style_encoder": {"denoiser__network__style_dim": 0},
        "no_geometric_losses": {"denoiser__weights__vertex_m2": 0.0},
    }
    changes = fixed.get(path.stem, {})
    steps = {"style__loop__steps": 1, "denoiser__loop__steps": 1}
    result = train_paper(path, tmp_path / "run", overrides(**arguments, **changes, **steps))
    model = load_model(result["model"])
    style: Any = "B" if path.stem == "one_hot_style" else None
    if path.stem == "no_guidance":  # has no learned null to take the style's place
        style = TfhpReader(arguments["data"]).clip("F/000").motion
    assert len(Talker(model).generate(speech, style=style, steps=2, identity=np.ones(100))) == 50
    last = rows(tmp_path / "run", "denoiser")[-1]
    assert np.isfinite(last["loss"])
    denoiser = model.config.denoiser
    if path.stem == "no_style_encoder":
        assert denoiser.style_dim == 0 and model.style_encoder is None and not (tmp_path / "run" / "style").exists()
    elif path.stem == "one_hot_style":
        assert denoiser.style_dim == 4 and tuple(model.presets) == ("A", "B", "C", "D")
    elif path.stem == "no_guidance":
        assert denoiser.droppable == () and model.denoiser.null_speech is None
    elif path.stem == "no_alignment_mask":
        assert denoiser.align_width == 0
    elif path.stem == "no_geometric_losses":
        assert {key for key in last if not key.startswith("val_")} == {
            "step",
            "lr",
            "grad_norm",
            "simple",
            "loss",
            "steps_per_s",
        }
    else:
        assert "head_pose" not in model.space.parts and "head" not in last


def test_there_is_a_test_for_every_ablation() -> None:
    assert len(ABLATIONS) == 6


def test_pretrained_encoders_learn_with_the_denoiser(arguments: dict[str, Any], tmp_path: Path) -> None:
    """A tiny HuBERT: its frozen parts stay, the others move."""
    small = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    small |= {"conv_dim": [8] * 7, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
    architecture = {"model_type": "hubert", **small}
    kept = [item for item in overrides(**arguments) if not item.startswith("speech.encoder.")]
    table = ", ".join(f"{key} = {json.dumps(value)}" for key, value in architecture.items())
    changed = [*kept, 'speech.encoder.source=""', "speech.encoder.dim=16", f"speech.encoder.architecture={{{table}}}"]
    from diffposetalk.workshop.train.paper.run import initial_speech_encoder

    recipe = load_config(PaperRecipe, CONFIGS / "denoiser.toml", changed)
    assert recipe.speech is not None
    result = train_paper(CONFIGS / "denoiser.toml", tmp_path / "run", changed)
    torch.manual_seed(2)
    before = dict(initial_speech_encoder(recipe.speech).named_parameters())
    after = dict(load_model(result["model"]).speech_encoder.named_parameters())
    for name, value in before.items():
        if not value.requires_grad:
            torch.testing.assert_close(after[name], value, rtol=0, atol=0)
    learned = "base.encoder.layers.2.attention.v_proj.weight"
    assert not torch.equal(after[learned], before[learned])
    assert not torch.equal(after["projection.weight"], before["projection.weight"])


def test_shards_serve_as_well(arguments: dict[str, Any], tmp_path: Path) -> None:
    """The same data as an LMDB read anew, as a resident one, and as our shards give the same losses."""
    tfhp_to_shards(arguments["data"], tmp_path / "shards")
    statistics = str(Path(arguments["data"]) / "stats_train.npz")
    losses = []
    for name, changes in {
        "lmdb": {"resident": False},
        "resident": {"resident": True},
        "workers": {"resident": False, "workers": 1},
        "shards": {"resident": False, "data": str(tmp_path / "shards"), "statistics": statistics},
    }.items():
        changed = overrides(**{**arguments, **changes}, style__loop__steps=1, denoiser__loop__steps=2)
        train_paper(CONFIGS / "denoiser.toml", tmp_path / name, changed)
        losses.append([row["loss"] for row in rows(tmp_path / name, "denoiser")])
    np.testing.assert_allclose(losses[1:3], [losses[0]] * 2, rtol=1e-6)
    assert len(losses[3]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("denoiser.weights.vertices=1", "'vertices' is unknown"),
        ("denoiser.target=noise", "vertex_m2 needs the target 'sample'"),
        ("denoiser.network.motion_dim=51", "motion_dim"),
        ("head_pose=false", "head needs head pose"),
        ("denoiser.network.style_dim=8", "style_dim is 8, style.encoder.dim 16"),
        ("denoiser.network.speech_dim=8", "speech_dim is 8, speech.encoder.dim 16"),
        ("denoiser.network.identity_dim=99", "identity_dim is 99, but the data"),
        ("denoiser.windows.truncated_first=2", "truncated_first must lie between 0 and 1"),
        ("denoiser.windows.padding=edge", "padding is 'edge'"),
        ("denoiser.loop.schedule=cosinus", "schedule is 'cosinus'"),
        ("denoiser.style=none", "style is 'none' but"),
        ("style.encoder.window=10", "styles are read from whole windows"),
        ("workers=2", "needs no workers"),
        ("dta=x", "unknown key 'dta'"),
        ("data=nowhere", "nowhere: no such folder"),
        ("statistics=nowhere.npz", "nowhere.npz: no such statistics file"),
        ("speech.encoder.kind=big", "unknown kind 'big'"),
    ],
)
def test_malformed_recipes_are_refused(arguments: dict[str, Any], tmp_path: Path, change: str, message: str) -> None:
    changed = [*overrides(**arguments), change]
    with pytest.raises(DiffPoseTalkError, match=message) as error:
        train_paper(CONFIGS / "denoiser.toml", tmp_path / "run", changed)
    assert "\n" not in str(error.value)


def test_videos_too_short_are_refused(arguments: dict[str, Any], tmp_path: Path) -> None:
    longer = ["style.encoder.window=100", "denoiser.network.window=100"]
    with pytest.raises(InputError, match="no video is long enough"):
        train_paper(CONFIGS / "denoiser.toml", tmp_path, [*overrides(**arguments), *longer])


def test_published_sizes_are_the_papers() -> None:
    recipe = load_config(PaperRecipe, CONFIGS / "denoiser.toml")
    stage = recipe.denoiser
    assert stage is not None
    denoiser = stage.network
    assert (denoiser.dim, denoiser.n_layers, denoiser.n_heads, denoiser.window, denoiser.context) == (
        512,
        8,
        8,
        100,
        10,
    )
    assert (stage.loop.batch, stage.loop.learning_rate, stage.loop.warmup, stage.loop.steps) == (
        16,
        1e-4,
        5000,
        110_000,
    )
    assert (recipe.style.loop.batch, recipe.style.loop.steps) == (32, 30_000)
    assert list(stage.weights.values()) == [1, 2e6, 1e7, 1e5, 0.05, 5, 0.5, 0.5]


def test_earlier_keys_are_refused_with_the_new_name(arguments: dict[str, Any], tmp_path: Path) -> None:
    changed = [*overrides(**arguments), "denoiser.denoiser.dropout=0.1"]
    with pytest.raises(UsageError, match=r"denoiser: the key 'denoiser' is now called 'network'"):
        train_paper(CONFIGS / "denoiser.toml", tmp_path / "run", changed)
    assert not (tmp_path / "run").exists()


def test_the_command_chooses_by_kind(
    arguments: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*more: str) -> int:
        changed = [word for item in [*overrides(**arguments), *more] for word in ("--set", item)]
        return run(["train", str(CONFIGS / "denoiser.toml"), "-o", str(tmp_path / "run"), "--json", *changed])

    assert command() == 0
    assert json.loads(capsys.readouterr().out)["model"].endswith("paper.safetensors")
    assert command("kind=papers") == 2
    assert "unknown kind 'papers'" in capsys.readouterr().err
    assert command("kind=corpus") == 2
    assert "the kind 'corpus' is now called 'lite'" in capsys.readouterr().err
