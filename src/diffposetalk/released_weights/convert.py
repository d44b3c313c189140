"""The authors' checkpoints -> our model files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from diffposetalk.config import to_dict
from diffposetalk.data.flame_statistics import Statistics
from diffposetalk.diffusion.noise import NoiseSchedule
from diffposetalk.errors import DiffPoseTalkError, ModelError, UsageError
from diffposetalk.files.parsing import parsing
from diffposetalk.model.checkpoint import Model, build_model, load_weights
from diffposetalk.model.configs import (
    DenoiserConfig,
    ModelConfig,
    PretrainedSpeechConfig,
    SamplingDefaults,
    StyleEncoderConfig,
)
from diffposetalk.model.fitting import check_shapes, check_sizes
from diffposetalk.model.style_encoder import StyleEncoder
from diffposetalk.model.style_reader import StyleReader
from diffposetalk.motion import IdentitySpace, MotionSpace, flame_channels
from diffposetalk.released_weights.files import ReleasedCheckpoint, read_released, speech_architecture
from diffposetalk.released_weights.keys import Mapped, map_denoiser, map_style_encoder

CONDITIONS: tuple[tuple[Literal["speech", "style"], str], ...] = (("speech", "audio"), ("style", "style"))
"""Names of what guidance may leave out: ours and theirs."""
FPS = 25.0
"""Motion frames per second; the speech encoder makes two features for each frame."""
IDENTITY_DIM = 100
"""Shape coefficients of FLAME that every released denoiser takes."""
N_EXPRESSION = 50
"""Expression coefficients, where neither options nor statistics tell."""
SIZES = (
    "feature_dim",
    "n_layers",
    "n_heads",
    "mlp_ratio",
    "n_motions",
    "n_prev_motions",
    "n_diff_steps",
    "align_mask_width",
)
"""Options that say how large a network is."""
SAMPLING = SamplingDefaults(speech_scale=1.15, style_scale=3.0, steps=10, continue_motion=False)
"""The authors' guidance; the number of steps is for the fast sampler, which they do not have."""


@dataclass(frozen=True)
class Conversion:
    """A converted model and what became of every key."""

    model: Model | StyleReader
    mapped: tuple[Mapped, ...]
    """Of each file read."""


def convert(
    path: str | Path,
    statistics: Statistics | None = None,
    style_encoder: str | Path | None = None,
    speech_config: str | Path | None = None,
) -> Conversion:
    """Convert a released checkpoint; every weight must find its place.

    Args:
        path: a denoiser's or a style encoder's ``.pt`` file.
        statistics: of the training data. Needed if the training used some; without them the motion would be far too large.
        style_encoder: for a denoiser, the style encoder's ``.pt`` file that goes with it.
        speech_config: for a denoiser, the configuration of its speech encoder; None for the file beside it, or base
            size.

    Raises:
        InputError: a file cannot be read.
        ModelError: it is not a checkpoint of the authors', or contradicts its options or the statistics.
    """
    checkpoint = read_released(path)
    if checkpoint.kind == "style encoder":
        if style_encoder is not None:
            raise ModelError(f"{path}: is a style encoder itself; --style-encoder goes with a denoiser")
        return converted_style_encoder(checkpoint, statistics)
    conversion = converted_denoiser(checkpoint, statistics, speech_config)
    if style_encoder is None:
        return conversion
    other = read_released(style_encoder)
    if other.kind != "style encoder":
        raise ModelError(f"{style_encoder}: is a {other.kind}, not a style encoder")
    style = converted_style_encoder(other, statistics)
    model = conversion.model
    assert isinstance(model, Model) and isinstance(style.model, StyleReader)
    try:
        config = replace(model.config, style_encoder=style.model.encoder.config)
    except DiffPoseTalkError as error:
        raise ModelError(f"{style_encoder} does not go with {path}: {error}") from None
    whole = Model(**{**model.__dict__, "config": config, "style_encoder": style.model.encoder})
    return Conversion(whole, (*conversion.mapped, *style.mapped))


def converted_denoiser(
    checkpoint: ReleasedCheckpoint, statistics: Statistics | None = None, speech_config: str | Path | None = None
) -> Conversion:
    """Convert a denoiser that has been read; see `convert`."""
    with parsing(checkpoint.path, "checkpoint"):
        return _denoiser(checkpoint, statistics, speech_config)


