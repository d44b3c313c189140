"""VTube Studio: Live2D models, by its WebSocket interface for plugins.

VTube Studio asks its user once whether this plugin may connect, and then gives out a token, which is kept in the asset folder.
Only parameters that it has are sent, because it refuses a message with an unknown one: those for faces, and any custom
parameter that has the name of an ARKit channel (``JawOpen``). ``?create=yes`` creates these.

Signs are those of Live2D's standard parameters, seen on the screen: X above 0 turns the face to the right of the screen, which
is the subject's left; Y above 0 looks up; Z above 0 tilts to the right of the screen. Angles are degrees.
Source: https://github.com/DenchiSoft/VTubeStudio (API version 1.0).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.exchange.angles import GAZE_RAD
from diffposetalk.exchange.names import pascal
from diffposetalk.files.asset_folder import asset_folder
from diffposetalk.files.atomic import write_atomically
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.latest import Latest
from diffposetalk.live.receivers.table import Address
from diffposetalk.live.receivers.websocket import OPEN_S

PLUGIN = {"pluginName": "DiffPoseTalk", "pluginDeveloper": "DiffPoseTalk"}
"""How the plugin calls itself."""
TOKEN_FILE = "vtube-studio.json"
"""File in the asset folder: token by address."""
PATIENCE_S = 120.0
"""Seconds in which the user must allow the plugin."""
ANSWER_S = 5.0
"""Seconds in which VTube Studio must answer anything else."""
MOST_CUSTOM = 100
"""Custom parameters that a plugin may create."""


def parameters(face: Face) -> dict[str, float]:
    """Return the values of VTube Studio's own parameters for faces, and of every ARKit channel by name."""
    weight = face.weight
    pitch, yaw, roll = np.rad2deg(face.angles)
    values = {
        "FaceAngleX": yaw, "FaceAngleY": -pitch, "FaceAngleZ": -roll,
        "MouthOpen": max(0.0, weight("jawOpen") - weight("mouthClose")),
        "MouthSmile": 0.5 + (_mean(face, "mouthSmile") - _mean(face, "mouthFrown")) / 2,
        "MouthX": weight("mouthLeft") - weight("mouthRight"),
        "TongueOut": weight("tongueOut"), "CheekPuff": weight("cheekPuff"),
        "FaceAngry": _mean(face, "browDown"),
    }  # fmt: skip
    for side, eye in zip(("Left", "Right"), face.gaze):
        values[f"EyeOpen{side}"] = 1 - weight(f"eyeBlink{side}")
        values[f"Eye{side}X"] = eye[1] / GAZE_RAD["Out"]
        values[f"Eye{side}Y"] = -eye[0] / GAZE_RAD["Up"]
        raised = max(weight("browInnerUp"), weight(f"browOuterUp{side}"))
        values[f"Brow{side}Y"] = 0.5 + (raised - weight(f"browDown{side}")) / 2
    values["Brows"] = (values["BrowLeftY"] + values["BrowRightY"]) / 2
    return {name: float(value) for name, value in values.items()} | {
        name: value for name, value in zip(map(pascal, CHANNELS), face.weights.tolist()) if name not in values
    }


def _mean(face: Face, channel: str) -> float:
    return (face.weight(f"{channel}Left") + face.weight(f"{channel}Right")) / 2


