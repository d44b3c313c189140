"""Where a model comes from, and on which device it runs."""

from __future__ import annotations

from pathlib import Path

import torch

from diffposetalk.errors import UsageError

ASSETS = Path(__file__).parents[1] / "assets"
BUNDLED = ("lite",)
"""Models that come with the package."""


def model_path(name: str | Path) -> Path:
    """Return the file of a bundled model, or the model file itself.

    Raises:
        UsageError: no bundled model and no file is called so.
    """
    path = ASSETS / f"{name}.safetensors" if str(name) in BUNDLED else Path(name)
    if not path.exists():
        raise UsageError(f"no model {str(name)!r}: neither bundled ({', '.join(BUNDLED)}) nor a file")
    return path


def usable_device(name: str) -> torch.device:
    """Return the device of that name.

    Raises:
        UsageError: torch knows none of that name, or cannot use it on this machine.
    """
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(
            f"the device {name!r} cannot be used here ({reason}); leave it out for the processor"
        ) from None
    return device
