"""CSV tables of numbers in any dialect, read by column name; errors name line and column.

Dialects: comma, semicolon, tab or bar between cells; UTF-8 with or without BOM, UTF-16, Latin-1; any line ends; decimal
commas; a time code `HH:MM:SS:FF` or `HH:MM:SS;FF`. Clean files are parsed as blocks of numbers (`text_numbers`); text that
this parser refuses is read row by row with Python's `csv`, which can name line and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.exchange.text_numbers import numbers_of
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing

DELIMITERS = ",;\t|"
"""Characters that can stand between cells."""

BLOCK = 1 << 22
"""Bytes of text that are parsed at once, so that copies of the text stay small."""


@dataclass(frozen=True)
class TimeCodes:
    """A column of time codes, split into fields."""

    fields: np.ndarray
    """``(T, 4)`` hours, minutes, seconds, frames; or ``(T, 3)`` without frames; or ``(T, 1)`` plain numbers."""
    drop_frame: bool
    """Whether they are written `HH:MM:SS;FF`, which marks drop-frame codes."""
    fraction: bool
    """Whether the last field has a decimal point."""


@dataclass(frozen=True)
class Table:
    """A CSV file: as numbers if every cell is one, else as text."""

    path: Path
    names: tuple[str, ...]
    """Column names of the header."""
    lines: np.ndarray
    """``(T,)`` line number of each row."""
    values: np.ndarray | None = None
    """``(T, N + n_fields - 1)`` float64: all cells, the time code split into its fields; None if a cell is not a number."""
    cells: list[list[str]] | None = None
    """All cells as text; None if `values` holds them."""
    code: int | None = None
    """Column number of the time code; None without one."""
    n_fields: int = 1
    """Number of fields of the time code."""
    drop_frame: bool = False
    fraction: bool = False

    @classmethod
    def read(cls, path: Path) -> Table:
        """Read a file; empty lines are skipped.

        Raises:
            InputError: the file is not text, too large or empty, it has no header, or two columns have one name.
        """
        with parsing(path, "CSV text file"):
            data = _as_utf8(read_bytes(path, "CSV text file"), path)
            start, first_line, header = _header(data, path)
            delimiter = max(DELIMITERS, key=header.count)
            names = tuple(name.strip() for name in next(csv.reader([header], delimiter=delimiter), []))
            _check_names(names, path)
            table = _parsed_as_numbers(path, data, start, first_line, delimiter, names)
            return table or _parsed_by_rows(path, data, delimiter)

    def __len__(self) -> int:
        return len(self.lines)

    def column(self, name: str) -> int | None:
        """Return the number of the column of that name (see `plain`), or None if there is no such column."""
        key = plain(name)
        return next((i for i, other in enumerate(self.names) if plain(other) == key), None)

    def numbers(self, columns: Sequence[str]) -> np.ndarray:
        """Return columns as ``(T, n)`` float64.

        Raises:
            InputError: a row is longer or shorter than the header, or a cell is not a finite number; the message names
                the line.
        """
        place = {name: i for i, name in enumerate(self.names)}
        index = [place[name] for name in columns]
        if self.values is not None:
            after = self.n_fields - 1
            shifted = [i + (after if self.code is not None and i > self.code else 0) for i in index]
            values = self.values.T[shifted].T  # column by column, as they lie in memory
            if not np.isfinite(values).all():
                row, column = np.argwhere(~np.isfinite(values))[0]
                raise InputError(self._not_finite(int(row), columns[column], str(values[row, column])))
            return values
        assert self.cells is not None
        for row, line in zip(self.cells, self.lines):
            if len(row) != len(self.names):
                raise InputError(f"{self.path}: line {line} has {len(row)} cells but the header {len(self.names)}")
        comma = _decimal_commas(self.cells, index)
        try:
            texts = [[row[i].replace(",", ".") if comma else row[i] for i in index] for row in self.cells]
            values = np.array(texts, np.float64).reshape(len(self.cells), len(index))
            if np.isfinite(values).all():
                return values
        except ValueError:
            pass
        raise InputError(self._first_wrong(index, comma))

    def codes(self) -> TimeCodes:
        """Return the time codes.

        Raises:
            InputError: a time code is not `HH:MM:SS:FF`; the message names the line.
        """
        assert self.code is not None
        if self.values is not None:
            fields = self.values[:, self.code : self.code + self.n_fields]
            wrong = ~np.isfinite(fields).all(1)
            if wrong.any():
                raise self.wrong_code(int(np.argmax(wrong)))
            return TimeCodes(fields, self.drop_frame, self.fraction)
        assert self.cells is not None
        codes = [re.split("[:;]", row[self.code].strip()) if len(row) > self.code else [""] for row in self.cells]
        n_fields = len(codes[0]) if codes else 4
        rows = np.empty((len(codes), n_fields))
        for i, parts in enumerate(codes):
            try:
                rows[i] = [float(part.replace(",", ".")) for part in parts]
                if not np.isfinite(rows[i]).all():
                    raise ValueError
            except ValueError:
                raise self.wrong_code(i) from None
        texts = [row[self.code] for row in self.cells]
        return TimeCodes(rows, any(";" in text for text in texts), any("." in t or "," in t for t in texts[:9]))

    def wrong_code(self, row: int, why: str = "is not HH:MM:SS:FF.fff") -> InputError:
        """Return the error for the time code of a row."""
        if self.cells is not None:
            cells = self.cells[row]
            text = cells[self.code or 0] if len(cells) > (self.code or 0) else ""
        else:
            assert self.values is not None and self.code is not None
            text = ":".join(f"{value:g}" for value in self.values[row, self.code : self.code + self.n_fields])
        return InputError(f"{self.path}: line {self.lines[row]}: the timecode {text!r} {why}")

    def without(self, wrong: np.ndarray) -> Table:
        """Return the table without the rows where `wrong`, ``(T,)`` bool, is true."""
        if not wrong.any():
            return self
        cells = None if self.cells is None else [row for row, drop in zip(self.cells, wrong) if not drop]
        values = None if self.values is None else self.values[~wrong]
        return replace(self, lines=self.lines[~wrong], values=values, cells=cells)

    def holds_zero(self, name: str) -> np.ndarray:
        """Return ``(T,)`` bool: whether the cell of a column is 0; all false if the column is missing."""
        column = self.column(name)
        if column is None:
            return np.zeros(len(self), bool)
        if self.cells is not None:
            return np.array([len(row) > column and row[column].strip() == "0" for row in self.cells], bool)
        assert self.values is not None
        after = self.n_fields - 1 if self.code is not None and column > self.code else 0
        return np.asarray(self.values[:, column + after] == 0)

    def _not_finite(self, row: int, name: str, text: str) -> str:
        return f"{self.path}: line {self.lines[row]}, column {name}: {text!r} is not a finite number"

    def _first_wrong(self, index: Sequence[int], comma: bool) -> str:
        assert self.cells is not None
        for number, row in enumerate(self.cells):
            for i in index:
                try:
                    good = bool(np.isfinite(float(row[i].replace(",", ".") if comma else row[i])))
                except ValueError:
                    good = False
                if not good:
                    return self._not_finite(number, self.names[i], row[i])
        return f"{self.path}: holds something that is not a finite number"


def _as_utf8(data: bytes, path: Path) -> bytes:
    """Return the text as UTF-8 without byte order mark, lines ended by a line feed."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16").encode()
    elif len(data) > 3 and (data[1:4:2] == b"\0\0" or data[0:3:2] == b"\0\0"):
        data = data.decode("utf-16-le" if data[1] == 0 else "utf-16-be").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in data:
        raise InputError(f"{path}: not a CSV text file (it holds zero bytes)")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _header(data: bytes, path: Path) -> tuple[int, int, str]:
    """Return the position and line number of the first row, and the header; a line `sep=;` of Excel is skipped."""
    start, line = 0, 1
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        text = _text(data[start:end])
        start, line = end + 1, line + 1
        if text.strip(' "\t,;|') and not re.fullmatch(r'"?sep=.?"?', text.strip()):
            return min(start, len(data)), line, text
    raise InputError(f"{path}: is empty")


