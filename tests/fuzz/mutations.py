"""Damaged copies of valid files: blindly by bytes, and by what the format is made of."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import struct
import tarfile
import tomllib
import warnings
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from .values import NASTY, changed, changed_array, nasty

Mutation = Callable[[bytes, Random], bytes]
STRUCTURED_SHARE = 0.6
"""Share of cases that keep the format's outer structure."""


def mutated(data: bytes, kind: str, rng: Random) -> bytes:
    """Return a damaged copy of a file of the given kind (a key of `STRUCTURED`, or "binary")."""
    change = STRUCTURED.get(kind)
    if change and rng.random() < STRUCTURED_SHARE:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return change(data, rng)
        except Exception:  # the change itself met something that its own tools refuse
            pass
    return by_bytes(data, rng)


def by_bytes(data: bytes, rng: Random) -> bytes:
    """Flip, cut, splice, double, insert."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if not out:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(8)))
        at = rng.randrange(len(out))
        act = rng.random()
        if act < 0.35:
            out[at] ^= 1 << rng.randrange(8)
        elif act < 0.55:
            out[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif act < 0.63:
            width = rng.choice((2, 4, 8))
            value = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63 - 1, rng.getrandbits(64))) % (1 << (8 * width))
            out[at : at + width] = value.to_bytes(width, rng.choice(("little", "big")))
        elif act < 0.75:
            del out[at:]
        elif act < 0.83:
            del out[at : at + rng.randrange(1, 64)]
        elif act < 0.91:
            start = rng.randrange(len(out))
            out[at:at] = out[start : start + rng.randrange(1, 256)]
        else:
            out[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 8)))
    return bytes(out)


def text_of(value: Any) -> bytes:
    """Return a tree as JSON text; what the writer refuses raises ValueError."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def of_json(data: bytes, rng: Random) -> bytes:
    """Change nodes of a JSON document."""
    return text_of(changed(json.loads(data), rng))


def of_json_lines(data: bytes, rng: Random) -> bytes:
    """Change nodes of a document of JSON lines."""
    rows = changed([json.loads(line) for line in data.splitlines()], rng)
    return b"".join(text_of(row) + b"\n" for row in (rows if isinstance(rows, list) else [rows]))


def of_toml(data: bytes, rng: Random) -> bytes:
    """Change nodes of a TOML document, which is written in one line for each key."""
    document = changed(tomllib.loads(data.decode()), rng)
    if rng.random() < 0.1:
        document["base"] = rng.choice([*NASTY, "style.toml", "case.toml"])
    return "".join(f"{_toml(str(key))} = {_toml(value)}\n" for key, value in document.items()).encode()


