"""Speech and style to motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.generate.talker import Talker

__all__ = ["SamplingOptions", "Talker"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `generate.options` loads no torch."""
    if name == "SamplingOptions":
        from diffposetalk.generate.options import SamplingOptions

        return SamplingOptions
    if name == "Talker":
        from diffposetalk.generate.talker import Talker

        return Talker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