def _check_names(names: tuple[str, ...], path: Path) -> None:
    if sum(_is_value(name) for name in names) * 2 > len(names):
        raise InputError(f"{path}: has no header; the first line must name the columns")
    for name, count in Counter(names).items():
        if name and count > 1:
            raise InputError(f"{path}: the column {name} occurs twice")


def _is_value(cell: str) -> bool:
    try:
        float(cell.replace(":", "").replace(";", "").replace(",", "."))
    except ValueError:
        return False
    return True


def plain(name: str) -> str:
    """Return a column's name in lower case without spaces and underscores: `timecode` for `Time Code`."""
    return re.sub(r"[\s_]", "", name).lower()


def _code_column(names: tuple[str, ...]) -> int | None:
    return next((i for i, name in enumerate(names) if plain(name) == "timecode"), None)


def _parsed_as_numbers(
    path: Path, data: bytes, start: int, line: int, delimiter: str, names: tuple[str, ...]
) -> Table | None:
    """Return the table as numbers, or None if a cell is not a number or a row has another length."""
    code = _code_column(names)
    count_column = next((i for i, name in enumerate(names) if plain(name) == "blendshapecount"), None)
    end = data.find(b"\n", start)
    first = data[start : len(data) if end < 0 else end]
    if not first.strip():
        return None
    n_delimiters = first.count(delimiter.encode())
    n_fields, drop = 1, False
    if code is not None:
        if delimiter == ";" and n_delimiters == len(names):  # the semicolon of a drop-frame code is not a delimiter
            n_fields, drop = first.count(b":") + 2, True
        else:
            n_fields = 1 + first.count(b":") + (first.count(b";") if delimiter != ";" else 0)
            drop = delimiter != ";" and b";" in first
    commas = len(names) - 1 + n_fields - 1
    fraction = False
    if code is not None:
        cells = _with_commas(first, delimiter, True).split(b",")
        fraction = b"." in cells[min(code + n_fields - 1, commas)]
    values, filled = np.empty((commas + 1, data.count(b"\n", start) + 1)), 0
    numbers: list[np.ndarray] = []
    while start < len(data):
        stop = start + BLOCK
        if stop < len(data):
            stop = data.find(b"\n", stop) + 1 or len(data)
        text = _with_commas(data[start:stop], delimiter, code is not None)
        start = stop
        block = numbers_of(text, commas + 1)
        if block is not None:
            rows, n_rows = np.arange(len(block)), len(block)
        else:
            part = _without_empty_rows(text, commas, lambda row: _is_lost(row, code, count_column, n_fields))
            if part is None:
                return None
            (block, rows), n_rows = part, text.count(b"\n")
        values[:, filled : filled + len(block)] = block.T
        filled += len(block)
        numbers.append(line + rows)
        line += n_rows
    return Table(path, names, np.concatenate(numbers), values[:, :filled].T, None, code, n_fields, drop, fraction)


