"""Motion on one head to motion on another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffposetalk.retarget.options import Options
    from diffposetalk.retarget.solve import Residual, retarget, to_arkit

__all__ = ["Options", "Residual", "retarget", "to_arkit"]


def __getattr__(name: str) -> Any:
    """Import the solver when it is first used, so that `retarget.options` does not load numpy."""
    if name in __all__:
        from diffposetalk.retarget import solve

        return getattr(solve, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
