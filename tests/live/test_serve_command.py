"""`diffposetalk serve` as its users start it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.live.talking import blocks

from diffposetalk.cli import run
from diffposetalk.live.client import LiveError, connect_sync
from diffposetalk.speech import Speech


@contextmanager
def serving(*words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and the address that it says."""
    command = [sys.executable, "-m", "diffposetalk", "serve", "--port", "0", *words]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        found = re.search(r"(wss?://\S+/live);", line)
        assert found, line + process.stderr.read()
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_speaks_and_stops_in_good_order(tiny_model_path: Path, speech: Speech, number: int) -> None:
    words = ["--model", str(tiny_model_path), "--limit", "sessions=3", "--lookahead", "80", "--hop", "160"]
    with serving(*words, DIFFPOSETALK_TOKEN="from the environment") as (process, url):
        with pytest.raises(LiveError, match="token"), connect_sync(url):
            pass
        with connect_sync(url, rate=16_000, style="lively", token="from the environment", resumes=False) as live:
            assert live.live.about["styles"] == ["neutral", "lively"]
            answer = list(live.speak(blocks(speech.samples)))
            assert sum(len(sent.chunk.weights) for sent in answer) == 58
            assert np.isfinite(answer[0].chunk.weights).all()
            event = live.interrupt(8_000)
            assert event.fields["position"] == 8_320  # the next frame
            health = json.loads(urllib.request.urlopen(url.replace("ws", "http", 1)[:-4] + "health", timeout=10).read())
            assert health["sessions"] == 1 and health["free"] == 2
            process.send_signal(number)
            with pytest.raises(LiveError, match="lost"):
                while live.receive() is not None:
                    pass
        assert process.wait(20) == 0


def test_own_styles_and_encryption(tiny_model_path: Path, tmp_path: Path, speech: Speech) -> None:
    import ssl

    style = tmp_path / "me.safetensors"
    assert run(["style", "lively", "neutral", "--model", str(tiny_model_path), "-o", str(style)]) == 0
    certificate = tmp_path / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key.pem", "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        capture_output=True,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("needs openssl to make a certificate")
    words = ["--model", str(tiny_model_path), "--style", f"me={style}", "--certificate", str(certificate)]
    with serving(*words, "--key", str(tmp_path / "key.pem")) as (_, url):
        assert url.startswith("wss://")
        trust = ssl.create_default_context(cafile=str(certificate))
        with connect_sync(url, style="me", tls=trust) as live:
            assert live.live.about["styles"][0] == "me"
            assert len(list(live.speak(blocks(speech.samples[:16_000])))) > 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--token"),
        (["--token", " "], "the token is empty"),
        (["--limit", "talks=3"], "unknown limit 'talks'"),
        (["--limit", "sessions=many"], "sessions=N"),
        (["--limit", "sessions=0"], "sessions must be above 0"),
        (["--limit", "idle_s=nan"], "idle_s must be above 0"),
        (["--style", "me"], "NAME=FILE"),
        (["--style", "me=absent.safetensors"], "no such file"),
        (["--key", "key.pem"], "--certificate"),
        (["--certificate", "absent.pem"], "absent.pem"),
        (["--hop", "10"], "between 40 and 1000"),
        (["--port", "70000"], "between 0 and 65535"),
        (["--model", "absent"], "absent"),
        (["--host", "999.1.1.1", "--token", "x"], "cannot listen at 999.1.1.1"),
    ],
)
def test_wrong_orders(
    tiny_model_path: Path, capfd: pytest.CaptureFixture[str], words: list[str], message: str, monkeypatch: Any
) -> None:
    monkeypatch.delenv("DIFFPOSETALK_TOKEN", raising=False)
    model = [] if "--model" in words else ["--model", str(tiny_model_path)]
    assert run(["serve", "--port", "0", *model, *words]) in (1, 2)
    lines = [line for line in capfd.readouterr().err.splitlines() if "warning" not in line]
    assert len(lines) == 1 and message in lines[0]


def test_a_port_that_is_taken(tiny_model_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", "--model", str(tiny_model_path), "--port", port]) == 1
    assert f"cannot listen at 127.0.0.1, port {port}" in capfd.readouterr().err


WITHOUT_TORCH = """
import asyncio, sys
sys.modules["torch"] = None
import diffposetalk.live.client as client
print(*sys.modules)
from diffposetalk.generate.talker import Talker
from diffposetalk.live.server import LiveServer, TalkerVoices
from diffposetalk.speech import Speech

async def main():
    sound = Speech.load(sys.argv[1]).samples
    async with LiveServer(TalkerVoices(Talker.from_pretrained(sys.argv[2])), port=0) as server:
        async with client.connect(server.url, encoding="float32") as live:
            print(sum([len(sent.chunk.weights) async for sent in live.speak([sound])]))

asyncio.run(main())
"""


def test_served_without_torch_and_the_client_is_light(bundled_model: Path, speech: Speech, tmp_path: Path) -> None:
    speech.slice(0, 1).save(tmp_path / "second.wav")
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tmp_path / "second.wav"), str(bundled_model)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded, n_frames = done.stdout.splitlines()
    assert not {"av", "onnxruntime", "scipy", "soxr", "websockets"} & set(loaded.split())
    assert int(n_frames) == 25 + 8
