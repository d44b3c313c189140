"""Every baseline learns a made-up corpus, makes motion of the right shape, and is the same after saving and loading."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.cli.main import run as main
from diffposetalk.errors import InputError, ModelError, UsageError
from diffposetalk.model.checkpoint import load_model
from diffposetalk.motion import Motion
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.style import Style
from diffposetalk.workshop.baselines.codetalker import CodeTalker
from diffposetalk.workshop.baselines.model import BaselineModel
from diffposetalk.workshop.baselines.recipe import train_baseline
from diffposetalk.workshop.corpus.shards import load_shard
from diffposetalk.workshop.evaluate.generators import load_generator, samples_of
from diffposetalk.workshop.train.lite.frozen import FrozenSpeech

SMALL = {
    "faceformer": ["network.dim=32", "motion.loop.steps=150", "windows.window=50"],
    "codetalker": ["network.dim=32", "network.n_codes=32", "network.n_parts=2", "codes.loop.steps=100",
                   "motion.loop.steps=150", "windows.window=50"],
    "facediffuser": ["network.dim=32", "motion.loop.steps=200", "network.evaluations=5", "windows.window=50"],
    "yi": ["network.dim=32", "motion.loop.steps=150", "windows.window=50"],
    "artalk": ["network.dim=32", "network.n_bits=8", "network.scales=[1, 5, 25, 50]", "windows.window=50",
               "codes.loop.steps=100", "motion.loop.steps=400"],
    "linear": [],
    "phonemes": [],
}  # fmt: skip
TRAINED = [name for name in SMALL if name not in ("linear", "phonemes")]
DETERMINISTIC = [name for name in SMALL if name not in ("facediffuser", "artalk")]


@pytest.fixture(scope="session")
def trained(made_up_corpus: Path, start_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Returns the run of a baseline, trained once."""
    folder = tmp_path_factory.mktemp("baselines")

    def run(name: str) -> Path:
        out = folder / name
        if not (out / f"{name}.safetensors").exists():
            train(name, out, made_up_corpus, start_model, folder / "heard")
        return out

    return run


def train(name: str, out: Path, corpus: Path, start: Path, heard: Path, changes: tuple[str, ...] = ()) -> dict:
    overrides = [
        f"corpus={corpus}",
        f"frozen.model={start}",
        f"frozen.heard={heard}",
        "validation_share=0.3",
        *SMALL[name],
    ]
    for stage in ("codes", "motion"):
        if any(change.startswith(f"{stage}.") for change in SMALL[name]):
            overrides += [f"{stage}.loop.warmup=5", f"{stage}.loop.learning_rate=3e-3", f"{stage}.loop.ema=0.9"]
            overrides += [
                f"{stage}.loop.batch=8",
                f"{stage}.loop.validate_every=50",
                f"{stage}.loop.checkpoint_every=20",
            ]
    return train_baseline(f"baselines/{name}", out, [*overrides, *changes])


def losses(run: Path, stage: str, term: str = "loss") -> list[float]:
    return [json.loads(line)[term] for line in (run / stage / "log.jsonl").read_text().splitlines()]


def loaded(run: Path) -> BaselineModel:
    return BaselineModel.load(run / f"{run.name}.safetensors")


@pytest.mark.parametrize("name", TRAINED)
def test_the_loss_falls(name: str, trained: Callable[[str], Path]) -> None:
    run = trained(name)
    for stage in loaded(run).network.stages:
        values = losses(run, stage)
        assert np.mean(values[-5:]) < 0.7 * np.mean(values[:5]), stage


