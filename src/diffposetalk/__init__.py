"""DiffPoseTalk: turn speech into a talking 3D head, in a chosen style.

Public names are imported on first use, so `import diffposetalk` is quick and does not load torch.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffposetalk.errors import DiffPoseTalkError
    from diffposetalk.exchange import export, load_motion
    from diffposetalk.generate import SamplingOptions, Talker
    from diffposetalk.head import load_head
    from diffposetalk.model.checkpoint import load_model
    from diffposetalk.motion import Motion, MotionSpace
    from diffposetalk.render import render_motion
    from diffposetalk.render import render_motion as render
    from diffposetalk.retarget import retarget, to_arkit
    from diffposetalk.speech import Speech, SpeechFile
    from diffposetalk.style import Style
    from diffposetalk.track import track

__version__ = "0.1.0"

_PUBLIC = {
    "DiffPoseTalkError": "errors",
    "Motion": "motion",
    "MotionSpace": "motion",
    "SamplingOptions": "generate",
    "Speech": "speech",
    "SpeechFile": "speech",
    "Style": "style",
    "Talker": "generate",
    "export": "exchange",
    "load_head": "head",
    "load_model": "model.checkpoint",
    "load_motion": "exchange",
    "render_motion": "render",
    "to_arkit": "retarget",
}
"""Public name -> the module that defines it."""
_CALLABLE = {"render": "render_motion", "retarget": "retarget", "track": "track"}
"""Package that can also be called -> the function in it. Both `track("clip.mp4")` and `track.fit` work."""

__all__ = [
    "DiffPoseTalkError",
    "Motion",
    "MotionSpace",
    "SamplingOptions",
    "Speech",
    "SpeechFile",
    "Style",
    "Talker",
    "__version__",
    "export",
    "load_head",
    "load_model",
    "load_motion",
    "render",
    "render_motion",
    "retarget",
    "to_arkit",
    "track",
]


class _CallablePackage(ModuleType):
    """A package that calls its function of `_CALLABLE`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, _CALLABLE[self.__name__.rpartition(".")[2]])(*args, **kwargs)


class _Root(ModuleType):
    """Makes the packages of `_CALLABLE` callable when the import system attaches them to this package."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLABLE and type(value) is ModuleType:
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Root


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it (PEP 562)."""
    if name in _CALLABLE:
        return import_module(f"diffposetalk.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'diffposetalk' has no attribute {name!r}")
    return getattr(import_module(f"diffposetalk.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