def _with_commas(text: bytes, delimiter: str, has_code: bool) -> bytes:
    """Return text with commas between cells, between the fields of time codes too, and with decimal points."""
    if delimiter != ",":
        text = text.replace(b",", b".").replace(delimiter.encode(), b",")
    return text.replace(b":", b",").replace(b";", b",") if has_code else text


def _without_empty_rows(
    text: bytes, commas: int, is_lost: Callable[[bytes], bool]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the numbers of text without empty rows and lost frames, and ``(T,)`` the row of the text each came from.

    None if another row has a wrong number of cells, or a cell is not a number.
    """
    rows = text.removesuffix(b"\n").split(b"\n")
    good = np.fromiter((row.count(b",") == commas and row[-1:] != b"," for row in rows), bool, len(rows))
    if any(rows[i].strip(b", \t") and not is_lost(rows[i]) for i in np.flatnonzero(~good)):
        return None
    if not good.any():
        return np.empty((0, commas + 1)), np.empty(0, int)
    values = numbers_of(b"\n".join([row for row, is_good in zip(rows, good) if is_good]), commas + 1)
    return None if values is None or len(values) != good.sum() else (values, np.flatnonzero(good))


def _is_lost(row: bytes, code: int | None, count_column: int | None, n_fields: int) -> bool:
    """Whether a short row is a frame in which the app lost the face: its `BlendShapeCount` is 0."""
    if count_column is None:
        return False
    cells = row.split(b",")
    place = count_column + (n_fields - 1 if code is not None and count_column > code else 0)
    return len(cells) > place and cells[place].strip() == b"0"


def _parsed_by_rows(path: Path, data: bytes, delimiter: str) -> Table:
    """Return the table as text."""
    cells, lines = [], []
    reader = csv.reader(io.StringIO(_text(data), newline=""), delimiter=delimiter)
    for row in reader:
        if any(cell.strip() for cell in row) and not (len(row) <= 2 and row[0].lower().startswith("sep=")):
            cells.append(row)
            lines.append(reader.line_num)
    names = tuple(name.strip() for name in cells[0])
    rows, code = cells[1:], _code_column(names)
    if code is not None and delimiter == ";":  # the semicolon of a drop-frame code is not a delimiter
        rows = [
            [*row[:code], f"{row[code]};{row[code + 1]}", *row[code + 2 :]] if len(row) == len(names) + 1 else row
            for row in rows
        ]
    return Table(path, names, np.array(lines[1:], int), None, rows, code)


def _decimal_commas(cells: list[list[str]], index: Sequence[int]) -> bool:
    """Whether numbers have decimal commas: some cells of the first rows hold a comma, and no cell a point."""
    sample = [row[i] for row in cells[:50] for i in index]
    commas = sum("," in cell for cell in sample)
    return commas * 4 > len(sample) and not any("." in cell for cell in sample)
