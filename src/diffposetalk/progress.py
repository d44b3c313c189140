"""Progress of long work."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Callback of long work. An exception that it raises ends the work."""

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Report progress.

        Args:
            done: amount done, in any unit.
            total: total amount; None if unknown.
            what: current step, for people: "tracking", "step 120 of 5000".
        """
