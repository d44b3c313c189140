"""Live from sound to several programs: paced, complete, and what goes wrong with one receiver is told once."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.generate.talker import Talker
from diffposetalk.live.outputs import Outputs
from diffposetalk.live.perform import Performance
from diffposetalk.live.receivers.faces import Face
from diffposetalk.live.receivers.table import PROTOCOLS, address_of
from diffposetalk.live.sources import FileSource, MicSource, Packet, StdinSource
from diffposetalk.model.checkpoint import Model


@pytest.fixture(scope="module")
def tiny(tiny_model: Model) -> Talker:
    return Talker(tiny_model)


class Listener:
    """Counts and times the datagrams on a free port."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.arrivals: list[tuple[float, bytes]] = []
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self) -> None:
        while True:
            try:
                data = self.socket.recv(9000)
            except OSError:
                return
            self.arrivals.append((time.monotonic(), data))


@pytest.fixture
def listeners() -> Iterator[list[Listener]]:
    both = [Listener(), Listener()]
    yield both
    for one in both:
        one.socket.close()


def perform(tiny: Talker, source: Any, urls: list[str], lines: list[str], **how: Any) -> Any:
    outputs = Outputs([address_of(url) for url in urls], lines.append)
    performance = Performance(tiny.stream(steps=1, hop_ms=160), source, outputs, how.pop("fps", 30))
    summary = performance.run(**how)
    return summary, outputs


def test_a_file_goes_to_several_programs_at_the_pace_of_the_sound(
    tiny: Talker, sample_path: Path, tmp_path: Path, listeners: list[Listener]
) -> None:
    lines: list[str] = []
    started = time.monotonic()
    urls = [f"livelink://127.0.0.1:{listeners[0].port}", f"ifacialmocap://127.0.0.1:{listeners[1].port}"]
    summary, outputs = perform(tiny, FileSource(sample_path), urls, lines, seconds=2.0)
    took = time.monotonic() - started
    assert not lines and took >= 2.0 and summary.seconds == pytest.approx(2.0, abs=0.5)
    assert list(outputs.sent.values()) == [summary.n_frames] * 2
    assert 2.0 * 30 * 0.2 < summary.n_frames <= (took + 0.1) * 30 + 1
    time.sleep(0.1)
    for one in listeners:
        assert len(one.arrivals) == summary.n_frames


def test_raw_samples_on_stdin_are_spoken_to_their_end(tiny: Talker, listeners: list[Listener]) -> None:
    sound = (np.random.default_rng(0).normal(0, 3000, 24000)).astype("<i2").tobytes()

    class Dribbling(io.BytesIO):
        def read1(self, n: int = -1) -> bytes:
            return super().read1(333)  # an odd number: samples are cut in halves

    summary, _ = perform(tiny, StdinSource(16000, Dribbling(sound)), [f"livelink://127.0.0.1:{listeners[0].port}"], [])
    assert summary.seconds == pytest.approx(1.46, abs=0.05)


def test_an_empty_stdin_is_an_error() -> None:
    with pytest.raises(InputError, match="without sound"):
        list(StdinSource(16000, io.BytesIO()).packets())


