"""Several receivers at once: what goes wrong with one is told once, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.latest import reason
from diffposetalk.live.receivers.table import Address, Receiver


@dataclass
class _Open:
    address: Address
    receiver: Receiver
    n_sent: int = 0
    failing: bool = False


class Outputs:
    """All receivers of a live face."""

    def __init__(self, addresses: Sequence[Address], notify: Callable[[str], object]) -> None:
        """Open all.

        Args:
            addresses: where faces go.
            notify: takes one line for the user.

        Raises:
            DiffPoseTalkError: none of them can be opened.
        """
        self._notify = notify
        self._open: list[_Open] = []
        failures = []
        for address in addresses:
            try:
                self._open.append(_Open(address, address.open(notify)))
            except OSError as error:
                failures.append(f"{address}: {reason(error)}")
        if not self._open:
            raise DiffPoseTalkError("; ".join(failures))
        for failure in failures:
            notify(f"{failure}; the others go on")

    def send(self, face: Face) -> None:
        """Send a face to all."""
        for one in self._open:
            try:
                one.receiver.send(face)
            except OSError as error:
                if not one.failing:
                    self._notify(
                        f"{one.address}: {reason(error)}; is the program running? It is sent frames all the same"
                    )
                one.failing = True
            else:
                one.n_sent += 1

    @property
    def sent(self) -> dict[str, int]:
        """Faces that were sent, by address."""
        return {str(one.address): one.n_sent for one in self._open}

    def close(self) -> None:
        """Close all."""
        for one in self._open:
            one.receiver.close()
