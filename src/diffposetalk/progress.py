"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called again and again by long work; what it raises ends the work."""

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Tell how far the work is.

        Args:
            done: so much is done, in any unit.
            total: of so much; None where nobody knows.
            what: what is being done now: "tracking", "step 120 of 5000".
        """
