"""Live Link, iFacialMocap, VMC and OSC as their receivers read them: names, order, signs, ranges."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import ThreadingOSCUDPServer

from diffposetalk.arkit import CHANNELS
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import Receiver, address_of

UNREAL = """
EyeBlinkLeft EyeLookDownLeft EyeLookInLeft EyeLookOutLeft EyeLookUpLeft EyeSquintLeft EyeWideLeft EyeBlinkRight EyeLookDownRight
EyeLookInRight EyeLookOutRight EyeLookUpRight EyeSquintRight EyeWideRight JawForward JawLeft JawRight JawOpen MouthClose
MouthFunnel MouthPucker MouthLeft MouthRight MouthSmileLeft MouthSmileRight MouthFrownLeft MouthFrownRight MouthDimpleLeft
MouthDimpleRight MouthStretchLeft MouthStretchRight MouthRollLower MouthRollUpper MouthShrugLower MouthShrugUpper MouthPressLeft
MouthPressRight MouthLowerDownLeft MouthLowerDownRight MouthUpperUpLeft MouthUpperUpRight BrowDownLeft BrowDownRight BrowInnerUp
BrowOuterUpLeft BrowOuterUpRight CheekPuff CheekSquintLeft CheekSquintRight NoseSneerLeft NoseSneerRight TongueOut HeadYaw
HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll RightEyeYaw RightEyePitch RightEyeRoll
""".split()  # noqa: SIM905 (as a receiver lists them)
"""The 61 values of a Live Link datagram in the order of Unreal's enumeration."""


@contextmanager
def sending(url: str) -> Iterator[Receiver]:
    receiver = address_of(url).open(print)
    try:
        yield receiver
    finally:
        receiver.close()


def weight(face: Face, name: str) -> float:
    return face.weight(name[0].lower() + name[1:])


def parsed_livelink(data: bytes) -> tuple[str, str, float, dict[str, float]]:
    """Read a datagram as Unreal does, byte by byte: device, subject, seconds and values."""
    assert struct.unpack_from("<I", data)[0] == 6
    assert data[4:5] == b"$"
    device = data[5:41].decode("ascii")
    (length,) = struct.unpack_from(">i", data, 41)
    name = data[45 : 45 + length].decode("utf-8")
    frame, part, numerator, denominator, count = struct.unpack_from(">ifiiB", data, 45 + length)
    assert count == 61 and len(data) == 45 + length + 17 + 4 * 61 == 306 + length
    values = struct.unpack_from(">61f", data, 45 + length + 17)
    return device, name, (frame + part) * denominator / numerator, dict(zip(UNREAL, values, strict=True))


