"""Limits of the server. Each has one owner: the field below."""

from __future__ import annotations

from dataclasses import dataclass, fields

from diffposetalk.errors import UsageError


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for.

    Raises:
        UsageError: a limit is not above 0.
    """

    sessions: int = 16
    """Sessions at once, the connected and those that may still be resumed."""
    connections: int = 64
    """Connections at once, with those that have not started a session yet."""
    message_bytes: int = 262_144
    """Largest message of a client, bytes."""
    ahead_s: float = 30.0
    """Seconds of sound that a session may hold before its motion is made; then the server stops reading from the client."""
    unsent_s: float = 5.0
    """Seconds of motion that may wait for a client to read them; then the session pauses or drops, as the client chose."""
    replay_s: float = 5.0
    """Seconds of motion that a session keeps after they were sent, for a client that resumes."""
    resume_s: float = 30.0
    """Seconds for which a session outlives its connection."""
    idle_s: float = 300.0
    """Seconds without a message in either direction after which a session ends."""
    stall_s: float = 20.0
    """Seconds for which a client may read nothing at all while something waits for it."""
    start_s: float = 10.0
    """Seconds that a connection has until its first message."""
    messages_per_s: float = 1000.0
    """Messages of sound that are read from one client in a second; more have to wait."""
    controls_per_s: float = 20.0
    """Text messages of one client in a second, on average over five; more end the session."""
    errors: int = 10
    """Unusable messages of one session, after which it ends."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise UsageError(f"{field.name} must be above 0, not {value!r}")


class Rate:
    """Counts events against a rate. Up to ``burst`` of them may come at once."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s, self._burst, self._left, self._at = per_s, burst, burst, now

    def wait_s(self, now: float) -> float:
        """Count an event at time ``now``; return how many seconds too early it comes, 0 if it is within the rate."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s) - 1
        self._at = now
        return max(0.0, -self._left / self._per_s)
