"""Measures of motion: pure functions on numpy arrays. Each variant of a measure has its own name.

`Curves` describe a face without a mesh, so that systems with different meshes compare; ``lips`` measures them on a head.
``closures``: lips on p, b, m. ``timing``: shifts and misalignment. ``agreement``: errors and correlations. ``head``: head
motion and beats. ``distributions``: how alike many frames or clips are. ``samples``: several samples for one input.
``manner``: how somebody speaks. ``vertices``: meshes against captured meshes. ``seams``: joins between windows.
``phones``: what is heard against what is said. ``intervals``: how certain a figure is. docs/metrics.md has the formulas.
"""

from diffposetalk.metrics.agreement import (
    channel_error,
    concordance_correlation,
    lip_intensity,
    lip_intensity_of_vertices,
    mean_squared_error,
    pearson_correlation,
    speech_intensity,
    speech_lip_correlation,
)
from diffposetalk.metrics.closures import (
    BilabialClosures,
    Closures,
    bilabial_closures,
    bilabial_frames,
    closing_time,
    closure_limit,
    closures,
)
from diffposetalk.metrics.curves import (
    Curves,
    smoothed,
    standardised,
)
from diffposetalk.metrics.distributions import (
    ClusterEntropy,
    clip_features,
    cluster_entropy,
    coverage,
    frechet_distance,
    motion_features,
    wasserstein_distance,
)
from diffposetalk.metrics.head import (
    beat_alignment,
    beat_alignment_chance,
    beat_alignment_skill,
    centred_head,
    head_angular_speed,
    head_beats,
    head_features,
    mean_head_step,
    speech_beats,
)
from diffposetalk.metrics.intervals import (
    Interval,
    bootstrap_interval,
    paired_interval,
    run_interval,
)
from diffposetalk.metrics.manner import (
    blink_frames,
    curve_statistics,
    manner_statistics,
    nearest_centroid,
    retrieval_accuracy,
    statistics_correlation,
    statistics_retrieval,
)
from diffposetalk.metrics.phones import (
    PhoneCounts,
    phone_counts,
)
from diffposetalk.metrics.samples import (
    SampleFigures,
    diversity,
    energy_score,
    energy_score_fair,
    head_diversity,
    lips_mm,
    upper_face_mm,
)
from diffposetalk.metrics.scores.clip import (
    score,
)
from diffposetalk.metrics.scores.data_set import (
    Take,
    closure_limit_of,
    score_set,
)
from diffposetalk.metrics.scores.measures import (
    CLIP_MEASURES,
    SET_MEASURES,
    Measure,
    Scores,
)
from diffposetalk.metrics.seams import (
    Seams,
    seams,
)
from diffposetalk.metrics.timing.correlation import (
    LagCorrelation,
    lag_correlation,
)
from diffposetalk.metrics.timing.misalignment import (
    Misalignment,
    temporal_misalignment,
)
from diffposetalk.metrics.timing.sound_offset import (
    ClosureOffset,
    Lag,
    combined_lag,
    lag_of_curves,
    offset_of_closures,
)
from diffposetalk.metrics.vertices import (
    UpperFaceDeviation,
    lip_vertex_error_max,
    lip_vertex_error_root,
    lip_vertex_error_squared,
    mean_gap,
    mouth_opening_difference,
    mouth_opening_difference_rms,
    upper_face_deviation,
)

__all__ = [
    "CLIP_MEASURES",
    "SET_MEASURES",
    "BilabialClosures",
    "ClosureOffset",
    "Closures",
    "ClusterEntropy",
    "Curves",
    "Interval",
    "Lag",
    "LagCorrelation",
    "Measure",
    "Misalignment",
    "PhoneCounts",
    "SampleFigures",
    "Scores",
    "Seams",
    "Take",
    "UpperFaceDeviation",
    "beat_alignment",
    "beat_alignment_chance",
    "beat_alignment_skill",
    "bilabial_closures",
    "bilabial_frames",
    "blink_frames",
    "bootstrap_interval",
    "centred_head",
    "channel_error",
    "clip_features",
    "closing_time",
    "closure_limit",
    "closure_limit_of",
    "closures",
    "cluster_entropy",
    "combined_lag",
    "concordance_correlation",
    "coverage",
    "curve_statistics",
    "diversity",
    "energy_score",
    "energy_score_fair",
    "frechet_distance",
    "head_angular_speed",
    "head_beats",
    "head_diversity",
    "head_features",
    "lag_correlation",
    "lag_of_curves",
    "lip_intensity",
    "lip_intensity_of_vertices",
    "lip_vertex_error_max",
    "lip_vertex_error_root",
    "lip_vertex_error_squared",
    "lips_mm",
    "manner_statistics",
    "mean_gap",
    "mean_head_step",
    "mean_squared_error",
    "motion_features",
    "mouth_opening_difference",
    "mouth_opening_difference_rms",
    "nearest_centroid",
    "offset_of_closures",
    "paired_interval",
    "pearson_correlation",
    "phone_counts",
    "retrieval_accuracy",
    "run_interval",
    "score",
    "score_set",
    "seams",
    "smoothed",
    "speech_beats",
    "speech_intensity",
    "speech_lip_correlation",
    "standardised",
    "statistics_correlation",
    "statistics_retrieval",
    "temporal_misalignment",
    "upper_face_deviation",
    "upper_face_mm",
    "wasserstein_distance",
]
