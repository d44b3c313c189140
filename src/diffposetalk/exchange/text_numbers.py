"""Numbers in CSV text -> arrays, quickly: large text is parsed by pyarrow where it is installed, else by numpy."""

from __future__ import annotations

import io

import numpy as np

PYARROW_BYTES = 1 << 18
"""Text of fewer bytes is not worth loading pyarrow."""


def numbers_of(text: bytes, n_columns: int) -> np.ndarray | None:
    """Return the numbers of text whose cells are separated by commas, or None if the text is not a plain table.

    Args:
        text: lines of numbers, without header.
        n_columns: cells of each line.

    Returns:
        ``(T, n_columns)`` float64; a cell may be NaN or infinite. None where a line is empty or has another number of
        cells, or where a cell is not a number.
    """
    values = _by_pyarrow(text, n_columns) if len(text) >= PYARROW_BYTES else None
    if values is not None:
        return values
    return _by_numpy(text) if is_even(text, n_columns - 1) else None


def _by_pyarrow(text: bytes, n_columns: int) -> np.ndarray | None:
    """Return the numbers, or None without pyarrow and where pyarrow refuses the text."""
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError:
        return None
    names = [str(column) for column in range(n_columns)]
    types = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[], check_utf8=False)
    try:
        table = csv.read_csv(
            pa.BufferReader(text),
            csv.ReadOptions(column_names=names, use_threads=False),  # threads take twice the time of the processor
            csv.ParseOptions(ignore_empty_lines=False),
            types,
        )
    except pa.ArrowException:
        return None
    values = np.empty((n_columns, table.num_rows))
    for row, column in zip(values, table.columns):
        start = 0
        for chunk in column.chunks:
            row[start : start + len(chunk)] = chunk.to_numpy(zero_copy_only=not chunk.null_count)
            start += len(chunk)
    return values.T


def _by_numpy(text: bytes) -> np.ndarray | None:
    try:
        return np.loadtxt(io.BytesIO(text), delimiter=",", comments=None, quotechar='"', ndmin=2)
    except ValueError:
        return None


def is_even(text: bytes, commas: int) -> bool:
    """Whether every line has this number of commas."""
    characters = np.frombuffer(text if text[-1:] == b"\n" else text + b"\n", np.uint8)
    ends, places = np.flatnonzero(characters == 10), np.flatnonzero(characters == 44)
    if len(places) != commas * len(ends):
        return False
    rows = places.reshape(len(ends), commas)
    return not commas or bool((rows[:, -1] < ends).all() and (rows[1:, 0] > ends[:-1]).all())