@pytest.mark.parametrize("name", SMALL)
def test_motion_is_as_long_as_the_speech_and_repeats(name: str, trained: Callable[[str], Path], speech: Speech) -> None:
    model = loaded(trained(name))
    motion = model(speech, seed=3)
    assert len(motion) == 50 and motion.fps == 25.0 and motion.head == "anny"
    assert np.isfinite(motion.expression).all() and np.isfinite(motion.head_pose).all()
    assert (model(speech, seed=3).expression == motion.expression).all()
    other = model(speech, seed=4)
    assert (other.expression == motion.expression).all() == (name in DETERMINISTIC)
    odd = Speech(speech.samples[: 640 * 7 + 1], SAMPLE_RATE)
    assert len(model(odd)) == 8


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_model_gives_the_same_motion(
    name: str, trained: Callable[[str], Path], speech: Speech, tmp_path: Path
) -> None:
    model = loaded(trained(name))
    model.save(tmp_path / "again.safetensors")
    again = BaselineModel.load(tmp_path / "again.safetensors")
    assert (again(speech, seed=1).expression == model(speech, seed=1).expression).all()
    assert again.sources == model.sources != ()


@pytest.mark.parametrize("name", [name for name in SMALL if name != "phonemes"])
def test_the_jaw_follows_held_out_speech(name: str, trained: Callable[[str], Path], spoken: Callable) -> None:
    """Unlike the shapes of phones, these learn whose jaw follows the loudness; the encoder is untrained, so by no much."""
    samples, _, loudness = spoken(99)
    motion = loaded(trained(name))(Speech(samples, SAMPLE_RATE))
    assert np.corrcoef(motion.channel("jawOpen"), loudness)[0, 1] > 0.5


def test_what_is_kept_of_the_speech_is_what_the_encoder_hears(
    made_up_corpus: Path, start_model: Path, tmp_path: Path
) -> None:
    encoder = load_model(start_model).speech_encoder
    speech = FrozenSpeech(made_up_corpus, encoder, tmp_path, copies=1)
    first = speech.clips(["s00002", "s00003"])
    again = speech.clips(["s00003"], with_mels=True)
    clip = load_shard(made_up_corpus, "s00003")[1]
    expected = encoder(torch.from_numpy(clip.speech.samples)[None])[0].numpy()
    for heard in (first[4], again[1]):
        assert heard.features.shape == (2, 120, 16) and np.allclose(heard.features[0], expected, atol=5e-3)
        assert not np.allclose(heard.features[1], expected, atol=5e-2)
        assert (heard.phones == phone_labels(clip.phones, 240)).all()
    assert first[4].mels.shape == (120, 0) and again[1].mels.shape == (120, 16)


@pytest.mark.parametrize("name", ["faceformer", "codetalker", "facediffuser"])
def test_a_one_hot_style_is_that_of_the_nearest_speaker(
    name: str, trained: Callable[[str], Path], made_up_corpus: Path
) -> None:
    model = loaded(trained(name))
    assert model.speakers is not None
    for number, speaker in enumerate(model.speakers.names):
        motion = load_shard(made_up_corpus, speaker)[1].motion
        style = model.style(motion)
        assert style.tolist() == model.style(speaker).tolist() and int(style.argmax()) == number
    assert model.style(None).tolist() == [0.5, 0.5]
    with pytest.raises(UsageError, match="knows only the 2 speakers"):
        model.style("nobody")
    with pytest.raises(UsageError, match="reads no Style"):
        model.style(Style(np.zeros(16, np.float32), "", "made up"))


def test_speakers_with_other_styles_move_differently(trained: Callable[[str], Path], spoken: Callable) -> None:
    model = loaded(trained("faceformer"))
    assert model.speakers is not None
    samples, _, _ = spoken(98)
    opened = {name: model(Speech(samples), style=name).channel("jawOpen").std() for name in model.speakers.names}
    small, large = (
        opened[name] for name in sorted(opened, key=lambda name: {"s00001": 1, "s00003": 2, "s00002": 3}[name])
    )
    assert large > 1.1 * small


def test_the_style_of_artalk_is_read_from_motion(
    trained: Callable[[str], Path], motion: Motion, speech: Speech
) -> None:
    model = loaded(trained("artalk"))
    assert np.isfinite(model(speech, style=motion).expression).all()
    assert not torch.equal(model.style(motion), model.style(None))