class Refused(DiffPoseTalkError):
    """VTube Studio refused a request. `code` is its number of the error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"VTube Studio refuses: {message}")
        self.code = code


class VTubeStudio:
    """An open and allowed connection."""

    def __init__(self, url: str, create: bool, notify: Callable[[str], object]) -> None:
        """Connect, get or use the token, and ask which parameters there are.

        Raises:
            OSError: nobody listens.
            DiffPoseTalkError: the user does not allow the plugin.
        """
        from websockets.sync.client import connect

        self._socket: Any = connect(url, open_timeout=OPEN_S, close_timeout=1, max_size=1 << 22)
        try:
            self._sign_in(url, notify)
            self._ranges = self._known()
            if create:
                self._create()
        except BaseException:
            self.close()
            raise

    def send(self, face: Face) -> None:
        """Send the parameters that VTube Studio has, within their ranges, and wait for its answer.

        Raises:
            TimeoutError: there is none.
            Refused: another plugin controls these parameters.
        """
        values = parameters(face)
        known = [
            {"id": name, "value": min(max(values[name], low), high)}
            for name, (low, high) in self._ranges.items()
            if name in values
        ]
        self._ask("InjectParameterDataRequest", {"faceFound": True, "mode": "set", "parameterValues": known})

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def _ask(self, kind: str, data: dict[str, Any] | None = None, patience_s: float = ANSWER_S) -> dict[str, Any]:
        """Send a request and return the data of its answer."""
        number = uuid.uuid4().hex
        request = {"apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "requestID": number, "messageType": kind}
        self._socket.send(json.dumps(request | ({} if data is None else {"data": data})))
        while True:
            try:
                answer = json.loads(self._socket.recv(timeout=patience_s))
                if answer.get("requestID") != number:
                    continue  # an event, or an answer that came too late
                content = answer.get("data") or {}
                if answer.get("messageType") == "APIError":
                    raise Refused(int(content.get("errorID", -1)), str(content.get("message", "no reason given")))
                return dict(content)
            except (ValueError, AttributeError, TypeError):
                raise OSError(f"an answer to {kind} that is not VTube Studio's; is this its port?") from None

    def _sign_in(self, url: str, notify: Callable[[str], object]) -> None:
        tokens = _Tokens(asset_folder() / TOKEN_FILE)
        token = tokens.get(url)
        if token and self._ask("AuthenticationRequest", PLUGIN | {"authenticationToken": token}).get("authenticated"):
            return
        notify(f"{url}: VTube Studio asks whether DiffPoseTalk may connect; press Allow there")
        token = str(self._ask("AuthenticationTokenRequest", PLUGIN, PATIENCE_S).get("authenticationToken", ""))
        answer = self._ask("AuthenticationRequest", PLUGIN | {"authenticationToken": token})
        if not answer.get("authenticated"):
            raise DiffPoseTalkError(f"VTube Studio does not accept its own token: {answer.get('reason', 'no reason')}")
        tokens.put(url, token)

    def _known(self) -> dict[str, tuple[float, float]]:
        lists = self._ask("InputParameterListRequest")
        rows = [*lists.get("defaultParameters", ()), *lists.get("customParameters", ())]
        return {row["name"]: _range(row) for row in rows}

    def _create(self) -> None:
        missing = [name for name in map(pascal, CHANNELS) if name not in self._ranges][:MOST_CUSTOM]
        for name in missing:
            about = {"explanation": "ARKit channel from DiffPoseTalk", "min": 0, "max": 1, "defaultValue": 0}
            self._ask("ParameterCreationRequest", {"parameterName": name, **about})
            self._ranges[name] = (0.0, 1.0)


def _range(row: dict[str, Any]) -> tuple[float, float]:
    low, high = float(row.get("min", -1e6)), float(row.get("max", 1e6))
    return (low, high) if low < high else (-1e6, 1e6)


class _Tokens:
    """Tokens by address, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, url: str) -> str | None:
        """Return the token of an address, or None; a damaged file counts as none."""
        token = self._all().get(url)
        return token if isinstance(token, str) else None

    def put(self, url: str, token: str) -> None:
        """Keep a token."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, json.dumps(self._all() | {url: token}, indent=1).encode())

    def _all(self) -> dict[str, Any]:
        try:
            tokens = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return tokens if isinstance(tokens, dict) else {}


def open_receiver(address: Address, notify: Callable[[str], object]) -> Latest:
    """Begin to send."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    url = f"ws://{host}:{address.port}"
    return Latest(address.url, lambda: VTubeStudio(url, address.options["create"] == "yes", notify), notify)
