"""One safetensors file: weights, configuration and motion space; written whole, read strictly, never pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from diffposetalk.config import from_dict, to_dict
from diffposetalk.diffusion.guidance import GUIDANCE_MODES, GuidanceMode, check_mode
from diffposetalk.diffusion.noise import ScheduleKind, Target, check_steps, check_target
from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError
from diffposetalk.files.atomic import HEADER_KEY, write_atomically
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tensor_files import header_lines, header_table, read_header
from diffposetalk.model.denoiser import Denoiser, DenoiserConfig
from diffposetalk.model.encoders import AnySpeechConfig, AnySpeechEncoder, build_speech_encoder
from diffposetalk.model.fitting import check_shapes, check_sizes, compare_shapes
from diffposetalk.model.style_encoder import StyleEncoder, StyleEncoderConfig
from diffposetalk.motion import IdentitySpace, MotionSpace
from diffposetalk.style import Style

if TYPE_CHECKING:
    from torch import Tensor, nn

Padding = Literal["features", "zero", "replicate"]
"""How a window that the speech does not fill is filled: zeros in place of features, or zero samples, or the last sample
repeated, encoded together with the speech."""
NETWORKS = ("speech_encoder", "denoiser", "style_encoder")
"""What a model is made of; the beginnings of its weights' names."""
MODEL_FORMAT = 2
"""Version written into model files; a reader refuses others."""


@dataclass(frozen=True)
class SamplingDefaults:
    """Sampling settings that suit this model best; options of a call override them."""

    speech_scale: float = 1.15
    """Guidance weight of speech."""
    style_scale: float = 1.5
    """Guidance weight of style."""
    steps: int = 10
    """Network evaluations a window, times the guidance passes."""
    guidance: GuidanceMode = "incremental"
    """How both scales combine (see `diffusion.guidance`): as conditions were dropped in training."""
    initial_noise: dict[str, float] = field(default_factory=dict)
    """Standard deviation of the noise a window starts from, by the beginning of channel names; 1 for the others. A
    small model underestimates how often rare events happen and how far slow ones go; wider noise makes up for it."""
    continue_motion: bool = True
    """Whether each prediction of a window is moved so that it goes on where the motion before it ended (see
    `generate.window.continued`); a model that was trained to join its windows needs no such help."""

    def __post_init__(self) -> None:
        check_mode(self.guidance, GUIDANCE_MODES)
        for name, value in self.initial_noise.items():
            if not 0 <= value < 10:
                raise UsageError(f"sampling: initial_noise of {name} must lie in 0 to 10, got {value}")


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to rebuild the networks of a model."""

    name: str
    """What `info` shows."""
    speech_encoder: AnySpeechConfig
    denoiser: DenoiserConfig
    style_encoder: StyleEncoderConfig | None = None
    """None for a model that comes without: it takes style vectors that were read elsewhere, or none at all."""
    schedule: ScheduleKind = "cosine"
    """Noise schedule it was trained on."""
    noise_steps: int = 500
    """Steps N of that schedule."""
    target: Target = "sample"
    """What the denoiser predicts: the clean window or the noise in it."""
    padding: Padding = "features"
    """What fills the last window after the speech's end, as in training."""
    sampling: SamplingDefaults = field(default_factory=SamplingDefaults)

    def __post_init__(self) -> None:
        check_target(self.target)
        check_steps(self.noise_steps)
        if self.padding not in get_args(Padding):
            raise UsageError(f"model: unknown padding {self.padding!r}; choose from {', '.join(get_args(Padding))}")
        speech, style, denoiser = self.speech_encoder, self.style_encoder, self.denoiser
        if denoiser.speech_dim != speech.dim:
            raise UsageError(
                f"model: the denoiser hears {denoiser.speech_dim} features, its encoder makes {speech.dim}"
            )
        if style is None:
            return
        if denoiser.style_dim not in (0, style.dim):
            raise UsageError(f"model: the denoiser takes styles of {denoiser.style_dim}, its encoder makes {style.dim}")
        if denoiser.style_dim and denoiser.motion_dim != style.motion_dim:
            raise UsageError("model: denoiser and style encoder disagree on motion_dim")


