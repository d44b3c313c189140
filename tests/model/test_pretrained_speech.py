"""HuBERT, wav2vec 2.0 and WavLM: loaded from folders, frozen as asked, any length in chunks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.errors import DiffPoseTalkError, ModelError, UsageError
from diffposetalk.model.configs import FAMILIES, PretrainedSpeechConfig
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.model.pretrained_speech import CHUNK_FRAMES, OVERLAP_FRAMES, PretrainedSpeechEncoder

SIZES = json.loads(Path(__file__).with_name("tiny_speech.json").read_text()) | {"num_hidden_layers": 3}
XLSR = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
"""What sets the multilingual encoders (XLS-R) apart from the base ones."""


def encoder(family: str = "hubert", **changes: Any) -> PretrainedSpeechEncoder:
    torch.manual_seed(0)
    config = PretrainedSpeechConfig(6, {"model_type": family, **SIZES, **changes})
    return PretrainedSpeechEncoder(config).eval()


def noise(n_frames: float, seed: int = 0) -> torch.Tensor:
    return torch.randn(1, round(n_frames * FRAME_SAMPLES), generator=torch.Generator().manual_seed(seed))


def test_without_transformers_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(DiffPoseTalkError, match=r"diffposetalk\[research\]"):
        encoder()
    with pytest.raises(DiffPoseTalkError, match=r"needs transformers"):
        PretrainedSpeechEncoder.from_source(PretrainedSpeechConfig(6, source=str(tmp_path)))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layout", [{}, XLSR], ids=["base", "xlsr"])
def test_a_folder_of_transformers_loads(family: str, layout: dict[str, Any], tmp_path: Path) -> None:
    source = encoder(family, **layout)
    source.base.save_pretrained(tmp_path / "weights")
    loaded = PretrainedSpeechEncoder.from_source(PretrainedSpeechConfig(6, source=str(tmp_path / "weights"))).eval()
    assert loaded.config.architecture["model_type"] == family
    samples = noise(20)
    with torch.no_grad():
        ours = loaded.contextual(loaded.convolved(samples))
        theirs = source.base(samples).last_hidden_state
    torch.testing.assert_close(ours, theirs)
    rebuilt = PretrainedSpeechEncoder(loaded.config)
    rebuilt.load_state_dict(loaded.state_dict())
    assert rebuilt(samples).shape == (1, 20, 6)


@pytest.mark.parametrize("source", ["no/such-encoder", ""])
def test_weights_that_are_absent_are_named(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        PretrainedSpeechEncoder.from_source(PretrainedSpeechConfig(6, source=source or str(tmp_path)))
    assert len(str(caught.value).splitlines()) == 1


def test_another_family_is_refused() -> None:
    with pytest.raises(UsageError, match="'whisper' is not understood"):
        PretrainedSpeechConfig(6, {"model_type": "whisper"})
    with pytest.raises(UsageError, match="50 features a second"):
        encoder(conv_stride=[5, 2, 2, 2, 2, 2, 4])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_paper_s_parts_stay_frozen(family: str) -> None:
    net = encoder(family, layerdrop=0.0)
    net.freeze()
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net(noise(10)).square().sum().backward()
    torch.optim.SGD([p for p in net.parameters() if p.grad is not None], 0.1).step()
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith("base.feature_extractor") for name in moved)
    assert any(name.startswith("base.encoder.layers.2") for name in moved) and "projection.weight" in moved
    first_layers = any(name.startswith(("base.encoder.layers.0", "base.feature_projection")) for name in moved)
    assert first_layers == (family == "wav2vec2")
    frozen = [module for name, module in net.base.named_modules() if name.startswith("feature_extractor")]
    assert frozen and not any(module.training for module in frozen)


def test_no_attention_maps_are_kept() -> None:
    net = encoder()
    seen: list[Any] = []
    net.base.encoder.register_forward_hook(lambda module, inputs, output: seen.append(output))
    net(noise(10))
    assert seen[0].attentions is None and seen[0].hidden_states is None


@pytest.mark.parametrize("n_frames", [1, 37.3, 100, CHUNK_FRAMES + OVERLAP_FRAMES])
def test_what_fits_a_chunk_is_encoded_whole(n_frames: float) -> None:
    net, samples = encoder(), noise(n_frames)[0]
    blocks = np.array_split(samples.numpy(), 7)
    pieces = torch.cat(list(net.stream(blocks)))
    with torch.no_grad():
        whole = net(net.standardise(samples[None]))[0]
    torch.testing.assert_close(pieces, whole)


def test_long_speech_comes_in_chunks_that_agree_with_the_whole() -> None:
    net = encoder()
    samples = noise(3 * CHUNK_FRAMES + 120)[0]
    pieces = list(net.stream(np.array_split(samples.numpy(), 50)))
    assert [len(piece) for piece in pieces[:-1]] == [CHUNK_FRAMES] * 3 and len(pieces[-1]) == 120
    with torch.no_grad():
        whole = net(net.standardise(samples[None]))[0]
    joined = torch.cat(pieces)
    similar = torch.nn.functional.cosine_similarity(joined - whole.mean(0), whole - whole.mean(0))
    assert similar.median() > 0.9  # an untrained network spreads its attention over everything it sees


@pytest.mark.parametrize("n_frames", [70, 1200])
@pytest.mark.parametrize("replicate", [False, True])
def test_speech_is_filled_up_to_whole_windows(n_frames: int, replicate: bool) -> None:
    net, samples = encoder(), noise(n_frames)[0].numpy()
    features = torch.cat(list(net.stream([samples], 100, replicate)))
    assert len(features) == -(-n_frames // 100) * 100
    if n_frames == 70:
        standard = net.standardise(torch.from_numpy(samples)[None])
        fill = standard[:, -1:] if replicate else torch.zeros(1, 1)
        with torch.no_grad():
            expected = net(torch.cat([standard, fill.expand(1, 30 * FRAME_SAMPLES)], 1))[0]
        torch.testing.assert_close(features, expected)
