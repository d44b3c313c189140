"""Motion of a face, the motion vector of the networks (`space`), and identity coefficients (`identity`)."""

from diffposetalk.motion.identity import IdentitySpace
from diffposetalk.motion.motion import MOTION_FORMAT, Motion, finite_float32
from diffposetalk.motion.space import MotionSpace, flame_channels

__all__ = ["MOTION_FORMAT", "IdentitySpace", "Motion", "MotionSpace", "finite_float32", "flame_channels"]
