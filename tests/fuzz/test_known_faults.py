"""Files that once made a reader fail, or take gigabytes, or never end: one clear line, or the right result."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .mutations.archives import zip_members, zip_of
from .readers import READERS, Reader
from .seeds import files, heads
from .trial import Outcome, alone, prepared

FOLDER = Path(__file__).parents[2].parent / "shared" / "faults"
BY_SUFFIX = {
    ".pkl": ("pickle", "flame", "masks"), ".glb": ("glb",), ".gltf": ("gltf",), ".toml": ("toml",), ".json": ("json",),
    ".safetensors": ("style", "info_st", "model", "stylereader"), ".wav": ("sound",),
}  # fmt: skip
"""Readers of the files made by hand."""


def readers_of(path: Path) -> tuple[str, ...]:
    """Return the names of the readers that a file of the folder is for."""
    if path.parent.name == "hand":
        return BY_SUFFIX[path.suffix]
    name, data = path.name.partition("__")[0], path.read_bytes()
    if name == "corpusshard" and b'\\"kind\\": \\"motion\\"' in data[:4000]:
        return ("corpusmotion",)
    if name == "shards" and data[:1] == b"{":
        return ("shardsjson",)
    if name == "identity" and data[:1] in b"[{":
        return ("identityjson",)
    return (name,)


def known() -> list[tuple[str, Path]]:
    """Return all files of the folder with the reader of each."""
    files = sorted(path for kind in ("fuzz", "hand") for path in (FOLDER / kind).glob("*.*"))
    return [(name, path) for path in files for name in readers_of(path)]


def outcome(reader: Reader, data: bytes, folder: Path) -> Outcome:
    """Read bytes in a process of its own, after a valid file was read here, so that imports are not counted."""
    if not reader.usable:
        pytest.skip(f"needs {' '.join(reader.needs)}")
    with prepared(reader, folder / "files") as target:
        target.write_bytes(reader.seeds()[0])
        reader.read(target)
        target.write_bytes(data)
        return alone(reader, target)


@pytest.mark.parametrize(
    ("name", "path"), known() or [("", Path())], ids=lambda value: getattr(value, "stem", value) or "none"
)
def test_files_of_the_folder(name: str, path: Path, tmp_path: Path) -> None:
    if not name:
        pytest.skip("needs the folder of known faults, which is absent")
    result = outcome(READERS[name], path.read_bytes(), tmp_path)
    assert result.good, f"{result.kind}: {result.text}"


def npz_of_4_gb() -> bytes:
    """An npz file of 300 bytes that declares an array of 4 GB, and that it holds all of it."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10**9,)})
    data = bytearray(zip_of({"expression.npy": header.getvalue()}, zipfile.ZIP_DEFLATED))
    at = data.rfind(b"PK\1\2")
    struct.pack_into("<I", data, at + 24, 4 * 10**9 + len(header.getvalue()))
    return bytes(data)


def npz_with(name: str, **arrays: object) -> bytes:
    """A valid file of a reader with other arrays."""
    members = zip_members(READERS[name].seeds()[0])
    members |= {f"{key}.npy": files.npy(value) for key, value in arrays.items()}
    return zip_of(members)


def glb_with(**changes: object) -> bytes:
    """A head whose glTF document is changed at its top."""
    data = heads.glb()[0]
    length = struct.unpack_from("<I", data, 12)[0]
    document, rest = json.loads(data[20 : 20 + length]) | changes, data[20 + length :]
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text) + len(rest), len(text), b"JSON") + text + rest


def glb_accessor(**changes: object) -> bytes:
    """A head whose first accessor, of the places of its points, is changed."""
    data = heads.glb()[0]
    accessors = json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]])["accessors"]
    accessors[0] = {key: value for key, value in (accessors[0] | changes).items() if value is not None}
    return glb_with(accessors=accessors)


def sparse_tar(size: int) -> bytes:
    """A tar file with a member that is all hole."""
    member = tarfile.TarInfo("a/0.flac")
    member.type = tarfile.GNUTYPE_SPARSE
    data = bytearray(member.tobuf(tarfile.GNU_FORMAT)) + bytes(1024)
    data[386:398] = data[398:410] = b"%011o\0" % 0
    data[483:495] = b"%011o\0" % size
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    return bytes(data)


def header_of(text: str) -> bytes:
    """A safetensors file without tensors whose header of ours is given."""
    header = json.dumps({"__metadata__": {"diffposetalk": text, "about": text}}).encode()
    return len(header).to_bytes(8, "little") + header


def wav(kind: int = 1, rate: int = 48000, n: int = 4800) -> bytes:
    """A WAV file of silence."""
    head = struct.pack("<IHHIIHH", 16, kind, 1, rate, 2 * rate % 2**32, 2, 16)
    return (
        b"RIFF" + struct.pack("<I", 36 + 2 * n) + b"WAVEfmt " + head + b"data" + struct.pack("<I", 2 * n) + bytes(2 * n)
    )


def doubling(last: bytes) -> bytes:
    """A pickle of lists, each of which holds the one before twice."""
    return b"\x80\x02]q\0" + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(60)) + last


