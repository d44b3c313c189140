"""Tables of numbers in text (CSV): read by column name, with one clear line for what is wrong; and frames from times."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError

LARGEST_BYTES = 1_000_000_000
"""Larger text files are taken for a mistake and not read; an hour at 60 frames a second is a tenth of it."""
USUAL_RATES = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 90.0, 100.0, 120.0)
"""Frame rates that a measured one is taken for when it is within 0.02 %."""


def check_size(path: Path) -> None:
    """Refuse a text file that is too large, before reading it.

    Raises:
        InputError: it is missing or larger than `LARGEST_BYTES`.
    """
    try:
        size = path.stat().st_size
    except OSError:
        raise InputError(f"{path}: no such file") from None
    if size > LARGEST_BYTES:
        raise InputError(
            f"{path}: has {size / 1e9:.1f} GB, more than any motion; at most {LARGEST_BYTES / 1e9:g} GB are read"
        )


@dataclass(frozen=True)
class Rows:
    """A CSV file as text."""

    path: Path
    names: tuple[str, ...]
    """Of the columns, as in the header."""
    cells: list[list[str]]
    lines: list[int]
    """Line number of each row."""

    @classmethod
    def read(cls, path: Path) -> Rows:
        """Read a file; empty lines are skipped.

        Raises:
            InputError: it is no text, too large, empty, has no header or a column twice.
        """
        check_size(path)
        cells, lines = [], []
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                for row in reader:
                    if any(cell.strip() for cell in row):
                        cells.append(row)
                        lines.append(reader.line_num)
        except (UnicodeDecodeError, csv.Error, OSError) as error:
            raise InputError(f"{path}: not a CSV text file ({error})") from None
        if not cells:
            raise InputError(f"{path}: is empty")
        names = tuple(name.strip() for name in cells[0])
        if sum(_is_value(name) for name in names) * 2 > len(names):
            raise InputError(f"{path}: has no header; the first line must name the columns")
        for name in names:
            if name and names.count(name) > 1:
                raise InputError(f"{path}: the column {name} is there twice")
        return cls(path, names, cells[1:], lines[1:])

    def numbers(self, columns: Sequence[str]) -> np.ndarray:
        """Return columns as `(T, n)` float64.

        Raises:
            InputError: a row is longer or shorter than the header, a cell is no finite number; the line is named.
        """
        for row, line in zip(self.cells, self.lines):
            if len(row) != len(self.names):
                raise InputError(f"{self.path}: line {line} has {len(row)} cells but the header {len(self.names)}")
        index = [self.names.index(name) for name in columns]
        try:
            values = np.array([[row[i] for i in index] for row in self.cells], np.float64)
        except ValueError:
            values = None
        if values is None or not np.isfinite(values).all():
            raise InputError(self._first_wrong(index))
        return values.reshape(len(self.cells), len(index))

    def without(self, wrong: Sequence[bool]) -> Rows:
        """Return the file without some rows."""
        kept = [i for i, drop in enumerate(wrong) if not drop]
        return Rows(self.path, self.names, [self.cells[i] for i in kept], [self.lines[i] for i in kept])

    def _first_wrong(self, index: Sequence[int]) -> str:
        for row, line in zip(self.cells, self.lines):
            for i in index:
                try:
                    good = bool(np.isfinite(float(row[i])))
                except ValueError:
                    good = False
                if not good:
                    return f"{self.path}: line {line}, column {self.names[i]}: {row[i]!r} is not a finite number"
        return f"{self.path}: holds something that is not a finite number"


def _is_value(cell: str) -> bool:
    try:
        float(cell.replace(":", ""))
    except ValueError:
        return False
    return True


def frames_of(times: np.ndarray, where: object, lone: float = 30.0) -> tuple[float, np.ndarray]:
    """Find the frame rate of times, and the frame number of each.

    Args:
        times: `(n,)` seconds.
        where: the file, for messages.
        lone: frame rate to take when there is one frame only.

    Returns:
        Frames per second, and `(n,)` whole frame numbers from 0, with holes where frames are missing.

    Raises:
        InputError: there are none, time stands still or goes back, or holes are beyond reason.
    """
    if not len(times):
        raise InputError(f"{where}: has no frames")
    if len(times) == 1:
        return lone, np.zeros(1, int)
    steps = np.diff(times)
    if steps.min() <= 0:
        raise InputError(f"{where}: time does not go on at frame {int(np.argmin(steps)) + 1}")
    usual = steps[np.abs(steps / np.median(steps) - 1) < 0.25]  # holes left out; the mean is finer than the median
    fps = 1 / float(usual.mean())
    fps = next((rate for rate in USUAL_RATES if abs(fps / rate - 1) < 2e-4), fps)
    index = np.rint((times - times[0]) * fps).astype(int)
    if np.diff(index).min() <= 0 or index[-1] > 20 * len(index) + 1000:
        raise InputError(
            f"{where}: its times are too uneven for a frame rate ({fps:.3g} frames a second by most of them)"
        )
    return fps, index


def filled(index: np.ndarray) -> np.ndarray:
    """Return for each frame of `0 .. index[-1]` its fractional position among the frames that there are."""
    return np.interp(np.arange(index[-1] + 1), index, np.arange(len(index)))


def lerped(values: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return rows of `(T, n)` at fractional positions; whole ones are exact."""
    low = np.floor(position).astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (position - low)[:, None]
    return values[low] * (1 - share) + values[high] * share
