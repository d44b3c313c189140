"""Drives Chromium by its DevTools protocol, with real mouse and key events."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WAIT_S = 60.0
KEYS = {
    " ": ("Space", 32), "Enter": ("Enter", 13), "Tab": ("Tab", 9), "ArrowLeft": ("ArrowLeft", 37),
    "ArrowRight": ("ArrowRight", 39), "ArrowDown": ("ArrowDown", 40),
}  # fmt: skip
"""Key -> its code and its number, for keys that are no digits."""


class Chromium:
    """A headless Chromium with one page."""

    def __init__(self) -> None:
        """Start the program; skips the test where it or `websockets` is absent."""
        connect = pytest.importorskip("websockets.sync.client", reason="needs websockets").connect
        program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
        if program is None:
            pytest.skip("needs chromium")
        self._folder = Path(tempfile.mkdtemp(prefix="chromium-"))
        self._process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={self._folder}",
             "--disable-gpu", "--mute-audio", "--hide-scrollbars", "--disable-background-networking", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        ports = self._folder / "DevToolsActivePort"
        self.until(lambda: ports.exists() and len(ports.read_text().splitlines()) > 1)
        port, path = ports.read_text().splitlines()[:2]
        self._socket = connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        self._number = itertools.count(1)
        self._session: str | None = None
        self.requests: list[str] = []
        """Addresses that the page asked for."""
        self.complaints: list[str] = []
        """Errors of scripts and of the security policy."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._ask(f"{domain}.enable")

    def __enter__(self) -> Chromium:
        """Use it in a `with` statement."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the program."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._number)
        message = {"id": number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            reply = json.loads(self._socket.recv(timeout=WAIT_S))
            if reply.get("id") == number:
                assert "error" not in reply, f"{method}: {reply['error']}"
                return reply["result"]
            self._note(reply)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and params["entry"]["source"] in ("security", "javascript"):
            self.complaints.append(params["entry"]["text"])

    @staticmethod
    def until(true: Any, seconds: float = WAIT_S) -> None:
        """Wait until a function returns something true."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.05)

    def size(self, width: int, height: int, dark: bool = False) -> None:
        """Set the size of the window and the colour scheme."""
        self._ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, address: str) -> None:
        """Go to an address and wait for the page."""
        self._ask("Page.navigate", url=address)
        blank = address == "about:blank"
        self.until(
            lambda: (
                self.run("document.readyState") == "complete" and (self.run("location.href") == "about:blank") == blank
            )
        )

    def run(self, code: str) -> Any:
        """Return the value of an expression on the page; None while the page changes."""
        try:
            result = self._ask("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        except AssertionError:
            return None
        return result["result"].get("value")

    def wait(self, code: str, seconds: float = WAIT_S) -> None:
        """Wait until an expression on the page is true."""
        self.until(lambda: self.run(code), seconds)

    def click(self, selector: str) -> None:
        """Click the middle of an element with the mouse."""
        place = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        assert place is not None, f"there is no {selector}"
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            count = 0 if kind == "mouseMoved" else 1
            self._ask("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=count)

    def key(self, key: str) -> None:
        """Press and release a key."""
        code, number = KEYS.get(key, (f"Digit{key}", ord(key[0])))
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        common = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self._ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **common)
        self._ask("Input.dispatchKeyEvent", type="keyUp", **common)

    def accessible(self) -> list[tuple[str, str]]:
        """Return role and name of everything that a screen reader can act on or reads as a value."""
        roles = {"button", "radio", "checkbox", "slider", "progressbar", "Video", "link", "group"}
        nodes = self._ask("Accessibility.getFullAXTree")["nodes"]
        found = [(node.get("role", {}).get("value"), node.get("name", {}).get("value", "")) for node in nodes]
        return [(role, name) for role, name in found if role in roles]

    def picture(self, path: Path) -> None:
        """Save a screenshot of the whole page."""
        shot = self._ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
