"""How motion is measured: pure functions on numpy arrays, every variant of a measure under a name of its own.

``vertices`` measures meshes against captured meshes, ``curves`` one or more curves over time (lips, lids,
head, joins between windows), ``manner`` how somebody speaks and how far samples differ, ``phones`` what is
heard against what is said.
"""

from diffposetalk.metrics.curves import (
    Closures,
    LagCorrelation,
    Seams,
    beat_alignment,
    blink_frames,
    closing_time,
    closures,
    head_angular_speed,
    head_beats,
    lag_correlation,
    seams,
    speech_beats,
    standardised,
)
from diffposetalk.metrics.manner import (
    diversity,
    manner_statistics,
    nearest_centroid,
    retrieval_accuracy,
    statistics_correlation,
)
from diffposetalk.metrics.phones import PhoneCounts, phone_counts
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
    "Closures",
    "LagCorrelation",
    "PhoneCounts",
    "Seams",
    "UpperFaceDeviation",
    "beat_alignment",
    "blink_frames",
    "closing_time",
    "closures",
    "diversity",
    "head_angular_speed",
    "head_beats",
    "lag_correlation",
    "lip_vertex_error_max",
    "lip_vertex_error_root",
    "lip_vertex_error_squared",
    "manner_statistics",
    "mean_gap",
    "mouth_opening_difference",
    "mouth_opening_difference_rms",
    "nearest_centroid",
    "phone_counts",
    "retrieval_accuracy",
    "seams",
    "speech_beats",
    "standardised",
    "statistics_correlation",
    "upper_face_deviation",
]
