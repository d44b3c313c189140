"""Damaged zip and tar files."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable
from random import Random

from .raw import by_bytes
from .tensors import of_safetensors
from .text import of_json


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


def of_zip(data: bytes, rng: Random) -> bytes:
    """Change members of a zip file."""
    members = zip_members(data)
    name = rng.choice(list(members))
    members[name] = by_bytes(members[name], rng)
    return zip_of(members)


def of_tar(data: bytes, rng: Random) -> bytes:
    """Change members of a tar file by what they are, or their headers; check sums are made right again."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        files = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    inner: dict[str, Callable[[bytes, Random], bytes]] = {
        "json": of_json,
        "safetensors": of_safetensors,
        "flac": by_bytes,
    }
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
