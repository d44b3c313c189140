"""Find a model file and a device."""

from __future__ import annotations

from pathlib import Path

import torch

from diffposetalk.errors import UsageError

ASSETS = Path(__file__).parents[1] / "assets"
"""Folder of the files that come with the package."""
BUNDLED = ("lite", "base")
"""Names of the models that come with the package."""


def model_path(name: str | Path) -> Path:
    """Return the path of a model.

    Args:
        name: the name of a bundled model, or a model file.

    Raises:
        UsageError: there is neither a bundled model nor a file of this name.
    """
    path = ASSETS / f"{name}.safetensors" if str(name) in BUNDLED else Path(name)
    if not path.exists():
        raise UsageError(f"no model {str(name)!r}: neither bundled ({', '.join(BUNDLED)}) nor a file")
    return path


def usable_device(name: str) -> torch.device:
    """Return the device of that name.

    Raises:
        UsageError: torch does not know the device, or cannot use it on this machine.
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