def test_livelink(face: Face, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with sending(f"livelink://127.0.0.1:{port}?name=J%C3%BCrgen") as receiver:
        receiver.send(face)
        device, name, seconds, values = parsed_livelink(listener.recv(2000))
    assert name == "Jürgen" and re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", device)
    assert seconds == pytest.approx(2.5, abs=1e-4)
    for channel in UNREAL[:52]:
        assert values[channel] == pytest.approx(weight(face, channel)), channel
    assert values["HeadPitch"] > 0.05, "the head nods down"
    assert values["HeadYaw"] < -0.2, "the head turns to the subject's left; yaw above 0 is the subject's right"
    assert values["HeadRoll"] > 0.1
    assert values["LeftEyeYaw"] < 0 and values["LeftEyePitch"] > 0, "left eye: out (to the left) and down"
    assert values["RightEyeYaw"] < 0 and values["RightEyePitch"] < 0, "right eye: in (to the left) and up"
    assert abs(values["LeftEyeYaw"]) == pytest.approx(0.3, abs=0.02)


def test_livelink_for_blender_fits_into_309_bytes_and_units(face: Face, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    angles = {}
    for unit in ("rad", "deg", "norm180"):
        with sending(f"livelink://127.0.0.1:{port}?head={unit}") as receiver:
            receiver.send(face)
            data = listener.recv(2000)
        assert len(data) == 309
        angles[unit] = parsed_livelink(data)[3]["HeadYaw"]
    assert angles["deg"] == pytest.approx(np.rad2deg(angles["rad"]), rel=1e-5)
    assert angles["norm180"] == pytest.approx(angles["rad"] / np.pi, rel=1e-5)


@pytest.mark.parametrize("version", [1, 2])
def test_ifacialmocap_by_its_grammar(face: Face, listener: socket.socket, version: int) -> None:
    port = listener.getsockname()[1]
    with sending(f"ifacialmocap://127.0.0.1:{port}?version={version}") as receiver:
        receiver.send(face)
        receiver.send(face)
        first, second = (listener.recv(4000) for _ in range(2))
    assert first != second, "equal packets are taken for a lost face"
    text = first.decode("ascii")
    number = r"-?\d+(?:\.\d+)?(?:e-\d+)?"
    sign = "-" if version == 1 else "&"
    grammar = (
        rf"(?:[a-zA-Z]+(?:_[LR])?{sign}\d{{1,3}}\|){{52}}=head#{number}(?:,{number}){{5}}\|"
        rf"rightEye#{number}(?:,{number}){{2}}\|leftEye#{number}(?:,{number}){{2}}\|"
    )
    assert re.fullmatch(grammar, text), text
    weights, turns = text.split("=")
    values = dict(part.split(sign) for part in weights.strip("|").split("|"))
    spelled = {"eyeBlinkLeft": "eyeBlink_L", "mouthSmileRight": "mouthSmile_R", "jawLeft": "jawLeft", "mouthRight": "mouthRight",
               "browInnerUp": "browInnerUp", "tongueOut": "tongueOut", "mouthLowerDownLeft": "mouthLowerDown_L"}  # fmt: skip
    for channel, name in spelled.items():
        assert int(values[name]) == round(100 * face.weight(channel)), name
    bones = {
        name: [float(n) for n in rest.split(",")] for name, rest in (b.split("#") for b in turns.strip("|").split("|"))
    }
    pitch, yaw, roll = bones["head"][:3]
    assert (pitch, yaw, roll) == pytest.approx(np.rad2deg(face.angles), abs=1e-3)
    assert pitch > 0 and yaw > 0 and roll < 0, "down, to the subject's left, to the left shoulder"
    assert bones["leftEye"][0] > 0 and bones["leftEye"][1] > 0, "down and out"
    assert bones["rightEye"][0] < 0 and bones["rightEye"][1] > 0, "up and in"


@contextmanager
def osc_server() -> Iterator[tuple[int, list[tuple[str, tuple[object, ...]]], threading.Event]]:
    """Yield the port of python-osc's own server, what it has received, and whether the last message is there."""
    received: list[tuple[str, tuple[object, ...]]] = []
    done = threading.Event()

    def take(address: str, *values: object) -> None:
        received.append((address, values))
        if address in ("/VMC/Ext/Blend/Apply", "/head", "/avatar/parameters/v2/EyeY"):
            done.set()

    dispatcher = Dispatcher()
    dispatcher.set_default_handler(take)
    server = ThreadingOSCUDPServer(("127.0.0.1", 0), dispatcher)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], received, done
    finally:
        server.shutdown()
        server.server_close()


def unity_matrix(x: float, y: float, z: float, w: float) -> np.ndarray:
    """The rotation that Unity makes of a quaternion; columns are where right, up and forward go."""
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def test_vmc_is_received_by_python_osc(face: Face) -> None:
    with osc_server() as (port, received, done), sending(f"vmc://127.0.0.1:{port}") as receiver:
        receiver.send(face)
        assert done.wait(5)
    by_address: dict[str, list[tuple[object, ...]]] = {}
    for address, values in received:
        by_address.setdefault(address, []).append(values)
    assert by_address["/VMC/Ext/OK"] == [(1,)] and isinstance(by_address["/VMC/Ext/OK"][0][0], int)
    assert by_address["/VMC/Ext/T"][0][0] == pytest.approx(2.5)
    assert by_address["/VMC/Ext/Root/Pos"][0] == ("root", 0, 0, 0, 0, 0, 0, 1)
    assert by_address["/VMC/Ext/Blend/Apply"] == [()]
    blends = dict(by_address["/VMC/Ext/Blend/Val"])
    for channel in UNREAL[:52]:
        assert blends[channel] == pytest.approx(weight(face, channel)), channel
    assert set(blends) - set(UNREAL) == {"A", "I", "U", "E", "O", "Blink_L", "Blink_R"}
    assert blends["Blink_L"] == pytest.approx(face.weight("eyeBlinkLeft"))
    assert all(0 <= value <= 1 for value in blends.values())
    bones = {values[0]: np.array(values[1:]) for values in by_address["/VMC/Ext/Bone/Pos"]}
    assert set(bones) == {"Neck", "Head", "LeftEye", "RightEye"}
    turned = unity_matrix(*bones["Neck"][3:]) @ unity_matrix(*bones["Head"][3:])
    right, up, forward = turned.T
    assert forward[0] < -0.2, "Unity's +x is the right of an avatar that faces +z; it turns to its left"
    assert forward[1] < 0, "it looks down"
    assert right[1] > 0.1, "the right side goes up: it tilts to the left shoulder"
    assert up[1] > 0.9
    left_eye = unity_matrix(*bones["LeftEye"][3:])[:, 2]
    assert left_eye[0] < 0 and left_eye[1] < 0, "left and down"


@pytest.mark.parametrize(("names", "present", "absent"), [("arkit", "JawOpen", "A"), ("vrm", "A", "JawOpen")])
def test_vmc_names_can_be_chosen(face: Face, names: str, present: str, absent: str) -> None:
    with osc_server() as (port, received, done), sending(f"vmc://127.0.0.1:{port}?names={names}") as receiver:
        receiver.send(face)
        assert done.wait(5)
    blends = {values[0] for address, values in received if address == "/VMC/Ext/Blend/Val"}
    assert present in blends and absent not in blends


def test_an_open_mouth_is_an_a(face: Face) -> None:
    from diffposetalk.live.receivers.faces import FaceTrack
    from diffposetalk.live.receivers.vmc import messages
    from diffposetalk.motion import Motion

    weights = np.zeros((1, 52), np.float32)
    weights[0, CHANNELS.index("jawOpen")] = 0.6
    track = FaceTrack()
    track.add(np.zeros(1), Motion(weights, CHANNELS, np.zeros((1, 3), np.float32), 25.0))
    blends = {
        first[0]: floats[0] for address, first, floats in messages(track.at(0)) if address == "/VMC/Ext/Blend/Val"
    }
    assert blends["A"] > 0.5 and blends["U"] < 0.2


def test_vrchat_parameters(face: Face) -> None:
    with osc_server() as (port, received, done), sending(f"osc://127.0.0.1:{port}") as receiver:
        receiver.send(face)
        assert done.wait(5)
    values = dict(received)
    before = "/avatar/parameters/v2/"
    assert values["/avatar/parameters/LipTrackingActive"] == (True,)
    expected = {
        "JawOpen": face.weight("jawOpen"),
        "JawX": face.weight("jawRight") - face.weight("jawLeft"),
        "MouthX": face.weight("mouthRight") - face.weight("mouthLeft"),
        "LipPucker": face.weight("mouthPucker"),
        "SmileFrownLeft": face.weight("mouthSmileLeft") - face.weight("mouthFrownLeft"),
        "MouthUpperUpRight": face.weight("mouthUpperUpRight"),
        "MouthUpperUp": (face.weight("mouthUpperUpLeft") + face.weight("mouthUpperUpRight")) / 2,
        "BrowDown": (face.weight("browDownLeft") + face.weight("browDownRight")) / 2,
        "EyeLidLeft": (0.75 + 0.25 * face.weight("eyeWideLeft")) * (1 - face.weight("eyeBlinkLeft")),
        "EyeLeftX": -0.5,
        "EyeRightX": -0.3,
        "EyeLeftY": -0.4,
        "EyeRightY": 0.2,
    }
    for name, value in expected.items():
        assert values[before + name][0] == pytest.approx(value, abs=0.02), name
    assert all(len(address) < 100 for address in values)


def test_osc_by_arkit_name_with_a_prefix(face: Face) -> None:
    with (
        osc_server() as (port, received, done),
        sending(f"osc://127.0.0.1:{port}?names=arkit&prefix=my/face") as receiver,
    ):
        receiver.send(face)
        done.wait(1)
    values = dict(received)
    for channel in CHANNELS:
        assert values[f"/my/face/{channel}"][0] == pytest.approx(face.weight(channel))
    assert values["/my/face/head"] == pytest.approx(tuple(face.angles), abs=1e-6)


def test_datagrams_fit_into_one_packet_of_a_network(face: Face) -> None:
    from diffposetalk.live.receivers import osc, vmc
    from diffposetalk.live.receivers.osc_bundles import bundles

    assert max(map(len, bundles(vmc.messages(face)))) <= 1400
    assert max(map(len, bundles(osc.messages(face, prefix="a" * 60)))) <= 1400
