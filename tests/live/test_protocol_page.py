"""What docs/live-protocol.md says is what the server does."""

from __future__ import annotations

import re
import struct
from dataclasses import fields
from pathlib import Path

import numpy as np

from diffposetalk.live.protocol import _HEADER, CLOSED, PROTOCOL, SOUND_BACK, Sent, encoded
from diffposetalk.live.server import Limits
from diffposetalk.live.synced import SyncedChunk

PAGE = (Path(__file__).parents[2] / "docs" / "live-protocol.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its first two rows."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_limits_and_codes_are_those_of_the_page() -> None:
    assert [(name, float(default)) for name, default, _ in rows("Limits")] == [
        (field.name, field.default) for field in fields(Limits)
    ]
    codes = {code: int(number) for code, number, _ in rows("Errors")}
    assert codes == {"bad-sound": CLOSED["bad-message"], **CLOSED}
    assert f"version **{PROTOCOL}**" in PAGE


def test_the_page_reads_a_chunk() -> None:
    """The code of the page, and the table of bytes, on chunks with every kind of sound."""
    rng = np.random.default_rng(0)
    chunk = SyncedChunk(
        5,
        3197,
        15_987,
        25.0,
        np.zeros(1279, np.float32),
        rng.random((2, 52), np.float32),
        rng.random((2, 3), np.float32),
    )
    offsets = [int(row[0]) for row in rows("A chunk") if row[0].isdigit()]
    ends = [struct.calcsize(_HEADER.format[:n]) for n in range(3, len(_HEADER.format) + 1)]
    assert offsets == [0, *ends] and ends[-1] == 36
    code = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.S) if "unpack_from" in block)
    for index, sound in enumerate(SOUND_BACK):
        names = {"chunk": encoded(Sent(chunk, 7, gap=True), sound)}
        exec(code, names)  # our own page
        assert names["kind"] == index and names["flags"] == 2 and names["number"] == 7
        assert (names["position"], names["samples"], names["rate"], names["fps"]) == (3197, 1279, 15_987, 25)
        assert np.array_equal(names["weights"], chunk.weights) and np.array_equal(names["head"], chunk.head)
