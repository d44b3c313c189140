"""The memory limit of input files: declared sizes are checked before anything is read."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.limits import DEFAULT_MAX_BYTES, VARIABLE, check_bytes, max_bytes, read_bytes
from diffposetalk.files.npz import npz_names, read_npy, read_npz, write_npz


def member(shape: tuple[int, ...], n_bytes: int, dtype: str = "<f4") -> bytes:
    """Return a .npy file that declares `shape` and holds `n_bytes` bytes of zeros."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(n_bytes)


def zip_of(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_the_limit_and_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert max_bytes() == DEFAULT_MAX_BYTES
    check_bytes("a.npz", DEFAULT_MAX_BYTES, "motion file")
    with pytest.raises(
        InputError, match=r"^a\.npz: this motion file needs 8\.0 GB of memory, more than the limit of 1"
    ):
        check_bytes("a.npz", 8 * 10**9, "motion file")
    monkeypatch.setenv(VARIABLE, "9000000000")
    check_bytes("a.npz", 8 * 10**9, "motion file")
    for wrong in ("1e9", "-5", "much", "9" * 40):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(UsageError, match=f"{VARIABLE} must be a positive whole number"):
            max_bytes()


def test_an_npz_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    write_npz(path, {"a": np.zeros(500_000), "b": np.zeros(500_000)})
    assert path.stat().st_size < 20_000
    monkeypatch.setenv(VARIABLE, "5000000")
    with pytest.raises(InputError, match=rf"bomb\.npz: this head file needs 8\.0 MB .* limit of 5\.0 MB; .*{VARIABLE}"):
        read_npz(path, "head file")
    monkeypatch.setenv(VARIABLE, "9000000")
    assert read_npz(path, "head file")["b"].shape == (500_000,)


@pytest.mark.parametrize(
    "data",
    [
        member((10**12,), 64), member((2**40, 2**40), 64), member((10**15,), 0, "|S0"), member((4, 2**62), 16),
        member((0, 0), 0)[:-20], b"\x93NUMPY\x09\x00" + bytes(80), b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1),
        member((2,), 16, "|O"), member((3,), 8), b"", member((-1,), 8),
    ],
)  # fmt: skip
def test_a_header_that_lies(tmp_path: Path, data: bytes) -> None:
    path = zip_of(tmp_path / "a.npz", **{"x.npy": data})
    with pytest.raises(InputError, match=r"a\.npz: not a readable motion file \(.+\)$"):
        read_npz(path, "motion file")
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npy: not a readable style vector \(.+\)$"):
        read_npy(tmp_path / "a.npy", "style vector")


def test_arrays_of_every_kind_survive(tmp_path: Path) -> None:
    arrays = {
        "floats": np.arange(12.0).reshape(3, 4), "none": np.zeros((0, 5), np.float32), "text": np.array(["a", "bcd"]),
        "empty_text": np.array(""), "number": np.array(3), "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "flags": np.array([True, False]),
    }  # fmt: skip
    write_npz(tmp_path / "a.npz", arrays)
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("README.txt", "not an array")
    back = read_npz(tmp_path / "a.npz", "motion file")
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)
    np.save(tmp_path / "a.npy", arrays["fortran"])
    np.testing.assert_array_equal(read_npy(tmp_path / "a.npy", "identity"), arrays["fortran"])


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name, reason in (("fifo", "a pipe"), ("folder", "a folder"), ("missing", "no such")):
        for read in (read_bytes, read_npy, read_npz):
            with pytest.raises(InputError, match=reason):
                read(tmp_path / name, "motion file")
    assert npz_names(tmp_path / "fifo") is None
