"""Measure the live server: sessions per processor, how late answers are, and what an idle session keeps in memory.

`python benchmarks/serve.py` starts a server in a process of its own and speaks to it in real time from this one. Late is
the time from sending the last sound that a chunk needs (its own and the look-ahead) until the chunk is here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from diffposetalk.live.client import Live, Sent, connect
from diffposetalk.speech import Speech

SAMPLE = Path(__file__).parents[1] / "src" / "diffposetalk" / "assets" / "sample.flac"
RATE = 16_000
PACKET = RATE // 25
"""40 ms."""


class Server:
    """`diffposetalk serve` in a process of its own."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "diffposetalk", "serve", "--port", "0", "--limit", "sessions=1000",
                   "--limit", "connections=1000", *words]  # fmt: skip
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        found = re.search(r"(ws://\S+/live);", self._process.stdout.readline())
        assert found, "the server did not start"
        self.url = found[1]

    def processor_s(self) -> float:
        """Seconds of processor time used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()


async def spoken_live(live: Live, sound: np.ndarray, ahead: int, offset_s: float) -> list[float]:
    """Speak in real time; return how late each chunk was, seconds.

    Args:
        live: a session.
        sound: ``(n,)`` 16-bit samples.
        ahead: samples of the look-ahead.
        offset_s: wait this long first, so that sessions do not all send at the same moment.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(offset_s)
    began = loop.time()
    sent_at: list[float] = []

    async def send() -> None:
        for index in range(len(sound) // PACKET):
            await asyncio.sleep(began + index * PACKET / RATE - loop.time())
            sent_at.append(loop.time())
            await live.send(sound[index * PACKET : (index + 1) * PACKET])
        await live.finish()

    sending = asyncio.create_task(send())
    late: list[float] = []
    while True:
        item = await live.receive()
        if not isinstance(item, Sent):
            if item.kind == "finished":
                break
            continue
        needed = (item.chunk.end + ahead - 1) // PACKET
        if needed < len(sound) // PACKET:
            late.append(loop.time() - sent_at[needed])
    await sending
    return late


async def load(server: Server, n_sessions: int, sound: np.ndarray, lookahead_ms: int) -> dict[str, float]:
    """Speak in several sessions at once; return the figures."""
    ahead = lookahead_ms * RATE // 1000
    sessions = [connect(server.url, rate=RATE, seed=seed) for seed in range(n_sessions)]
    lives = [await session.__aenter__() for session in sessions]
    before = server.processor_s()
    late = await asyncio.gather(
        *(spoken_live(live, sound, ahead, index * 0.08 / n_sessions) for index, live in enumerate(lives))
    )
    used = server.processor_s() - before
    for session in sessions:
        await session.__aexit__(None, None, None)
    values = 1000 * np.concatenate(late)
    return {
        "sessions": n_sessions,
        "p50 ms": float(np.percentile(values, 50)),
        "p99 ms": float(np.percentile(values, 99)),
        "processor s a second": used / (n_sessions * len(sound) / RATE),
    }


async def idle_memory(server: Server, n_sessions: int, sound: np.ndarray) -> float:
    """Return the memory of an idle session that has said a second, megabytes; the first half of them warms up."""
    sessions = [connect(server.url, rate=RATE, seed=seed) for seed in range(2 * n_sessions)]
    sizes = []
    for index, session in enumerate(sessions):
        live = await session.__aenter__()
        async for _ in live.speak([sound[:RATE]]):
            pass
        if index + 1 in (n_sessions, 2 * n_sessions):
            sizes.append(server.megabytes())
    for session in sessions:
        await session.__aexit__(None, None, None)
    return (sizes[1] - sizes[0]) / n_sessions


async def run(args: argparse.Namespace) -> None:
    """Print the figures."""
    samples = Speech.load(SAMPLE).resampled(RATE).samples
    sound = np.rint(np.resize(samples, args.seconds * RATE) * 32767).astype("<i2")
    words = ["--lookahead", str(args.lookahead), "--hop", str(args.hop)]
    if args.workers:
        words += ["--workers", str(args.workers)]
    server = Server(*words, *args.serve)
    try:
        await load(server, 1, sound[: 3 * RATE], args.lookahead)  # warms up
        print(f"load before the run {os.getloadavg()[0]:.1f}; {os.cpu_count()} processors")
        print(
            "| sessions | p50 ms | p99 ms | processor s a second of speech | sessions a processor |\n|---|---|---|---|---|"
        )
        for n_sessions in args.sessions:
            figures = await load(server, n_sessions, sound, args.lookahead)
            cost = figures["processor s a second"]
            print(
                f"| {n_sessions} | {figures['p50 ms']:.0f} | {figures['p99 ms']:.0f} | {cost:.3f} | {1 / cost:.1f} |",
                flush=True,
            )
        if args.idle:
            megabytes = await idle_memory(server, args.idle, sound)
            print(
                f"an idle session keeps {megabytes:.2f} MB ({args.idle} sessions; the server {server.megabytes():.0f} MB)"
            )
    finally:
        server.stop()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seconds", type=int, default=10, help="seconds of speech in each session")
    parser.add_argument("--lookahead", type=int, default=240, help="milliseconds")
    parser.add_argument("--hop", type=int, default=80, help="milliseconds")
    parser.add_argument("--workers", type=int)
    parser.add_argument("--idle", type=int, default=40, help="idle sessions whose memory is measured")
    parser.add_argument("serve", nargs="*", help="further words for `diffposetalk serve`, after --")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