@dataclass(frozen=True)
class Model:
    """The networks of one model with the motion space they speak and the styles that came with it."""

    config: ModelConfig
    space: MotionSpace
    speech_encoder: AnySpeechEncoder
    denoiser: Denoiser
    style_encoder: StyleEncoder | None = None
    presets: Mapping[str, Style] = field(default_factory=dict)
    identity_space: IdentitySpace | None = None
    """How identity coefficients are normalised, where motion depends on them."""
    sources: tuple[str, ...] = ()
    """What the model learned from: one line for each source, with its licence; empty where unknown."""

    def __repr__(self) -> str:
        return f"Model({self.config.name!r}, {self.space}, {len(self.presets)} styles)"

    def __post_init__(self) -> None:
        if self.space.dim != self.config.denoiser.motion_dim:
            raise ModelError(
                f"model {self.config.name}: its motion space has {self.space.dim} channels, "
                f"its denoiser {self.config.denoiser.motion_dim}"
            )
        identity_dim = self.identity_space.dim if self.identity_space else 0
        if identity_dim != self.config.denoiser.identity_dim:
            raise ModelError(
                f"model {self.config.name}: statistics of {identity_dim} identity coefficients, "
                f"its denoiser takes {self.config.denoiser.identity_dim}"
            )

    @property
    def networks(self) -> dict[str, nn.Module]:
        """The networks by the name that prefixes their weights in the file."""
        networks: dict[str, nn.Module] = {"speech_encoder": self.speech_encoder, "denoiser": self.denoiser}
        if self.style_encoder is not None:
            networks["style_encoder"] = self.style_encoder
        return networks

    def save(self, path: str | Path) -> None:
        """Write the model as one file, atomically."""
        tensors = {
            f"{name}.{key}": value for name, network in self.networks.items() for key, value in weights(network).items()
        }
        import torch

        tensors |= {f"presets.{name}": torch.from_numpy(style.vector) for name, style in self.presets.items()}
        header = {
            "kind": "diffposetalk.model",
            "format_version": str(MODEL_FORMAT),
            "config": json.dumps(to_dict(self.config)),
            "motion_space": json.dumps(self.space.to_dict()),
            "identity_space": json.dumps(self.identity_space.to_dict() if self.identity_space else None),
            "presets": json.dumps({name: {"source": style.source} for name, style in self.presets.items()}),
            "sources": json.dumps(self.sources, ensure_ascii=False),
        }
        write_tensors(path, tensors, header)


def build_model(config: ModelConfig, space: MotionSpace, identity_space: IdentitySpace | None = None) -> Model:
    """Return a model with freshly initialised weights."""
    return Model(
        config,
        space,
        build_speech_encoder(config.speech_encoder),
        Denoiser(config.denoiser),
        StyleEncoder(config.style_encoder) if config.style_encoder else None,
        identity_space=identity_space,
    )


def load_model(path: str | Path) -> Model:
    """Read a model written by `Model.save`; its networks are in evaluation mode.

    Raises:
        ModelError: the file is missing, not a model, of another format, or a weight is missing, surplus or misshapen.
    """
    with parsing(path, "model file"):
        return _loaded(path)


