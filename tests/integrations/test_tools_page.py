"""docs/tools.md: every file that it names is one that we write, and every link and picture is there."""

from __future__ import annotations

import re
from pathlib import Path

from diffposetalk.exchange import format_of

PAGE = Path(__file__).parents[2] / "docs" / "tools.md"


def test_every_file_named_can_be_written() -> None:
    """By its name alone, and names that differ mean formats that differ (USD's endings are one)."""
    text = PAGE.read_text()
    names = set(re.findall(r"`(talk[\w.]*\.[a-z0-9]+)`", text)) - {"talk_speech.wav"}
    assert len(names) > 15
    formats = [format_of(name).name for name in names]
    assert len(set(formats)) == len(names) - 1, sorted(zip(names, formats))


def test_links_lead_somewhere() -> None:
    """Files beside the page and in the project; pictures are small."""
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE.read_text()):
        target = (PAGE.parent / link).resolve()
        assert target.exists(), link
        assert target.suffix not in (".jpg", ".png") or target.stat().st_size < 300_000, link
