"""WebSocket receivers against servers of the test: VTube Studio's handshake, JSON frames, lost and slow connections."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.receivers import latest
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import address_of


@contextmanager
def server(handler: Callable[[ServerConnection], None], port: int = 0) -> Iterator[int]:
    running: Server = serve(handler, "127.0.0.1", port)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield running.socket.getsockname()[1]
    finally:
        running.shutdown()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class FakeVTubeStudio:
    """Answers as VTube Studio's documentation says."""

    TOKEN = "abc"

    def __init__(self, allow: bool = True) -> None:
        self.allow, self.signed_in = allow, False
        self.asked: list[str] = []
        self.frames: list[dict[str, float]] = []
        self.known = {"FaceAngleX": 30, "FaceAngleY": 30, "FaceAngleZ": 90, "MouthOpen": 1, "EyeOpenLeft": 1, "EyeOpenRight": 1,
                      "EyeLeftX": 1, "EyeLeftY": 1, "MouthSmile": 1, "TongueOut": 1, "JawOpen": 1, "Something": 1}  # fmt: skip

    def __call__(self, connection: ServerConnection) -> None:
        try:
            for message in connection:
                request = json.loads(message)
                assert request["apiName"] == "VTubeStudioPublicAPI" and request["apiVersion"] == "1.0"
                kind, data = self.answer(request["messageType"], request.get("data", {}))
                connection.send(json.dumps({"messageType": "SomeEvent", "requestID": "event", "data": {}}))
                connection.send(json.dumps({
                    "apiName": "VTubeStudioPublicAPI", "apiVersion": "1.0", "timestamp": 1, "messageType": kind,
                    "requestID": request["requestID"], "data": data,
                }))  # fmt: skip
        except ConnectionClosed:
            pass

    def answer(self, kind: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        self.asked.append(kind)
        if kind == "AuthenticationTokenRequest":
            assert 3 <= len(data["pluginName"]) <= 32 and 3 <= len(data["pluginDeveloper"]) <= 32
            if not self.allow:
                return "APIError", {"errorID": 50, "message": "User has denied API access for your plugin."}
            return "AuthenticationTokenResponse", {"authenticationToken": self.TOKEN}
        if kind == "AuthenticationRequest":
            self.signed_in = data["authenticationToken"] == self.TOKEN
            return "AuthenticationResponse", {"authenticated": self.signed_in, "reason": "because"}
        assert self.signed_in
        if kind == "InputParameterListRequest":
            rows = [{"name": name, "min": -high, "max": high, "defaultValue": 0} for name, high in self.known.items()]
            return "InputParameterListResponse", {"customParameters": rows[-2:], "defaultParameters": rows[:-2]}
        if kind == "ParameterCreationRequest":
            assert 4 <= len(data["parameterName"]) <= 32 and data["parameterName"].isalnum()
            self.known[data["parameterName"]] = data["max"]
            return "ParameterCreationResponse", {"parameterName": data["parameterName"]}
        assert kind == "InjectParameterDataRequest" and data["faceFound"] is True and data["mode"] == "set"
        values = {row["id"]: row["value"] for row in data["parameterValues"]}
        if unknown := set(values) - set(self.known):
            return "APIError", {"errorID": 453, "message": f"unknown parameters {unknown}"}
        assert all(abs(value) <= self.known[name] for name, value in values.items())
        self.frames.append(values)
        return "InjectParameterDataResponse", {}


@pytest.fixture(autouse=True)
def _own_tokens_and_quick_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFPOSETALK_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr(latest, "RETRY_S", 0.05)


def test_vtube_studio_asks_once_for_the_token_and_gets_what_it_knows(face: Face) -> None:
    studio, lines = FakeVTubeStudio(), []
    with server(studio) as port:
        for _ in range(2):  # the second time with the token of the first
            receiver = address_of(f"vts://127.0.0.1:{port}").open(lines.append)
            n = len(studio.frames)
            receiver.send(face)
            until(lambda n=n: len(studio.frames) > n)
            receiver.close()
    assert studio.asked.count("AuthenticationTokenRequest") == 1
    assert len(lines) == 1 and "Allow" in lines[0]
    values = studio.frames[0]
    assert set(values) == set(studio.known) - {"Something"}
    pitch, yaw, roll = np.rad2deg(face.angles)
    assert (values["FaceAngleX"], values["FaceAngleY"], values["FaceAngleZ"]) == pytest.approx((yaw, -pitch, -roll))
    assert values["FaceAngleX"] > 0, "the subject's left is the right of the screen"
    assert values["EyeOpenLeft"] == pytest.approx(1 - face.weight("eyeBlinkLeft"))
    assert values["EyeLeftX"] > 0 and values["EyeLeftY"] < 0
    assert values["JawOpen"] == pytest.approx(face.weight("jawOpen"))


def test_vtube_studio_makes_parameters_on_request(face: Face) -> None:
    studio = FakeVTubeStudio()
    with server(studio) as port:
        receiver = address_of(f"vts://127.0.0.1:{port}?create=yes").open(print)
        receiver.send(face)
        until(lambda: studio.frames)
        receiver.close()
    assert studio.frames[0]["MouthFunnel"] == pytest.approx(face.weight("mouthFunnel"))


def test_vtube_studio_that_is_not_allowed_gives_one_line(face: Face) -> None:
    lines: list[str] = []
    with server(FakeVTubeStudio(allow=False)) as port:
        receiver = address_of(f"vts://127.0.0.1:{port}").open(lines.append)
        until(lambda: len(lines) == 2)
        receiver.send(face)
        receiver.close()
    assert "denied" in lines[1] and "\n" not in lines[1]


def test_json_frames(face: Face) -> None:
    messages: list[Any] = []
    with server(lambda connection: messages.extend(json.loads(m) for m in connection)) as port:
        receiver = address_of(f"ws://127.0.0.1:{port}/face?session=1").open(print)
        receiver.send(face)
        until(lambda: messages)
        receiver.close()
    message = messages[0]
    assert message["time"] == 2.5
    assert list(message["weights"]) == list(CHANNELS)
    assert message["weights"]["jawOpen"] == pytest.approx(face.weight("jawOpen"), abs=1e-4)
    assert message["head"] == pytest.approx(face.head, abs=1e-4)
    assert message["headAngles"]["yaw"] > 0 and message["eyes"]["left"][1] > 0


def test_a_server_that_comes_later_and_goes_away_gets_frames_again(face: Face) -> None:
    lines: list[str] = []
    messages: list[str] = []

    def handler(connection: ServerConnection) -> None:
        messages.append(connection.recv(timeout=10))  # and hang up after one

    with server(handler) as port:
        pass  # a port that is free now
    receiver = address_of(f"ws://127.0.0.1:{port}").open(lines.append)
    until(lambda: lines)
    assert "no connection" in lines[0]
    with server(handler, port):
        until(lambda: receiver.send(face) or len(messages) >= 2)
    receiver.close()
    assert sum("no connection" in line for line in lines) <= 2, "not one line for every attempt"


def test_a_slow_server_gets_the_newest_frame_and_holds_nobody_up(face: Face) -> None:
    times: list[float] = []

    class Slow:
        def send(self, face: Face) -> None:
            time.sleep(0.05)
            times.append(face.time_s)

        def close(self) -> None:
            pass

    receiver = latest.Latest("slow", Slow, print)
    for k in range(100):
        receiver.send(Face(float(k), face.weights, face.head, face.mouths, face.gaze))
    assert len(times) < 50, "nobody waits for the slow server"
    receiver.close()
    assert times[-1] == 99
