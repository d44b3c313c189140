"""Base of settings that are shares or probabilities."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import ClassVar

from diffposetalk.errors import UsageError


@dataclass(frozen=True)
class Shares:
    """Settings of which some are shares or probabilities, in 0 to 1: fields called ``share`` or ``..._share``, and `SHARES`."""

    SHARES: ClassVar[tuple[str, ...]] = ()
    """Further fields that are shares or probabilities."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if (name in self.SHARES or name.endswith("share")) and not 0 <= value <= 1:
                words = re.findall("[A-Z][a-z]+", type(self).__name__)
                table = "recipe" if "Recipe" in words else words[0].lower()
                raise UsageError(f"{table}.{name} must lie in 0 to 1, got {value}")
