"""Table of the measures that `score` and `score_set` compute: name, unit, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Aim = Literal["higher", "lower", "truth", "zero", "one"]
"""Better is higher, lower, nearer to the figure of the captured motion, nearer to 0, or nearer to 1."""


@dataclass(frozen=True)
class Measure:
    """Name, unit and aim of a figure."""

    title: str
    """Short name for tables."""
    unit: str
    """Unit; empty for pure numbers."""
    aim: Aim
    """Which direction is better."""
    of_truth: bool = False
    """Whether the captured motion has a figure of its own, which is then given, too."""


CLIP_MEASURES: dict[str, Measure] = {
    "mod_mm": Measure("MOD", "mm", "lower"),
    "mod_rms_mm": Measure("MOD, root mean square", "mm", "lower"),
    "gap_pearson": Measure("L-PCC of the gap", "", "higher"),
    "gap_concordance": Measure("L-CCC of the gap", "", "higher"),
    "gap_spread_ratio": Measure("spread of the gap over the captured one", "", "one"),
    "sync_r": Measure("r of the gap at its best lag", "", "higher"),
    "sync_lag_ms": Measure("best lag of the gap", "ms", "zero"),
    "mtm_ms": Measure("MTM", "ms", "lower"),
    "mtm_joined": Measure("extrema that MTM joins", "", "higher"),
    "bcs": Measure("bilabial closure score", "%", "truth", True),
    "closure_precision": Measure("closure precision", "%", "higher", True),
    "false_closures": Measure("closures that are none", "%", "lower", True),
    "sound_offset_ms": Measure("lips against sound, by closures", "ms", "truth", True),
    "channel_mse": Measure("MSE of mouth channels", "", "lower"),
    "upper_face_spread_mm": Measure("spread of the upper face, captured minus generated", "mm", "zero"),
    "head_step_deg": Measure("head angle between frames", "deg", "truth", True),
    "beats_truth": Measure("head beats against captured head", "", "higher"),
    "beats_truth_skill": Measure("the same above chance", "", "higher"),
    "beats_speech": Measure("head beats against speech", "", "truth", True),
    "beats_speech_skill": Measure("the same above chance", "", "truth", True),
    "energy_lips_mm": Measure("energy score of the lips", "mm", "lower"),
    "energy_head_deg": Measure("energy score of the head", "deg", "lower"),
    "diversity_lips_mm": Measure("diversity of the lips", "mm", "higher"),
    "diversity_upper_face_mm": Measure("diversity of the upper face", "mm", "higher"),
    "diversity_head_deg": Measure("diversity of the head", "deg", "higher"),
}
"""Measures of one clip."""

SET_MEASURES: dict[str, Measure] = {
    "bcs": Measure("bilabial closure score", "%", "truth", True),
    "closure_precision": Measure("closure precision", "%", "higher", True),
    "false_closures": Measure("closures that are none", "%", "lower", True),
    "sync_r": Measure("r of the gap at its best lag", "", "higher"),
    "sync_lag_ms": Measure("best lag of the gap", "ms", "zero"),
    "slcc": Measure("SLCC", "", "truth", True),
    "frechet_lips": Measure("Frechet distance of the lips and their speed", "", "lower"),
    "frechet_head": Measure("Frechet distance of the head and its speed", "", "lower"),
    "frechet_channels": Measure("Frechet distance of mouth channels and their speed", "", "lower"),
    "wasserstein_lips_mm": Measure("Wasserstein distance of the lips", "mm", "lower"),
    "wasserstein_head_deg": Measure("Wasserstein distance of the head", "deg", "lower"),
    "wasserstein_channels": Measure("Wasserstein distance of mouth channels", "", "lower"),
    "coverage": Measure("coverage of clips", "", "higher"),
    "entropy_lips_deficit": Measure("entropy of lip clusters, captured minus generated", "bit", "zero"),
    "entropy_head_deficit": Measure("entropy of head clusters, captured minus generated", "bit", "zero"),
    "style_retrieval": Measure("speaker found by statistics", "", "higher", True),
    "style_correlation": Measure("correlation of statistics over clips", "", "higher"),
}
"""Measures of a set of clips together."""

TRUTH_SUFFIX, MEAN_SUFFIX, BEST_SUFFIX = "_of_truth", "_mean", "_best"
"""Ends of names: the captured figure; the mean over samples; the best sample. Without an end: the first sample."""
MANY_SAMPLES = ("energy_", "diversity_")
"""Beginnings of measures that look at all samples together."""


@dataclass(frozen=True)
class Scores:
    """Figures, and why others are missing."""

    values: dict[str, float]
    """Figure by name: the names of `CLIP_MEASURES` or `SET_MEASURES`, some with `TRUTH_SUFFIX`, `MEAN_SUFFIX` or
    `BEST_SUFFIX`."""
    absent: dict[str, str]
    """Name of each measure that could not be computed, and why."""
