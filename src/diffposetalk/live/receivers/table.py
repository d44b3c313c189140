"""The table of protocols: address, default port, module and programs of each. To add one, add a row and a module.

An address is a URL: ``vmc://HOST:PORT?option=value``. Port and options may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol as TypeProtocol
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from diffposetalk.errors import UsageError
from diffposetalk.live.receivers.faces import Face


class Receiver(TypeProtocol):
    """Something that faces are sent to."""

    def send(self, face: Face) -> None:
        """Send one face; it must not wait.

        Raises:
            OSError: it cannot be sent now.
        """

    def close(self) -> None:
        """Stop sending."""


@dataclass(frozen=True)
class Row:
    """One protocol."""

    scheme: str
    """First part of the address."""
    programs: str
    """Programs that understand it."""
    port: int
    """Default port."""
    module: str
    """Module of this package with ``open_receiver(address, notify)``."""
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of the address and their choices, the default first; no choices: any text."""
    needs: str = ""
    """Package of the extra `live` that it needs."""


# fmt: off
_ROWS = (
    Row("vmc", "VSeeFace, Warudo, VNyan, VMC", 39539, "vmc", {"names": ("both", "arkit", "vrm")}, "pythonosc"),
    Row("livelink", "Unreal Engine (Live Link), Blender add-ons", 11111, "livelink",
        {"name": (), "head": ("rad", "deg", "norm180"), "id": ()}),
    Row("ifacialmocap", "whatever accepts iFacialMocap: VSeeFace, Warudo, VNyan, Blender, Unity", 49983, "ifacialmocap",
        {"version": ("1", "2")}),
    Row("vts", "VTube Studio (Live2D)", 8001, "vtube_studio", {"create": ("no", "yes")}, "websockets"),
    Row("osc", "VRChat avatars with face tracking; anything that listens to OSC", 9000, "osc",
        {"names": ("vrchat", "arkit"), "prefix": ()}, "pythonosc"),
    Row("ws", "a WebSocket server of your own: JSON, one message a frame", 8080, "websocket", {}, "websockets"),
    Row("wss", "the same, encrypted", 443, "websocket", {}, "websockets"),
)
# fmt: on

PROTOCOLS: dict[str, Row] = {row.scheme: row for row in _ROWS}
"""All protocols by scheme."""


@dataclass(frozen=True)
class Address:
    """Where faces go: a parsed URL."""

    url: str
    """As given."""
    row: Row
    """Its protocol."""
    host: str
    """Name or number of the machine."""
    port: int
    """Port."""
    options: Mapping[str, str]
    """Options with their defaults filled in; options without choices only if given."""

    def __str__(self) -> str:
        return self.url

    def open(self, notify: Callable[[str], object]) -> Receiver:
        """Begin to send.

        Args:
            notify: takes one line for the user, such as a lost connection or a request to press a button.

        Raises:
            OSError: the host is unknown.
        """
        module = import_module(f"diffposetalk.live.receivers.{self.row.module}")
        return cast(Receiver, module.open_receiver(self, notify))


def address_of(url: str) -> Address:
    """Parse an address.

    Raises:
        UsageError: the protocol, the port or an option is unknown, the host is missing, or a package is not installed.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"--to {url}: {error}") from None
    if parts.scheme not in PROTOCOLS:
        example = "vmc://127.0.0.1"
        raise UsageError(f"--to {url}: the address must begin with one of {', '.join(PROTOCOLS)}, such as {example}")
    row = PROTOCOLS[parts.scheme]
    if not parts.hostname:
        raise UsageError(f"--to {url}: the host is missing; write {row.scheme}://127.0.0.1 for this machine")
    if port == 0:
        raise UsageError(f"--to {url}: port 0 is no port; leave it out for {row.port}")
    query = {} if row.module == "websocket" else dict(parse_qsl(parts.query, keep_blank_values=True))
    for name, value in query.items():
        if name not in row.options:
            known = ", ".join(row.options) or "none"
            raise UsageError(f"--to {url}: unknown option {name!r}; {row.scheme} has: {known}")
        choices = row.options[name]
        if choices and value not in choices:
            raise UsageError(f"--to {url}: {name} must be one of {', '.join(choices)}, not {value!r}")
    if row.needs and find_spec(row.needs) is None:
        raise UsageError(f"--to {url}: {row.scheme} needs the package {row.needs}: pip install 'diffposetalk[live]'")
    defaults = {name: choices[0] for name, choices in row.options.items() if choices}
    return Address(url, row, parts.hostname, port or row.port, defaults | query)
