"""Options of an export, and what a writer may need besides the motion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion
    from diffposetalk.retarget.solve import Residual
    from diffposetalk.speech import Speech, SpeechFile

FPS_RANGE = (1.0, 240.0)
"""Lowest and highest frame rate that can be written."""

HEAD_UNITS = ("rad", "deg", "norm180")
"""Units of the head's angles in a file; norm180 is degrees / 180."""


@dataclass(frozen=True)
class ExportOptions:
    """How a motion is changed before it is written."""

    fps: float | None = None
    """Frames per second (default: the fixed rate of the format, or else that of the motion)."""
    clamp: bool = True
    """Limit ARKit weights to [0, 1], with a warning if this changes a value."""
    gain: dict[str, float] = field(default_factory=dict)
    """Multiply a region or channel by this number."""
    offset: dict[str, float] = field(default_factory=dict)
    """Add this number to a region or channel, after the gain; head_pitch_deg, head_yaw_deg and
    head_roll_deg rotate the head, in degrees."""
    smoothing_s: dict[str, float] = field(default_factory=dict)
    """Smooth a region or channel by a Gaussian of this standard deviation in seconds."""
    used_only: bool = False
    """Write only the morph targets that the motion uses (scenes)."""
    head_unit: Literal["rad", "deg", "norm180"] = "rad"
    """Unit of the head's angles in Live Link Face files; norm180 is degrees / 180."""

    def __post_init__(self) -> None:
        if self.fps is not None and not FPS_RANGE[0] <= self.fps <= FPS_RANGE[1]:
            raise UsageError(f"fps must be between {FPS_RANGE[0]:g} and {FPS_RANGE[1]:g}, got {self.fps:g}")
        if self.head_unit not in HEAD_UNITS:
            raise UsageError(f"head_unit must be rad, deg or norm180, got {self.head_unit!r}")
        for region, seconds in self.smoothing_s.items():
            if not 0 <= seconds <= 10:
                raise UsageError(f"smoothing of {region} must be between 0 and 10 seconds, got {seconds:g}")


@dataclass(frozen=True)
class Scene:
    """What a writer may need besides the motion: head, person, sound and options."""

    head: HeadModel | None = None
    """The head model; None loads the one that the motion names when it is needed."""
    identity: np.ndarray | None = None
    """``(I,)`` identity coefficients; None for the mean person."""
    speech: SpeechFile | Speech | None = None
    """The sound that goes with the motion."""
    options: ExportOptions = field(default_factory=ExportOptions)
    residual: Residual | None = None
    """Error of the conversion, where the motion was converted from another head's channels."""

    def head_of(self, motion: Motion) -> HeadModel:
        """Return the head model for `motion`.

        Raises:
            UsageError: the scene's head has other expression channels.
        """
        from diffposetalk.head import load_head

        head = self.head or load_head(motion.head)
        if head.name != motion.head:
            raise UsageError(
                f"the motion is for the head {motion.head}, not for {head.name}; make one for {head.name} first: "
                "diffposetalk retarget MOTION --head HEAD -o OUT.npz"
            )
        return head