def test_a_codebook_uses_many_codes(trained: Callable[[str], Path], made_up_corpus: Path) -> None:
    model = loaded(trained("codetalker"))
    assert isinstance(model.network, CodeTalker)
    encoded = torch.from_numpy(model.space.encode(load_shard(made_up_corpus, "s00001")[0].motion))[None]
    book = model.network.codebook
    numbers = book.nearest(book.encoder(encoded))
    assert len(numbers.unique()) > 8
    rebuilt = book.decoder(book.latent_of(numbers))
    assert float((rebuilt - encoded).square().mean()) < 0.2 * float(encoded.square().mean())


def test_a_stopped_training_continues_with_the_same_result(
    trained: Callable[[str], Path], made_up_corpus: Path, start_model: Path, tmp_path: Path
) -> None:
    """Ends after the first stage and within the second, as an interrupted run does."""
    whole = trained("codetalker")
    again = tmp_path / "codetalker"

    class Stopped(Exception):
        pass

    def stop(done: float, total: float | None = None, what: str | None = None) -> None:
        if what and what.startswith("motion") and done == 30:
            raise Stopped

    from diffposetalk.workshop.baselines import recipe

    original = recipe.Run.report
    try:
        recipe.Run.report = lambda self, stage: (  # type: ignore[method-assign]
            lambda done, total=None, what=None: stop(done, total, f"{stage}: {what}")
        )
        with pytest.raises(Stopped):
            train("codetalker", again, made_up_corpus, start_model, tmp_path / "heard")
    finally:
        recipe.Run.report = original  # type: ignore[method-assign]
    train("codetalker", again, made_up_corpus, start_model, tmp_path / "heard")
    assert (again / "codetalker.safetensors").read_bytes() == (whole / "codetalker.safetensors").read_bytes()


def test_wrong_stages_are_refused(made_up_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has the stages motion; the recipe has the tables codes, motion"):
        train_baseline(
            "baselines/yi", tmp_path, [f"corpus={made_up_corpus}", "codes.weights.simple=1", "codes.loop.steps=1",
                                       "codes.loop.batch=1"]
        )  # fmt: skip


def test_damaged_files_are_refused(trained: Callable[[str], Path], start_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected a diffposetalk\.baseline file, this is diffposetalk\.model"):
        BaselineModel.load(start_model)
    whole = (trained("yi") / "yi.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((ModelError, InputError), match=r"cut\.safetensors"):
        BaselineModel.load(tmp_path / "cut.safetensors")


def test_the_command_trains_and_says_how_well(
    made_up_corpus: Path, start_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    general = [
        "--set",
        f"corpus={made_up_corpus}",
        "--set",
        f"frozen.model={start_model}",
        "--set",
        "validation_share=0.3",
    ]
    changes = ["--set", "motion.loop.steps=2", "--set", "network.dim=16"]
    assert main(["train", "baselines/yi", "-o", str(tmp_path / "yi"), *general, *changes]) == 0
    assert {"motion: simple", "motion: velocity"} <= {
        line.partition("  ")[0] for line in capsys.readouterr().out.splitlines()
    }
    assert main(["train", "baselines/linear", "-o", str(tmp_path / "linear"), *general]) == 0
    assert float(re.search(r"simple +([\d.]+)", capsys.readouterr().out)[1]) < 0.02


def test_info_describes_a_baseline(trained: Callable[[str], Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(trained("faceformer") / "faceformer.safetensors"), "--json"]) == 0
    (about,) = json.loads(capsys.readouterr().out)["files"]
    assert about["kind"] == "baseline, faceformer" and about["one_hot_styles"] == 2 and about["channels"] == 55


def test_evaluation_takes_the_file_of_a_baseline(
    trained: Callable[[str], Path], speech: Speech, motion: Motion
) -> None:
    generate = load_generator(str(trained("yi") / "yi.safetensors"))
    samples = samples_of(generate, speech, 2, motion)
    assert len(samples) == 2 and len(samples[0]) == 50
    with pytest.raises(UsageError, match="has no options, got steps"):
        load_generator(str(trained("yi") / "yi.safetensors"), {"steps": 3})
