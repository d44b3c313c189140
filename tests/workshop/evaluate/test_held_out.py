"""The held-out style encoder: it learns to tell manners apart, and its file gives it back."""

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, UsageError
from diffposetalk.metrics import retrieval_accuracy
from diffposetalk.motion import Motion
from diffposetalk.workshop.evaluate.held_out import Speaker, fit
from diffposetalk.workshop.evaluate.presets import load_encoder


def a_speaker(smile: float, brow: float, rng: np.random.Generator) -> Motion:
    expression = rng.random((120, 52)).astype(np.float32) * 0.2
    for side in ("Left", "Right"):
        expression[:, INDEX["mouthSmile" + side]] += smile
        expression[:, INDEX["browOuterUp" + side]] += brow
    return Motion(expression, CHANNELS, (rng.normal(size=(120, 3)) * 0.02).astype(np.float32), 25.0)


def test_it_learns_manners_and_comes_back_from_its_file(tmp_path):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    manners = [(smile, brow) for smile in np.linspace(0, 0.7, 5) for brow in np.linspace(0, 0.7, 4)]
    people = [Speaker([a_speaker(*m, rng) for _ in range(2)], np.array(m, np.float32)) for m in manners]
    encoder = fit(people, steps=40, width=16)
    known = np.stack([encoder.read_style(own.motions[0]).vector for own in people[:20:5]])
    fresh = np.stack([encoder.read_style(a_speaker(*manner, rng)).vector for manner in manners[:20:5]])
    assert retrieval_accuracy(fresh, np.arange(4), known) >= 0.75
    path = tmp_path / "held_out.safetensors"
    encoder.save(path)
    again = load_encoder(path)
    assert np.array_equal(again(people[0].motions[0]), encoder.read_style(people[0].motions[0]).vector)
    with pytest.raises(InputError, match="short"):
        again(people[0].motions[0].slice(0, 20))
    with pytest.raises(UsageError, match=r"missing\.safetensors"):
        load_encoder(tmp_path / "missing.safetensors")
