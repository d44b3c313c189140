"""Sessions from the beginning to the end, for programs with asyncio and without."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from diffposetalk.live.client.asynchronous import Live
from diffposetalk.live.client.synchronous import LiveSync
from diffposetalk.live.protocol import OPUS_RATE, PROTOCOL


@asynccontextmanager
async def connect(
    url: str, *, rate: int = 16_000, encoding: str = "pcm16", channels: int = 1, style: str | None = None, seed: int = 0,
    sound_back: str = "pcm16", slow: str = "pause", token: str | None = None, tls: Any = None, resumes: bool = True,
) -> AsyncIterator[Live]:  # fmt: skip
    """Start a session with a server; it ends with the `async with` block.

    Args:
        url: such as ``ws://127.0.0.1:8765/live``.
        rate: sample rate of the sound, Hz; of Opus always 48000.
        encoding: "pcm16", "float32", or "opus" (one packet in each call of `Live.send`).
        channels: 1 or 2.
        style: name of a style that the server has. Default: the server's.
        seed: the same seed, sound and style give the same motion.
        sound_back: how the sound comes back: "pcm16", "float32" or "none" (silence of its length).
        slow: if this client reads too slowly, the session waits ("pause") or leaves chunks out ("drop").
        token: what the server asks for.
        tls: `ssl.SSLContext` for a `wss:` address with a certificate of its own.
        resumes: connect again by itself if the connection is lost.

    Raises:
        LiveError: there is no such server, or it refuses.
    """
    sound = {"encoding": encoding, "rate": OPUS_RATE if encoding == "opus" else rate, "channels": channels}
    start: dict[str, Any] = {
        "type": "start", "protocol": PROTOCOL, "sound": sound, "seed": seed, "sound_back": sound_back, "slow": slow,
    }  # fmt: skip
    start |= {name: value for name, value in (("style", style), ("token", token)) if value is not None}
    live = Live(url, start, tls, resumes)
    try:
        await live._begin()
        yield live
    finally:
        await live.close()


@contextmanager
def connect_sync(url: str, **options: Any) -> Iterator[LiveSync]:
    """Start a session with a server, without asyncio; it ends with the `with` block. Arguments: see `connect`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="live client", daemon=True)
    thread.start()
    try:
        session = connect(url, **options)
        live = asyncio.run_coroutine_threadsafe(session.__aenter__(), loop).result()
        try:
            yield LiveSync(live, loop)
        finally:
            asyncio.run_coroutine_threadsafe(session.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
