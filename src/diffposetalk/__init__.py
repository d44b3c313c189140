"""DiffPoseTalk: speech in, talking 3D head out, with a chosen manner of speaking.

The public names below are resolved when first used, so that `import diffposetalk` is quick and loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "DiffPoseTalkError": "errors",
    "Speech": "speech",
    "SpeechFile": "speech",
    "Motion": "motion",
    "Style": "style",
    "Talker": "generate",
    "SamplingOptions": "generate",
    "load_head": "head",
    "render_motion": "render",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    """Import a public name from the module that owns it (PEP 562)."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'diffposetalk' has no attribute {name!r}")
    return getattr(import_module(f"diffposetalk.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
