"""One safetensors file: weights, configuration and motion space; written whole, read strictly, never pickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.config import from_dict, to_dict
from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError
from diffposetalk.files.atomic import HEADER_KEY, write_atomically
from diffposetalk.files.parsing import parsing
from diffposetalk.files.tensor_files import header_lines, header_table, read_header
from diffposetalk.model.configs import ModelConfig, SamplingDefaults
from diffposetalk.model.fitting import check_shapes, check_sizes, compare_shapes
from diffposetalk.model.networks import arrays_of
from diffposetalk.motion import IdentitySpace, MotionSpace
from diffposetalk.style import Style

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Model", "ModelConfig", "ModelFile", "SamplingDefaults", "build_model", "load_model", "read_model_file"]

NETWORKS = ("speech_encoder", "denoiser", "style_encoder")
"""What a model is made of; the beginnings of its weights' names."""
MODEL_KIND = "diffposetalk.model"
"""What the header of a model file calls itself."""
MODEL_FORMAT = 2
"""Version written into model files; a reader refuses others."""


@dataclass(frozen=True)
class Model:
    """The networks of one model with the motion space they speak and the styles that came with it.

    The networks run by torch (`load_model`) or by onnxruntime (`model.onnx.load_onnx_model`); see `model.networks`.
    """

    config: ModelConfig
    space: MotionSpace
    speech_encoder: Any
    denoiser: Any
    style_encoder: Any = None
    presets: Mapping[str, Style] = field(default_factory=dict)
    identity_space: IdentitySpace | None = None
    """How identity coefficients are normalised, where motion depends on them."""
    sources: tuple[str, ...] = ()
    """What the model learned from: one line for each source, with its licence; empty where unknown."""

    def __repr__(self) -> str:
        return f"Model({self.config.name!r}, {self.space}, {len(self.presets)} styles)"

    def __post_init__(self) -> None:
        check_dims(self.config, self.space, self.identity_space)

    @property
    def networks(self) -> dict[str, Any]:
        """The networks by the name that prefixes their weights in the file."""
        networks = {"speech_encoder": self.speech_encoder, "denoiser": self.denoiser}
        if self.style_encoder is not None:
            networks["style_encoder"] = self.style_encoder
        return networks

    def save(self, path: str | Path) -> None:
        """Write the model as one file, atomically."""
        arrays = {
            f"{name}.{key}": value for name, net in self.networks.items() for key, value in arrays_of(net).items()
        }
        arrays |= {f"presets.{name}": style.vector for name, style in self.presets.items()}
        header = {
            "kind": MODEL_KIND,
            "format_version": str(MODEL_FORMAT),
            "config": json.dumps(to_dict(self.config)),
            "motion_space": json.dumps(self.space.to_dict()),
            "identity_space": json.dumps(self.identity_space.to_dict() if self.identity_space else None),
            "presets": json.dumps({name: {"source": style.source} for name, style in self.presets.items()}),
            "sources": json.dumps(self.sources, ensure_ascii=False),
        }
        from safetensors.numpy import save

        write_atomically(path, save(arrays, {HEADER_KEY: json.dumps(header, sort_keys=True)}))


def check_dims(config: ModelConfig, space: MotionSpace, identity_space: IdentitySpace | None) -> None:
    """Raise a `ModelError` unless the spaces fit the networks."""
    if space.dim != config.denoiser.motion_dim:
        raise ModelError(
            f"model {config.name}: its motion space has {space.dim} channels, its denoiser {config.denoiser.motion_dim}"
        )
    identity_dim = identity_space.dim if identity_space else 0
    if identity_dim != config.denoiser.identity_dim:
        raise ModelError(
            f"model {config.name}: statistics of {identity_dim} identity coefficients, "
            f"its denoiser takes {config.denoiser.identity_dim}"
        )


@dataclass(frozen=True)
class ModelFile:
    """What a model file holds: settings, and weights as numpy arrays."""

    path: Path
    config: ModelConfig
    space: MotionSpace
    identity_space: IdentitySpace | None
    presets: Mapping[str, Style]
    sources: tuple[str, ...]
    networks: Mapping[str, Mapping[str, np.ndarray]]
    """Weights by network and by name."""

    def model(self, networks: Mapping[str, Any]) -> Model:
        """Return the model with these networks, which hold its weights."""
        parts = {name: networks.get(name) for name in NETWORKS}
        rest = {"presets": self.presets, "identity_space": self.identity_space, "sources": self.sources}
        return Model(self.config, self.space, **parts, **rest)  # type: ignore[arg-type]