def _loaded(path: str | Path) -> Model:
    header, shapes = _header_of(path, "diffposetalk.model")
    version = int(header.get("format_version", 0))
    if version > MODEL_FORMAT:
        raise ModelError(f"{path}: model format {version} is newer than this program reads; update it")
    if version < MODEL_FORMAT:
        raise ModelError(f"{path}: was written by an earlier version; make it again with `convert` or `train`")
    settings = header_table(path, header, "config")
    check_sizes(settings, shapes, path)
    try:
        config = from_dict(ModelConfig, settings, f"{path}: config")
        people = json.loads(header.get("identity_space", "null"))
        spaces = (
            MotionSpace.from_dict(header_table(path, header, "motion_space")),
            IdentitySpace.from_dict(people) if people else None,
        )
        by_network = {
            name: {key.removeprefix(f"{name}."): shape for key, shape in shapes.items() if key.startswith(f"{name}.")}
            for name in NETWORKS
        }
        check_shapes(lambda: build_model(config, *spaces).networks, by_network, path)
        model = build_model(config, *spaces)
    except DiffPoseTalkError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
    tensors, _ = read_tensors(path, "diffposetalk.model")
    for name, network in model.networks.items():
        load_weights(
            network, {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}, path
        )
        network.eval().requires_grad_(False)
    known = (*(f"{name}." for name in model.networks), "presets.")
    surplus = [key for key in tensors if not key.startswith(known)]
    if surplus:
        raise ModelError(f"{path}: the weight {surplus[0]!r} belongs to no network of this model")
    encoder = fingerprint(model.style_encoder) if model.style_encoder else ""
    presets = {}
    for name, values in header_table(path, header, "presets").items():
        if f"presets.{name}" not in tensors:
            raise ModelError(f"{path}: the preset {name!r} has no vector")
        presets[name] = Style(tensors[f"presets.{name}"].numpy(), encoder, str(values["source"]))
    return replace(model, presets=presets, sources=header_lines(path, header, "sources"))


def fingerprint(network: nn.Module) -> str:
    """Return a short hash of a network's weights, by which a style names the encoder that made it."""
    digest = hashlib.sha256()
    for key, value in sorted(weights(network).items()):
        digest.update(key.encode())
        digest.update(value.float().numpy().tobytes())
    return digest.hexdigest()[:16]


def weights(network: nn.Module) -> dict[str, Tensor]:
    """Return a network's state on the CPU, contiguous, as files want it."""
    return {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], where: str | Path) -> None:
    """Put tensors into a network, strictly.

    Raises:
        ModelError: a weight is missing, surplus or misshapen; the message names the file and the key.
    """
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    compare_shapes(expected, {key: tuple(value.shape) for key, value in tensors.items()}, where)
    network.load_state_dict(dict(tensors), strict=True)


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], header: dict[str, str]) -> None:
    """Write tensors with a header of strings as safetensors, atomically; same content, same bytes."""
    from safetensors.torch import save

    write_atomically(path, save(dict(tensors), {HEADER_KEY: json.dumps(header, sort_keys=True)}))


def header_kind(path: str | Path) -> str:
    """Return what a safetensors file's header calls itself; empty where it is not a file of ours."""
    try:
        return str(read_header(path, "file")[0].get("kind", ""))
    except InputError:
        return ""


def _header_of(path: str | Path, kind: str) -> tuple[dict[str, Any], dict[str, tuple[int, ...]]]:
    """Return header and shapes of a file of that kind.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
    """
    try:
        header, shapes = read_header(path, f"file of the kind {kind}")
    except InputError as error:
        raise ModelError(str(error)) from None
    if header.get("kind") != kind:
        raise ModelError(f"{path}: expected a {kind} file, this is {header.get('kind', 'another safetensors')}")
    return header, shapes


def read_tensors(path: str | Path, kind: str, only: Iterable[str] = ()) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a safetensors file and its header.

    Args:
        path: the file.
        kind: what the header must call itself.
        only: prefixes of the keys to read; empty for all keys.

    Raises:
        ModelError: the file is missing, damaged or of another kind.
    """
    from safetensors import safe_open

    header, shapes = _header_of(path, kind)
    prefixes = tuple(only)
    with parsing(path, f"file of the kind {kind}"), safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in shapes if not prefixes or key.startswith(prefixes)}, header