def _check_supported(checkpoint: ReleasedCheckpoint) -> None:
    """Refuse options that a converted model would not follow, and sizes beyond what the weights can fill."""
    for name, known in (("architecture", "decoder"), ("rot_repr", "aa"), ("fps", FPS)):
        value = checkpoint.option(name, known)
        if value != known:
            raise ModelError(f"{checkpoint.path}: {name} {value!r:.60} is not supported, only {known!r}")
    settings = {name: checkpoint.option(name) for name in SIZES}
    check_sizes(settings, {key: tuple(value.shape) for key, value in checkpoint.weights.items()}, checkpoint.path)


def _denoiser(
    checkpoint: ReleasedCheckpoint, statistics: Statistics | None, speech_config: str | Path | None
) -> Conversion:
    get, weights = checkpoint.needed, checkpoint.weights
    _check_supported(checkpoint)
    dim = int(get("feature_dim"))
    motion_dim = _width(checkpoint, "start_motion_feat", -1)
    style_dim = _width(checkpoint, "denoising_net.person_proj.weight", 1) - IDENTITY_DIM
    if style_dim < 0:
        raise ModelError(
            f"{checkpoint.path}: 'denoising_net.person_proj.weight' takes fewer than {IDENTITY_DIM} numbers"
        )
    guided = {word.strip() for word in str(checkpoint.option("guiding_conditions") or "").split(",")}
    denoiser = DenoiserConfig(
        motion_dim=motion_dim,
        speech_dim=dim,
        style_dim=style_dim,
        identity_dim=IDENTITY_DIM,
        dim=dim,
        **_sizes(checkpoint),
        context=int(get("n_prev_motions")),
        align_width=_align_width(checkpoint),
        valid_indicator=bool(checkpoint.option("use_indicator")),
        out_hidden=_width(checkpoint, "denoising_net.motion_dec.0.weight", 0),
        droppable=tuple(ours for ours, theirs in CONDITIONS if theirs in guided),
    )
    try:
        config = ModelConfig(
            str(checkpoint.option("exp_name") or checkpoint.path.stem),
            PretrainedSpeechConfig(dim, speech_architecture(checkpoint, speech_config)),
            denoiser,
            schedule=get("diff_schedule"),
            noise_steps=int(get("n_diff_steps")),
            target=get("target"),
            padding=checkpoint.option("pad_mode", "zero"),
            sampling=replace(SAMPLING, guidance=checkpoint.option("cfg_mode") or "incremental"),
        )
        schedule = NoiseSchedule.make(config.schedule, config.noise_steps)
        mapped = map_denoiser(weights, denoiser, schedule, checkpoint.path)
        spaces = motion_spaces(checkpoint, statistics, motion_dim)
        shapes = {
            name: {key: tuple(value.shape) for key, value in mapped.of(name).items()}
            for name in ("speech_encoder", "denoiser")
        }
        check_sizes(to_dict(config), shapes["speech_encoder"] | shapes["denoiser"], checkpoint.path)
        check_shapes(lambda: build_model(config, *spaces).networks, shapes, checkpoint.path)
        model = build_model(config, *spaces)
    except DiffPoseTalkError as error:
        raise ModelError(str(error) if str(checkpoint.path) in str(error) else f"{checkpoint.path}: {error}") from None
    for name, network in model.networks.items():
        load_weights(network, mapped.of(name), f"{checkpoint.path} ({name})")
        network.eval().requires_grad_(False)
    return Conversion(model, (mapped,))


def _sizes(checkpoint: ReleasedCheckpoint) -> dict[str, Any]:
    """Return the sizes of a transformer by the names of our configurations."""
    theirs = {"n_layers": "n_layers", "n_heads": "n_heads", "feed_forward_factor": "mlp_ratio", "window": "n_motions"}
    return {ours: int(checkpoint.needed(name)) for ours, name in theirs.items()}


def converted_style_encoder(checkpoint: ReleasedCheckpoint, statistics: Statistics | None = None) -> Conversion:
    """Convert a style encoder that has been read; see `convert`."""
    with parsing(checkpoint.path, "checkpoint"):
        return _style_encoder(checkpoint, statistics)


