"""Speech and style to motion."""

from diffposetalk.diffusion.guidance import SamplingOptions
from diffposetalk.generate.talker import Talker

__all__ = ["SamplingOptions", "Talker"]