DEEP = "[" * 100_000
MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a value remembered under a huge number": ("flame", lambda: b"\x80\4K\1r\0\0\x000."),
    "lists that double": ("pickle", lambda: doubling(b".")),
    "lists that double as a video's length": ("tfhpmeta", lambda: doubling(b"}X\7\0\0\0seg_lenh<s.")),
    "lists that double as FLAME's mean": ("flame", lambda: doubling(b"}X\n\0\0\0v_templateh<s.")),
    "tuples that double as a key": ("tfhp", lambda: b"\x80\2)q\0" + b"".join(
        b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60)) + b"}h<K\1s."),
    "a large matrix without entries": ("pickle", lambda: pickle.dumps(
        __import__("scipy.sparse").sparse.csc_matrix((20_000, 20_000)), 2)),
    "an array of 4 GB": ("npz", npz_of_4_gb),
    "a head of 4 GB": ("targetsnpz", npz_of_4_gb),
    "a FLAME head of 4 GB": ("flamenpz", npz_of_4_gb),
    "statistics of 4 GB": ("stats", npz_of_4_gb),
    "an array's header without end": ("stylenpy", lambda: b"\x93NUMPY\1\0\x10\0{'descr': (((((("),
    "an identity of Python objects": ("identity", lambda: files.npy(np.array([{}], object), True)),
    "a frame rate of text": ("npz", lambda: npz_with("npz", fps=np.array("x"))),
    "a frame rate without end": ("npz", lambda: npz_with("npz", fps=np.array(np.inf))),
    "a version that is a table": ("npz", lambda: npz_with("npz", format_version=np.zeros((2, 2)))),
    "names that are one number": ("targetsnpz", lambda: npz_with("targetsnpz", names=np.array(3))),
    "units of text": ("targetsnpz", lambda: npz_with("targetsnpz", metres=np.array("x"))),
    "an accessor of 5e8": ("glb", lambda: glb_accessor(count=5 * 10**8)),
    "an accessor of 5e8 without numbers": ("glb", lambda: glb_accessor(count=5 * 10**8, bufferView=None)),
    "an accessor that is a number": ("glb", lambda: glb_with(accessors=[1, 2, 3, 4])),
    "a node that is its own child": ("glb", lambda: glb_with(nodes=[{"children": [0, 0], "mesh": 0}])),
    "nodes that are children of one another": ("glb", lambda: glb_with(
        nodes=[{"children": list(range(20)), "mesh": 0} for _ in range(20)])),
    "a chain of nodes without end": ("glb", lambda: glb_with(
        nodes=[{"children": [n + 1, n + 1]} for n in range(60)] + [{"mesh": 0}])),
    "a size of a node without end": ("glb", lambda: glb_with(nodes=[{"mesh": 0, "scale": [10**400, 1, 1]}])),
    "a list as a document": ("gltf", lambda: b"[]"),
    "a buffer's address that is a number": ("gltf", lambda: b'{"buffers": [{"uri": 5}], "nodes": []}'),
    "a member that is all hole": ("shards", lambda: sparse_tar(5 * 10**9)),
    "a cut's member that is all hole": ("cut", lambda: sparse_tar(5 * 10**9)),
    "a count of clips without end": ("shardsjson", lambda: b'{"shards": {"train-000000.tar": Infinity}}'),
    "a base that is a number": ("toml", lambda: b"base = 5\n"),
    "a base that is the file": ("toml", lambda: b'base = "case.toml"\n'),
    "lists without end in a recipe": ("toml", lambda: b"a = " + DEEP[:20_000].encode()),
    "a kind that is a list": ("toml", lambda: b'speech = {encoder = {kind = [[1]]}}\n'),
    "a weight of 400 digits": ("json", lambda: b'{"facsNames":["jawOpen"],"weightMat":[[%s]]}' % (b"1" + b"0" * 400)),
    "lists without end": ("json", DEEP.encode),
    "lists without end in an identity": ("identityjson", DEEP.encode),
    "lists without end in a style": ("style", lambda: header_of(DEEP)),
    "lists without end in a model": ("model", lambda: header_of(DEEP)),
    "lists without end in a speech shard": ("corpusshard", lambda: header_of(DEEP)),
    "a header that is a list": ("style", lambda: header_of("[]")),
    "a header that is a list, noted": ("info_st", lambda: header_of("[]")),
    "an unknown codec": ("sound", lambda: wav(kind=999)),
    "one sample": ("sound", lambda: wav(n=1)),
    "two thousand million samples a second": ("sound", lambda: wav(rate=2 * 10**9)),
    "seconds that are a list": ("manifest", lambda: b'{"video": "a", "kind": "take", "status": "rejected", "end_s": []}\n'),
    "channels that are a list": ("chstats", lambda: b'{"head": "a", "fps": 1, "frames": 1, "split": "", "channels": [1]}'),
    "a manifest that is not text": ("manifest", lambda: b"}\xa3+T"),
}  # fmt: skip
"""Small copies of each kind: the reader and what makes the file."""


@pytest.mark.parametrize("case", MADE)
def test_small_copies(case: str, tmp_path: Path) -> None:
    name, make = MADE[case]
    result = outcome(READERS[name], make(), tmp_path)
    assert result.good, f"{result.kind}: {result.text}"
    expected = (
        "result" if case in ("a chain of nodes without end", "one sample") and result.kind == "result" else "refused"
    )
    assert result.kind == expected, result.text


@pytest.mark.parametrize(
    "name", ["npz", "trackers", "targetsnpz", "flame", "stylenpy", "stats", "chstats", "corpusshard"]
)
def test_pipes_are_not_waited_for(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    with prepared(reader, tmp_path / "files") as target:
        target.write_bytes(reader.seeds()[0])
        reader.read(target)
        target.unlink()
        os.mkfifo(target)
        result = alone(reader, target)
    assert result.kind == "refused", result.text