def build_model(config: ModelConfig, space: MotionSpace, identity_space: IdentitySpace | None = None) -> Model:
    """Return a model with freshly initialised weights, by torch."""
    return Model(config, space, **_built(config), identity_space=identity_space)


def _built(config: ModelConfig) -> dict[str, Any]:
    """Return freshly initialised networks by name."""
    from diffposetalk.model.denoiser import Denoiser
    from diffposetalk.model.encoders import build_speech_encoder
    from diffposetalk.model.style_encoder import StyleEncoder

    networks: dict[str, Any] = {
        "speech_encoder": build_speech_encoder(config.speech_encoder),
        "denoiser": Denoiser(config.denoiser),
    }
    if config.style_encoder:
        networks["style_encoder"] = StyleEncoder(config.style_encoder)
    return networks


def load_model(path: str | Path) -> Model:
    """Read a model written by `Model.save`, to run by torch; its networks are in evaluation mode.

    Raises:
        ModelError: the file is missing, not a model, of another format, or a weight is missing, surplus or misshapen.
    """
    with parsing(path, "model file"):
        return torch_model(read_model_file(path))


def torch_model(file: ModelFile) -> Model:
    """Return the model of a file that has been read, to run by torch; errors as for `load_model`."""
    import torch

    shapes = {name: {key: value.shape for key, value in arrays.items()} for name, arrays in file.networks.items()}
    try:
        check_shapes(lambda: _built(file.config), shapes, file.path)
        networks = _built(file.config)
    except DiffPoseTalkError as error:
        raise ModelError(str(error) if str(file.path) in str(error) else f"{file.path}: {error}") from None
    for name, network in networks.items():
        tensors = {key: torch.from_numpy(value) for key, value in file.networks[name].items()}
        load_weights(network, tensors, file.path)
        network.eval().requires_grad_(False)
    return file.model(networks)


def read_model_file(path: str | Path) -> ModelFile:
    """Read a model written by `Model.save`: its settings and its weights, which are not yet compared with the settings.

    Raises:
        ModelError: the file is missing, not a model or of another format, or its settings contradict each other.
    """
    with parsing(path, "model file"):
        header, shapes = _header_of(path, MODEL_KIND)
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
            space = MotionSpace.from_dict(header_table(path, header, "motion_space"))
            identity_space = IdentitySpace.from_dict(people) if people else None
            check_dims(config, space, identity_space)
        except DiffPoseTalkError as error:
            raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from None
        arrays = read_arrays(path)
    names = NETWORKS if config.style_encoder else NETWORKS[:2]
    known = (*(f"{name}." for name in names), "presets.")
    surplus = [key for key in arrays if not key.startswith(known)]
    if surplus:
        raise ModelError(f"{path}: the weight {surplus[0]!r} belongs to no network of this model")
    networks = {name: _part(arrays, name) for name in names}
    encoder = fingerprint_of(networks["style_encoder"]) if config.style_encoder else ""
    presets = {}
    for name, values in header_table(path, header, "presets").items():
        if f"presets.{name}" not in arrays:
            raise ModelError(f"{path}: the preset {name!r} has no vector")
        presets[name] = Style(arrays[f"presets.{name}"], encoder, str(values["source"]))
    sources = header_lines(path, header, "sources")
    return ModelFile(Path(path), config, space, identity_space, presets, sources, networks)


def _part(values: Mapping[str, Any], network: str) -> dict[str, Any]:
    """Return the entries of one network, by their names in it."""
    start = f"{network}."
    return {key.removeprefix(start): value for key, value in values.items() if key.startswith(start)}


def fingerprint(network: Any) -> str:
    """Return a short hash of a network's weights, by which a style names the encoder that made it."""
    return fingerprint_of(arrays_of(network))


def fingerprint_of(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the `fingerprint` of a network with these weights."""
    digest = hashlib.sha256()
    for key, value in sorted(arrays.items()):
        digest.update(key.encode())
        digest.update(value.astype(np.float32).tobytes())
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


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Read the tensors of a safetensors file as numpy arrays."""
    from safetensors.numpy import load_file

    return {key: value.astype(np.float32) for key, value in load_file(path).items()}


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