def test_a_dead_receiver_and_a_wrong_host_cost_one_line_each(
    tiny: Talker, sample_path: Path, listeners: list[Listener]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        dead = unused.getsockname()[1]
    lines: list[str] = []
    urls = [f"vmc://127.0.0.1:{dead}", "livelink://no-such-host.invalid", f"livelink://127.0.0.1:{listeners[0].port}"]
    summary, outputs = perform(tiny, FileSource(sample_path), urls, lines, seconds=1.0)
    assert len(lines) == 2, lines
    assert "no-such-host.invalid" in lines[0] and str(dead) in lines[1]
    assert outputs.sent[urls[2]] == summary.n_frames > 5


def test_no_receiver_at_all_is_an_error() -> None:
    with pytest.raises(DiffPoseTalkError, match="no-such-host"):
        Outputs([address_of("vmc://no-such-host.invalid")], print)


class Cut:
    """Sound that breaks."""

    live = False

    def packets(self) -> Iterator[Packet]:
        yield Packet(np.zeros(16000, np.float32), 16000)
        raise InputError("the cable is cut")


def test_a_source_that_breaks_ends_it_with_its_error(tiny: Talker, listeners: list[Listener]) -> None:
    with pytest.raises(InputError, match="cable"):
        perform(tiny, Cut(), [f"livelink://127.0.0.1:{listeners[0].port}"], [])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1", "must begin with one of vmc, livelink"),
        ("127.0.0.1:39539", "must begin with"),
        ("vmc://", "host is missing"),
        ("vmc://localhost:99999", "ort"),
        ("vmc://localhost:0", "port 0"),
        ("vmc://localhost:abc", "ort"),
        ("vmc://localhost?names=klingon", "names must be one of both, arkit, vrm"),
        ("vmc://localhost?nmaes=vrm", "unknown option 'nmaes'"),
        ("vmc://[::1", "--to"),
    ],
)
def test_a_wrong_address_is_one_line(url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        address_of(url)


def test_default_ports_and_ipv6() -> None:
    ports = {scheme: address_of(f"{scheme}://localhost").port for scheme in PROTOCOLS}
    assert ports == {
        "vmc": 39539,
        "livelink": 11111,
        "ifacialmocap": 49983,
        "vts": 8001,
        "osc": 9000,
        "ws": 8080,
        "wss": 443,
    }
    assert address_of("vmc://[::1]:1234").host == "::1"


@pytest.mark.parametrize("query", ["name=", "name=" + "x" * 300, "id=short"])
def test_wrong_livelink_options(query: str) -> None:
    with pytest.raises(UsageError):
        address_of(f"livelink://127.0.0.1?{query}").open(print)


def test_a_machine_that_is_too_slow_is_told_of_once(tiny: Talker, listeners: list[Listener]) -> None:
    class Slow:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __getattr__(self, name: str) -> Any:
            return getattr(self.stream, name)

        def feed(self, *packet: Any, **how: Any) -> Any:
            chunk = self.stream.feed(*packet, **how)
            time.sleep(0.0 if chunk is None else 1.05 * self.stream.hop_s)
            return chunk

    lines: list[str] = []
    outputs = Outputs([address_of(f"livelink://127.0.0.1:{listeners[0].port}")], lines.append)
    source = StdinSource(16000, io.BytesIO(bytes(2 * 16000 * 3)))
    Performance(Slow(tiny.stream(steps=1)), source, outputs, 30, notify=lines.append).run()  # type: ignore[arg-type]
    assert len(lines) == 1 and "too slow" in lines[0]


class FakeSound(types.ModuleType):
    """Stands for the package sounddevice: a microphone that hears a tone, and a loudspeaker that keeps what it plays."""

    PortAudioError = RuntimeError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.played: list[np.ndarray] = []

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        if device == "nothing":
            raise ValueError("No input device matching 'nothing'")
        return {"default_samplerate": 44100.0}

    def InputStream(self, samplerate: int, blocksize: int, callback: Any, **_: Any) -> Any:
        return _Clockwork(lambda t: callback(
            np.full((blocksize, 1), 0.1, np.float32), blocksize, types.SimpleNamespace(inputBufferAdcTime=5 + t), None
        ), blocksize / samplerate)  # fmt: skip

    def OutputStream(self, samplerate: int, callback: Any, **_: Any) -> Any:
        def play(t: float) -> None:
            out = np.ones((320, 1), np.float32)
            callback(out, 320, types.SimpleNamespace(outputBufferDacTime=0.0, currentTime=0.0), None)
            self.played.append(out[:, 0])

        return _Clockwork(play, 320 / samplerate)


class _Clockwork:
    def __init__(self, tick: Any, period_s: float) -> None:
        self._tick, self._period_s, self._stopped = tick, period_s, threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        start, n = time.monotonic(), 0
        while not self._stopped.wait(max(0.0, start + n * self._period_s - time.monotonic())):
            self._tick(n * self._period_s)
            n += 1

    def close(self) -> None:
        self._stopped.set()

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def fake_sound(monkeypatch: pytest.MonkeyPatch) -> FakeSound:
    fake = FakeSound()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def test_a_microphone(tiny: Talker, listeners: list[Listener], fake_sound: FakeSound) -> None:
    source = MicSource("2", print)
    summary, _ = perform(tiny, source, [f"livelink://127.0.0.1:{listeners[0].port}"], [], seconds=1.0)
    assert summary.seconds >= 0.9 and source.live
    with pytest.raises(DiffPoseTalkError, match="No input device"):
        MicSource("nothing", print)


def test_a_missing_sound_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(UsageError, match=r"diffposetalk\[mic\]"):
        MicSource(None, print)


def test_played_sound_and_face_have_one_clock(fake_sound: FakeSound, listeners: list[Listener]) -> None:
    """Sample n of the sound is played when the face of its time is sent."""
    from diffposetalk.live.clock import Clock
    from diffposetalk.live.playing import Player

    sound = (np.arange(32000) / 32768).astype(np.float32)
    clock, player = Clock(0.0, live=False), Player(16000)
    player.add(Packet(sound, 16000))
    player.start(clock, delay_s=0.1)
    time.sleep(0.1)
    clock.arrived(0.0)
    differences = []
    for _ in range(20):
        time.sleep(0.03)
        position, last = clock.position, fake_sound.played[-1]
        assert position is not None
        if position > 0.15:
            differences.append(position - 0.1 - last[-1] * 32768 / 16000)
    player.close()
    assert np.abs(np.median(differences)) < 0.1
    played = np.concatenate(fake_sound.played)
    spoken = np.round(played[played > 0] * 32768).astype(int)
    assert (np.diff(spoken) == 1).mean() > 0.95, "without holes"


def test_the_command(tiny_model: Model, tmp_path: Path, sample_path: Path) -> None:
    tiny_model.save(tmp_path / "tiny.safetensors")
    listener = Listener()
    model, to = tmp_path / "tiny.safetensors", f"livelink://127.0.0.1:{listener.port}"
    words = f"live --file {sample_path} --model {model} --steps 1 --to {to} --seconds 1 --fps 25 --json"
    command = [sys.executable, "-m", "diffposetalk", *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["seconds"] >= 0.9 and result["frames"] == sum(result["sent"].values()) > 10
    assert len(listener.arrivals) == result["frames"]
    listener.socket.close()


def test_ctrl_c_is_the_usual_end(tiny_model: Model, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "tiny.safetensors")
    words = f"live --stdin --model {tmp_path / 'tiny.safetensors'} --to livelink://127.0.0.1:9"
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "diffposetalk", *words.split()],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert "stop with Ctrl-C" in process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "faces" in out and "Traceback" not in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--file", "none.wav", "--to", "vmc://127.0.0.1"], "none.wav"),
        (["--stdin", "--to", "nowhere"], "must begin with one of"),
        (["--stdin"], "--to"),
        (["--file", "a.wav", "--mic", "--to", "vmc://127.0.0.1"], "not allowed with"),
        (["--file", "a.wav", "--rate", "8000", "--to", "vmc://127.0.0.1"], "--rate"),
        (["--mic", "--play", "--to", "vmc://127.0.0.1"], "--play"),
        (["--stdin", "--lookahead", "9999", "--to", "vmc://127.0.0.1"], "between 0 and 1000"),
    ],
)
def test_wrong_command_lines(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    from diffposetalk.cli.main import run

    assert run(["live", *words]) in (1, 2)
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1


def test_a_face_is_rest_before_the_first_frame() -> None:
    from diffposetalk.live.receivers.faces import FaceTrack

    face = FaceTrack().at(1.0)
    assert isinstance(face, Face) and not face.weights.any() and not face.head.any()
