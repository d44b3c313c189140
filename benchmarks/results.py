"""Results of a benchmark: printed, written as JSON, and put between two marks of a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

README = Path(__file__).with_name("README.md")
"""The page of results."""


def publish(
    text: str, figures: dict[str, Any], json_path: Path | None, marks: tuple[str, str] | None, page: Path = README
) -> None:
    """Print results, and keep them where that is asked for.

    Args:
        text: the tables.
        figures: what they show.
        json_path: file for the figures; None for no file.
        marks: beginning and end of the tables in the page; None to leave it as it is.
        page: the page.
    """
    print(text)
    if json_path:
        json_path.write_text(json.dumps(figures, indent=1))
    if marks:
        begin, end = marks
        before, _, rest = page.read_text(encoding="utf-8").partition(begin)
        page.write_text(before + begin + "\n\n" + text + "\n" + end + rest.partition(end)[2], encoding="utf-8")