def _style_encoder(checkpoint: ReleasedCheckpoint, statistics: Statistics | None) -> Conversion:
    _check_supported(checkpoint)
    motion_dim = _width(checkpoint, "motion_proj.weight", 1)
    try:
        config = StyleEncoderConfig(
            motion_dim=motion_dim,
            dim=int(checkpoint.needed("feature_dim")),
            **_sizes(checkpoint),
            pre_norm=False,
            pooling="mean",
            positions="length",
        )
    except UsageError as error:
        raise ModelError(f"{checkpoint.path}: {error}") from None
    mapped = map_style_encoder(checkpoint.weights, checkpoint.path)
    shapes = {key: tuple(value.shape) for key, value in mapped.of("style_encoder").items()}
    check_shapes(lambda: {"style_encoder": StyleEncoder(config)}, {"style_encoder": shapes}, checkpoint.path)
    encoder = StyleEncoder(config)
    load_weights(encoder, mapped.of("style_encoder"), checkpoint.path)
    space, _ = motion_spaces(checkpoint, statistics, motion_dim)
    return Conversion(StyleReader(encoder.eval().requires_grad_(False), space), (mapped,))


def motion_spaces(
    checkpoint: ReleasedCheckpoint, statistics: Statistics | None, motion_dim: int
) -> tuple[MotionSpace, IdentitySpace]:
    """Return the motion and the identity space that a released network was trained in.

    Args:
        checkpoint: names, in its options, whether statistics were used and whether the head was.
        statistics: of the training data.
        motion_dim: width D of the motion vector in the weights.

    Raises:
        ModelError: statistics are missing, or of other widths than the network.
    """
    import numpy as np

    without = checkpoint.option("no_head_pose")
    if without is None:  # said by neither generation's name
        without = motion_dim == (statistics.widths["exp"] if statistics else N_EXPRESSION) + 1
    head_pose = not without
    n_expression = motion_dim - (4 if head_pose else 1)
    channels = flame_channels(n_expression, head_pose)
    if statistics is None:
        if checkpoint.option("stats_file") is not None:
            name = Path(str(checkpoint.option("stats_file"))).name
            raise ModelError(
                f"{checkpoint.path}: was trained with the statistics {name}; give that file with --stats; without it "
                "the motion would be far too large"
            )
        unit = np.zeros(motion_dim), np.ones(motion_dim)
        return MotionSpace("flame", FPS, channels, *unit), IdentitySpace(np.zeros(IDENTITY_DIM), np.ones(IDENTITY_DIM))
    widths = {"exp": n_expression, "shape": IDENTITY_DIM}
    for group, width in widths.items():
        if statistics.widths[group] != width:
            raise ModelError(
                f"{statistics.where}: {group}_mean has {statistics.widths[group]} numbers, {checkpoint.path} was "
                f"trained on {width}"
            )
    pose = slice(0, 4) if head_pose else slice(3, 4)
    mean = np.concatenate([statistics["exp_mean"], statistics["pose_mean"][pose]])
    std = np.concatenate([statistics.divisor("exp"), statistics.divisor("pose")[pose]])
    rest = tuple(float(value) for value in statistics["pose_mean"][4:6])
    space = MotionSpace("flame", FPS, channels, mean, std, rest)  # type: ignore[arg-type]
    return space, statistics.identity_space()


def _align_width(checkpoint: ReleasedCheckpoint) -> int:
    """Return the alignment mask's width, from the mask itself where the options do not say."""
    width = checkpoint.option("align_mask_width")
    if width is not None:
        return int(width)
    mask = checkpoint.weights.get("denoising_net.alignment_mask")
    return 0 if mask is None else int((~mask[1].bool()).sum())


def _width(checkpoint: ReleasedCheckpoint, key: str, axis: int) -> int:
    if key not in checkpoint.weights:
        raise ModelError(f"{checkpoint.path}: the weight {key!r} is missing")
    shape = checkpoint.weights[key].shape
    if len(shape) < 2:
        raise ModelError(f"{checkpoint.path}: the weight {key!r} is {tuple(shape)}")
    return int(shape[axis])
