"""How long work reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called again and again by long work. An exception raised in it ends the work."""

    def __call__(self, done: float, total: float | None = None, what: str | None = None) -> None:
        """Report how far the work is.

        Args:
            done: amount done, in any unit.
            total: amount to do, in the same unit; None where it is unknown.
            what: what is being done now: "tracking", "style: loss 0.31".
        """


def labelled(progress: Progress | None, label: str) -> Progress | None:
    """Return a progress that puts a label before ``what``: "style", or "style: loss 0.31"."""
    if progress is None:
        return None

    def report(done: float, total: float | None = None, what: str | None = None) -> None:
        progress(done, total, f"{label}: {what}" if what else label)

    return report
