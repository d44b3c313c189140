"""Speech and style to motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffposetalk.generate.options import SamplingOptions
    from diffposetalk.generate.stream import Chunk, Stream
    from diffposetalk.generate.talker import Talker

__all__ = ["Chunk", "SamplingOptions", "Stream", "Talker"]


def __getattr__(name: str) -> Any:
    """Import a name when it is first used, so that `generate.options` loads no torch."""
    if name == "SamplingOptions":
        from diffposetalk.generate.options import SamplingOptions

        return SamplingOptions
    if name == "Talker":
        from diffposetalk.generate.talker import Talker

        return Talker
    if name in ("Chunk", "Stream"):
        from diffposetalk.generate import stream

        return getattr(stream, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
