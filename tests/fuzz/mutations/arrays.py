"""Damaged files of arrays: npy, npz, Parquet."""

from __future__ import annotations

import io
import zipfile
from random import Random
from typing import Any

import numpy as np

from ..values import changed_array
from .archives import zip_members, zip_of
from .pickles import of_pickle
from .raw import by_bytes


def of_npy(data: bytes, rng: Random) -> bytes:
    """Change the header of an array, or the array."""
    version = data[6]
    start = 10 if version == 1 else 12
    length = int.from_bytes(data[8:start], "little")
    header, body = data[start : start + length].decode("latin1"), data[start + length :]
    act = rng.random()
    if act < 0.5 and "|O" not in header:
        buffer = io.BytesIO()
        np.save(buffer, changed_array(np.load(io.BytesIO(data)), rng), allow_pickle=True)
        return buffer.getvalue()
    if "|O" in header and act < 0.8:
        return data[: start + length] + of_pickle(body, rng)
    fields = {
        "descr": ["'<f8'", "'|O'", "',f8'", "[('a','<f4')]", "'<U9'", "'|V0'", "'|S0'", "5", "None", "'<f4'", "'>c16'"],
        "shape": ["()", "(3,)", "(10**3,)", "(1000000000000,)", "(4611686018427387904, 4)", "(-1,)", "(2.5,)", "3",
                  "(0,)", "(True,)", "(1,)*40"],
        "fortran_order": ["True", "1", "None"],
    }  # fmt: skip
    values = {key: repr(value) for key, value in _literal(header).items()}
    for key in rng.sample(list(fields), rng.choice((1, 1, 2, 3))):
        values[key] = rng.choice(fields[key])
    text = "{" + ", ".join(f"'{key}': {value}" for key, value in values.items()) + ", }"
    text += " " * (-(len(text) + start + 1) % 64) + "\n"
    return data[:8] + len(text).to_bytes(start - 8, "little") + text.encode("latin1") + body


def _literal(header: str) -> dict[str, Any]:
    import ast

    return dict(ast.literal_eval(header.strip()))


def of_npz(data: bytes, rng: Random) -> bytes:
    """Change, drop, rename and exchange the arrays of an npz file."""
    members = zip_members(data)
    for _ in range(rng.choice((1, 1, 2, 3))):
        name = rng.choice(list(members))
        act = rng.random()
        if act < 0.75:
            members[name] = of_npy(members[name], rng)
        elif act < 0.8:
            members[name] = by_bytes(members[name], rng)
        elif act < 0.87 and len(members) > 1:
            del members[name]
        elif act < 0.93:
            members[name] = members[rng.choice(list(members))]
        else:
            members[rng.choice(("x.npy", "x", "/x.npy", ".npy", "a/b.npy"))] = members.pop(name)
    return zip_of(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))


def of_parquet(data: bytes, rng: Random) -> bytes:
    """Change columns of a Parquet file: kind, name, nulls; or its own description."""
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(io.BytesIO(data))
    at, n = rng.randrange(table.num_columns), table.num_rows
    column = rng.choice(
        (
            pa.array(["x"] * n), pa.array([None] * n), pa.array([[1.0]] * n), pa.array([{"a": 1}] * n),
            pa.array([b"\xff\xfe"] * n),
            pa.array([float("nan")] * n), pa.array([2**62] * n), pa.array([True] * n), pa.array(["2026-01-01"] * n),
        )
    )  # fmt: skip
    name = rng.choice((table.column_names[at], "x", "", table.column_names[0]))
    table = table.set_column(at, name, column)
    if rng.random() < 0.3:
        table = table.slice(0, rng.choice((0, 1)))
    described = dict(table.schema.metadata or {})
    if described and rng.random() < 0.5:
        key = rng.choice(list(described))
        described[key] = rng.choice((b"\xff\xfe", b"", b"nan", b"-1", b"{}", b"1e999", b"x"))
    buffer = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata(described), buffer)
    return buffer.getvalue()
