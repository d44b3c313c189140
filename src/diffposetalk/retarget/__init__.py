"""Motion on one head to motion on another."""

from diffposetalk.retarget.solve import Options, Residual, retarget, to_arkit

__all__ = ["Options", "Residual", "retarget", "to_arkit"]
