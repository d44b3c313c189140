"""Every baseline by its kind."""

from __future__ import annotations

from typing import Any, TypeAlias

from diffposetalk.workshop.baselines.artalk import ArTalk, ArTalkConfig
from diffposetalk.workshop.baselines.codetalker import CodeTalker, CodeTalkerConfig
from diffposetalk.workshop.baselines.facediffuser import FaceDiffuser, FaceDiffuserConfig
from diffposetalk.workshop.baselines.faceformer import FaceFormer, FaceFormerConfig
from diffposetalk.workshop.baselines.floors.linear import LinearConfig, LinearMap
from diffposetalk.workshop.baselines.floors.phonemes import Phonemes, PhonemesConfig
from diffposetalk.workshop.baselines.network import Baseline, Widths
from diffposetalk.workshop.baselines.yi import Yi, YiConfig

AnyBaselineConfig: TypeAlias = (
    FaceFormerConfig | CodeTalkerConfig | FaceDiffuserConfig | YiConfig | ArTalkConfig | LinearConfig | PhonemesConfig
)
BASELINES: dict[str, type[Any]] = {
    "faceformer": FaceFormer,
    "codetalker": CodeTalker,
    "facediffuser": FaceDiffuser,
    "yi": Yi,
    "artalk": ArTalk,
    "linear": LinearMap,
    "phonemes": Phonemes,
}
"""Network of each ``kind`` of configuration."""


def baseline_class(config: AnyBaselineConfig) -> type[Baseline]:
    """Return the network's class of a configuration."""
    return BASELINES[config.kind]


def build_baseline(config: AnyBaselineConfig, widths: Widths) -> Baseline:
    """Return a network with fresh weights."""
    network: Baseline = BASELINES[config.kind](config, widths)
    return network
