"""How motion is measured: pure functions on numpy arrays, every variant of a measure under a name of its own.

`Curves` describe a face without a mesh, so that systems with different meshes compare; ``lips`` measures them on a head.
``closures``: lips on p, b, m. ``timing``: shifts and misalignment. ``agreement``: errors and correlations. ``head``: head
motion and beats. ``distributions``: how alike many frames or clips are. ``samples``: several samples for one input.
``manner``: how somebody speaks. ``vertices``: meshes against captured meshes. ``seams``: joins between windows.
``phones``: what is heard against what is said. ``intervals``: how certain a figure is. docs/metrics.md has the formulas.
"""

from diffposetalk.metrics.closures import Closures, closing_time, closures
from diffposetalk.metrics.curves import Curves, standardised
from diffposetalk.metrics.head import beat_alignment, head_angular_speed, head_beats, speech_beats
from diffposetalk.metrics.manner import (
    blink_frames,
    diversity,
    manner_statistics,
    nearest_centroid,
    retrieval_accuracy,
    statistics_correlation,
)
from diffposetalk.metrics.phones import PhoneCounts, phone_counts
from diffposetalk.metrics.seams import Seams, seams
from diffposetalk.metrics.timing import LagCorrelation, lag_correlation
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
    "Curves",
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
