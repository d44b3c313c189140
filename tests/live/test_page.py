"""The example page in Chromium: a file is spoken, a face moves, a wrong token is said."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.live.loudness import LoudnessVoices
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as raw_connect

from diffposetalk.live.server import LiveServer

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)


class Page:
    """A page of a browser, driven by Chrome's DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count()

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method; return its result."""
        number = next(self._numbers)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await self._socket.recv())
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    async def value(self, code: str) -> Any:
        """Return the value of some JavaScript."""
        result = await self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, code: str) -> None:
        """Wait until some JavaScript is true."""
        while not await self.value(code):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Page]:
    """A page of a new browser."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--remote-debugging-port=0",
        "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while not (folder / "DevToolsActivePort").exists() or not (folder / "DevToolsActivePort").read_text().strip():
            await asyncio.sleep(0.05)
        port, path = (folder / "DevToolsActivePort").read_text().split()
        async with raw_connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
            target = (await Page(socket).call("Target.getTargets"))["targetInfos"][0]["targetId"]
            address = f"ws://127.0.0.1:{port}/devtools/page/{target}"
            async with raw_connect(address, max_size=None, proxy=None) as own:
                yield Page(own)
    finally:
        process.kill()
        await process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_page_speaks_a_file(in_loop: Callable[..., Any], sample_path: Path, tmp_path: Path) -> None:
    async def body() -> None:
        server = LiveServer(LoudnessVoices(), port=0, token="secret word")
        async with server, browser(tmp_path / "profile") as page:
            await page.call("Page.enable")
            await page.call("Page.navigate", url=server.page_url)
            await page.until("document.readyState == 'complete' && !!document.getElementById('file')")
            node = (await page.call("Runtime.evaluate", expression="document.getElementById('file')"))["result"]
            await page.call("DOM.setFileInputFiles", files=[str(sample_path)], objectId=node["objectId"])
            await page.value("document.getElementById('speak').click()")
            await page.until("document.getElementById('status').textContent.includes('token')")
            assert await page.value("!document.getElementById('guard').hidden")
            await page.value("document.getElementById('token').value = 'secret word'")
            await page.value("document.getElementById('speak').click()")
            await page.until("document.querySelectorAll('meter').length == 52")
            jaw = "[...document.querySelectorAll('#weights div')].find(row => row.textContent == 'jawOpen').lastChild.value"
            seen = {round(float(await page.value(jaw)), 3) for _ in range(40) if not await asyncio.sleep(0.05)}
            assert len(seen) > 8 and max(seen) > 0.05  # the face moves
            assert "Speaking 1" in await page.value("document.getElementById('status').textContent")
            picture = await page.call("Page.captureScreenshot")
            (tmp_path / "page.png").write_bytes(base64.b64decode(picture["data"]))
            await page.value("document.getElementById('stop').click()")
            await page.until("document.getElementById('status').textContent.includes('Stopped after')")
            text = await page.value("document.getElementById('status').textContent")
            assert 0.5 < float(text.split()[2]) < 11

    in_loop(body)
