"""A hosted study in a process of its own, which can be killed and started again, and a rater's requests to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode

import pytest

START_S = 90.0


def need_libraries() -> None:
    """Skip the test where the study cannot be hosted."""
    for name in ("fastapi", "uvicorn", "jinja2"):
        pytest.importorskip(name, reason=f"needs {name} (the extra `study`)")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass(frozen=True)
class Reply:
    """Answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> dict[str, object]:
        """Return the body as a JSON object."""
        return dict(json.loads(self.body))


class Host:
    """`diffposetalk study serve` as a process."""

    def __init__(self, study: Path, *options: str, answers: Path | None = None, alone: bool = False) -> None:
        """Start it and wait until it listens.

        Args:
            study: study file.
            options: further words of the command.
            answers: file of the answers; None: beside the study.
            alone: run the study file itself, without the project.
        """
        need_libraries()
        self.port = free_port()
        self._command = (
            [sys.executable, "-I", str(study)]
            if alone
            else [sys.executable, "-m", "diffposetalk", "study", "serve", str(study)]
        )
        self._command += ["--port", str(self.port), *options]
        if answers is not None:
            self._command += ["--answers", str(answers)]
        self.start()

    def start(self) -> None:
        """Start the process on the same port and file of answers."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + START_S
        while True:
            try:
                self.get("/health")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"the server did not start: {self.process.communicate()}") from None
                time.sleep(0.05)

    def kill(self) -> None:
        """Kill it at once, like `kill -9`."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> str:
        """End it as Ctrl-C does; return what it printed."""
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=START_S)[0]

    def __enter__(self) -> Host:
        """Use it in a `with` statement."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Kill it if it runs."""
        if self.process.poll() is None:
            self.kill()

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Send a request; redirections are not followed."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except http.client.HTTPException as error:
            raise ConnectionError("the answer was cut") from error
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Get a page."""
        return self.ask("GET", path, **headers)

    def begin(self, prefix: str = "", token: str = "", request: str | None = None) -> str:
        """Agree to the consent text; return the path of the rater's link."""
        page = self.get(f"{prefix}/?{urlencode({'token': token})}")
        assert page.status == 200, page.text
        found = re.search(r'name="request" value="([^"]+)"', page.text)
        assert found is not None
        form = {"request": request or found[1], "agree": "yes", "token": token}
        reply = self.ask("POST", f"{prefix}/begin", urlencode(form).encode())
        assert reply.status == 303, reply.text
        return reply.headers["location"]

    def answer(self, link: str, page: int, answers: dict[str, list[float]], replays: int = 0) -> Reply:
        """Answer a page."""
        body = json.dumps({"answers": answers, "replays": replays}).encode()
        return self.ask("POST", f"{link}/{page}", body, Content_Type="application/json")