def _toml(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else str(value)


def of_csv(data: bytes, rng: Random) -> bytes:
    """Change cells, rows, columns and separators."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 2, 5))):
        row = rng.choice(rows)
        act = rng.random()
        if act < 0.6:
            row[rng.randrange(len(row))] = str(rng.choice(NASTY))[:6000]
        elif act < 0.7:
            rows.remove(row)
        elif act < 0.8:
            row.insert(rng.randrange(len(row) + 1), "0.5")
        elif act < 0.9:
            del row[rng.randrange(len(row))]
        else:
            rows.append(list(row))
        if not rows or not all(rows):
            break
    text = "\n".join(rng.choice((",",) * 8 + (";", "\t")).join(row) for row in rows)
    return text.encode(rng.choice(("utf-8",) * 6 + ("utf-16", "utf-8-sig")), "replace")


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


def zip_members(data: bytes) -> dict[str, bytes]:
    """Return the members of a zip file by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


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


def of_safetensors(data: bytes, rng: Random) -> bytes:
    """Change the header of a safetensors file: of the tensors, or of our own in it, which is JSON in JSON in JSON."""
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    if rng.random() < 0.75 and "__metadata__" in header:
        header["__metadata__"] = _changed_text(header["__metadata__"], rng)
    else:
        header = changed(header, rng)
    text = text_of(header)
    return len(text).to_bytes(8, "little") + text + body


def _changed_text(values: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Change a dictionary whose values may be JSON text, at a random depth."""
    key = rng.choice(list(values))
    inner = values[key]
    if isinstance(inner, str) and rng.random() < 0.85:
        try:
            tree = json.loads(inner)
        except ValueError:
            tree = None
        if isinstance(tree, dict) and tree and rng.random() < 0.7:
            return values | {key: json.dumps(_changed_text(tree, rng))}
        if tree is not None:
            return values | {key: json.dumps(changed(tree, rng))}
    return changed(values, rng)


def of_glb(data: bytes, rng: Random) -> bytes:
    """Change the JSON of a GLB file; its lengths are made right again."""
    length = struct.unpack_from("<I", data, 12)[0]
    document, rest = json.loads(data[20 : 20 + length]), data[20 + length :]
    text = text_of(_with_loops(changed(document, rng), rng))
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def of_gltf(data: bytes, rng: Random) -> bytes:
    """Change the JSON of a glTF file."""
    return text_of(_with_loops(changed(json.loads(data), rng), rng))


def _with_loops(document: Any, rng: Random) -> Any:
    """Sometimes make nodes children of themselves, or accessors without end."""
    act = rng.random()
    if isinstance(document, dict) and isinstance(nodes := document.get("nodes"), list) and nodes and act < 0.08:
        for node in nodes:
            if isinstance(node, dict):
                node["children"] = [rng.randrange(len(nodes)) for _ in range(rng.choice((1, 2, 50)))]
    if isinstance(document, dict) and isinstance(accessors := document.get("accessors"), list) and act > 0.92:
        accessor = rng.choice(accessors)
        if isinstance(accessor, dict):
            accessor["count"] = rng.choice((5 * 10**8, 2**40, -1, 0, 1))
            if rng.random() < 0.5:
                accessor.pop("bufferView", None)
    return document


def of_pickle(data: bytes, rng: Random) -> bytes:
    """Drop, double, exchange and insert instructions of a pickle."""
    starts = [position for _, _, position in pickletools.genops(data) if position is not None]
    codes = [data[a:b] for a, b in zip(starts, [*starts[1:], len(data)])]
    bombs = [
        b"r" + (0x30000000).to_bytes(4, "little"), b"]" * 3000, b"(" * 3000, b"\x85" * 3000, b"}" + b"(I1\nI2\nu", b"2",
        b"0", b"N", b"K\xff", b"J\xff\xff\xff\x7f", b"\x8a\x08" + b"\xff" * 8, b"I" + b"9" * 3000 + b"\n", b"e", b"t", b"R",
        b"\x81", b"b", b"\x93", b"h\x00", b"q\x00", b"\x94", b"cnumpy\nndarray\n", b"cbuiltins\nset\n", b"\x8f", b"\x90",
    ]  # fmt: skip
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(codes))
        act = rng.random()
        if act < 0.25:
            del codes[at]
        elif act < 0.45:
            codes.insert(at, codes[at])
        elif act < 0.65:
            other = rng.randrange(len(codes))
            codes[at], codes[other] = codes[other], codes[at]
        elif act < 0.9:
            codes.insert(at, rng.choice(bombs))
        else:
            codes[at] = by_bytes(codes[at], rng)
        if not codes:
            break
    return b"".join(codes)


def of_values_in_pickle(data: bytes, rng: Random) -> bytes:
    """Change the values of a pickle of dictionaries, lists and arrays; or its instructions."""
    if rng.random() < 0.4:
        return of_pickle(data, rng)
    from diffposetalk.files.pickles import unpickle

    return pickle.dumps(_with_arrays(unpickle(data, "seed", ("scipy", "chumpy", "torch")), rng), 2)


def _with_arrays(value: Any, rng: Random) -> Any:
    """Change a tree with arrays at its leaves."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = rng.choice(list(value))
        return value | {key: _with_arrays(value[key], rng)}
    if isinstance(value, np.ndarray) and rng.random() < 0.8:
        return changed_array(value, rng)
    return changed(value, rng) if isinstance(value, (dict, list)) else nasty(rng, json=False)


def of_checkpoint(data: bytes, rng: Random) -> bytes:
    """Change options and weights of a file that torch wrote; or the pickle inside it."""
    if rng.random() < 0.3:
        members = zip_members(data)
        name = next(name for name in members if name.endswith("data.pkl"))
        members[name] = of_pickle(members[name], rng)
        return zip_of(members)
    import argparse
    import pathlib

    import torch

    with torch.serialization.safe_globals([argparse.Namespace, pathlib.PosixPath]):
        content = torch.load(io.BytesIO(data), weights_only=True)
    act = rng.random()
    if act < 0.55:
        options = changed(vars(content["args"]), rng)
        content["args"] = (
            argparse.Namespace(**{str(k): v for k, v in options.items()}) if isinstance(options, dict) else options
        )
    elif act < 0.9:
        weights = content["model" if "model" in content else "encoder"]
        key = rng.choice(list(weights))
        tensor = weights[key]
        weights[key] = rng.choice(
            (
                tensor[..., None], tensor.reshape(-1), tensor[:0], tensor.new_zeros(()), tensor.double(), tensor.bool(),
                torch.full_like(tensor, float("nan")) if tensor.is_floating_point() else tensor, nasty(rng), tensor.to_sparse(),
            )
        )  # fmt: skip
    else:
        content = changed(content, rng)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def of_tar(data: bytes, rng: Random) -> bytes:
    """Change members of a tar file by what they are, or their headers; check sums are made right again."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    inner: dict[str, Mutation] = {"json": of_json, "safetensors": of_safetensors, "flac": by_bytes}
    at = rng.randrange(len(files))
    name, content = files[at]
    if rng.random() < 0.75:
        files[at] = name, inner.get(name.rpartition(".")[2], by_bytes)(content, rng)
    elif rng.random() < 0.5:
        files[at] = rng.choice(("x", "../x.json", "a/b/c.flac", name + "x", "/" + name)), content
    else:
        files.insert(at, rng.choice(files))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    out = bytearray(buffer.getvalue())
    if rng.random() < 0.3:
        _change_header(out, rng)
    return bytes(out)


def _change_header(out: bytearray, rng: Random) -> None:
    """Change size, type or name in the first header, or make it a sparse member of a huge size."""
    size = rng.choice((0, 1, 511, 2**20, 5 * 10**9, 8**11 - 1))
    act = rng.random()
    if act < 0.4:
        out[124:136] = b"%011o\0" % size
    elif act < 0.7:
        out[156] = rng.choice(b"0123456789LKSxgXNVMD\0")
    else:
        out[156] = ord("S")
        out[386:398] = b"%011o\0" % 0
        out[398:410] = b"%011o\0" % 0
        out[483:495] = b"%011o\0" % size
    out[148:156] = b" " * 8
    out[148:156] = b"%06o\0 " % sum(out[:512])


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


def of_zip(data: bytes, rng: Random) -> bytes:
    """Change members of a zip file."""
    members = zip_members(data)
    name = rng.choice(list(members))
    members[name] = by_bytes(members[name], rng)
    return zip_of(members)


def of_wav(data: bytes, rng: Random) -> bytes:
    """Change fields of a WAV header."""
    if data[:4] != b"RIFF":
        return by_bytes(data, rng)
    out = bytearray(data)
    fields = ((4, "<I"), (16, "<I"), (20, "<H"), (22, "<H"), (24, "<I"), (28, "<I"), (32, "<H"), (34, "<H"), (40, "<I"))
    for at, form in rng.sample(fields, rng.choice((1, 1, 2))):
        top = 256 ** struct.calcsize(form) - 1
        struct.pack_into(form, out, at, min(top, rng.choice((0, 1, 2, 7, 999, 16000, 48000, 2 * 10**9, top, top // 2))))
    return bytes(out[: rng.choice((len(out), 44, 46, 60))])


STRUCTURED: dict[str, Mutation] = {
    "json": of_json, "jsonl": of_json_lines, "toml": of_toml, "csv": of_csv, "npy": of_npy, "npz": of_npz,
    "safetensors": of_safetensors, "glb": of_glb, "gltf": of_gltf, "pickle": of_pickle, "values": of_values_in_pickle,
    "checkpoint": of_checkpoint, "tar": of_tar, "parquet": of_parquet, "zip": of_zip, "wav": of_wav,
}  # fmt: skip
"""By kind of file."""
