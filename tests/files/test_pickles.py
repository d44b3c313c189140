"""Pickles: what is understood, without the libraries that wrote it, and what is refused."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.errors import InputError
from diffposetalk.files.pickles import unpickle, unpickle_npy

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ARRAYS = {
    "float64": np.arange(6.0).reshape(2, 3),
    "float32 turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "big-endian": np.arange(5, dtype=">i4"),
    "empty": np.zeros((0, 4), np.int64),
    "no dimension": np.array(3.5),
    "bool": np.array([True, False]),
    "uint32": np.array([2**32 - 1, 0], np.uint32),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"a", b"bcd"]),
    "half": np.ones(3, np.float16),
    "complex": np.array([1 + 2j]),
    "objects": np.array([{"a": 1}, [1, 2], None], object),
    "strided": np.arange(20)[::3],
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_protocol(name: str, protocol: int) -> None:
    array = ARRAYS[name]
    got = unpickle(pickle.dumps(array, protocol), "x")
    assert type(got) is np.ndarray and got.shape == array.shape and got.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(got, array)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_values(protocol: int) -> None:
    shared = np.arange(3)
    value: dict[Any, Any] = {
        "n": 3, "text": "ü", 5: b"\xff\x00", "none": None, "long": 2**70, "deep": [(1, {"x": [shared]}), shared],
        "set": {1, 2}, "frozen": frozenset({3}), "number": np.float32(1.5), "whole": np.int64(-3), "c": 1 + 2j,
        "ordered": collections.OrderedDict(b=np.ones(2), a=2), "byte array": bytearray(b"abc"), "empty": b"", "f": 0.1,
    }  # fmt: skip
    got = unpickle(pickle.dumps(value, protocol), "x")
    assert str(got) == str(value)
    assert got["deep"][0][1]["x"][0] is got["deep"][1], "a shared value stays shared"
    assert type(got["number"]) is np.float32


def test_a_list_within_itself_is_refused() -> None:
    loop: list[Any] = [np.ones(1)]
    loop.append(loop)
    with pytest.raises(InputError, match="a value that holds itself"):
        unpickle(pickle.dumps(loop), "x")


def test_a_value_remembered_under_a_huge_number_takes_no_memory() -> None:
    assert unpickle(b"\x80\x04K\x01r\x00\x00\x000.", "x") == 1


PYTHON2 = (
    b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp4\nRp5\n"
    b"(I1\n(I2\ntp6\ncnumpy\ndtype\np7\n(S'f4'\np8\nI0\nI1\ntp9\nRp10\n"
    b"(I3\nS'<'\np11\nNNNI-1\nI-1\nI0\ntp12\nbI00\nS'\\x00\\x00\\x80\\x3f\\x00\\x00\\x00\\xc0'\np13\ntp14\nb."
)
"""`numpy.float32([1, -2])` as Python 2 wrote it."""


def test_python_2() -> None:
    np.testing.assert_array_equal(unpickle(PYTHON2, "x"), [1, -2])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("form", ["csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "coo_array"])
def test_sparse_matrices(form: str, protocol: int) -> None:
    dense = np.array([[0, 1.5, 0, 0], [2, 0, 0, -3]])
    data = pickle.dumps({"J": getattr(scipy.sparse, form)(dense)}, protocol)
    np.testing.assert_array_equal(unpickle(data, "x", kinds=("scipy",))["J"], dense)
    old = data.replace(b"scipy.sparse._csc", b"scipy.sparse.csc") if protocol < 4 else data
    np.testing.assert_array_equal(unpickle(old, "x", kinds=("scipy",))["J"], dense)
    with pytest.raises(InputError, match=r"asks for scipy\.sparse\._?co?s?[ocr]"):
        unpickle(data, "x")


@pytest.fixture
def chumpy(monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Classes that pickle as chumpy's do."""
    made = {}
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    for module, name in (("ch", "Ch"), ("reordering", "Select"), ("ch", "add")):
        made[name] = type(name, (), {"__module__": f"chumpy.{module}"})
        home = sys.modules.get(f"chumpy.{module}") or types.ModuleType(f"chumpy.{module}")
        setattr(home, name, made[name])
        monkeypatch.setitem(sys.modules, f"chumpy.{module}", home)
    return types.SimpleNamespace(**made)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chumpy_arrays(chumpy: types.SimpleNamespace, protocol: int) -> None:
    plain, picked, lost = chumpy.Ch(), chumpy.Select(), chumpy.add()
    plain.__dict__ = {"x": np.arange(6.0), "_dirty_vars": set(), "_status": "new"}
    picked.__dict__ = {"a": plain, "idxs": np.array([5, 0, 1, 2]), "preferred_shape": (2, 2)}
    lost.__dict__ = {"a": plain, "b": plain}
    got = unpickle(pickle.dumps({"v": plain, "w": picked}, protocol), "x", kinds=("chumpy",))
    np.testing.assert_array_equal(got["v"], np.arange(6.0))
    np.testing.assert_array_equal(got["w"], [[5, 0], [1, 2]])
    with pytest.raises(InputError, match=r"file\.pkl: is chumpy\.ch\.add, which is not understood"):
        unpickle(pickle.dumps(lost, protocol), "file.pkl", kinds=("chumpy",))
    plain.__dict__ = {"y": 1}
    with pytest.raises(InputError, match="chumpy array without values"):
        unpickle(pickle.dumps(plain, protocol), "x", kinds=("chumpy",))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3).T,
        torch.arange(10)[3:7],
        torch.tensor(2.5, dtype=torch.float64),
        torch.zeros(0, 3),
        torch.tensor([True, False]),
        torch.tensor([1, 2], dtype=torch.uint8),
        torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        torch.nn.Parameter(torch.ones(2, 2)),
        torch.ones(1, 3).expand(2, 3)[:1],
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.shape)}",
)
def test_tensors(tensor: torch.Tensor, protocol: int) -> None:
    data = pickle.dumps({"t": tensor}, protocol)
    got = unpickle(data, "x", kinds=("torch",))["t"]
    assert type(got) is np.ndarray and got.shape == tuple(tensor.shape)
    np.testing.assert_array_equal(got, tensor.detach().float().numpy())
    with pytest.raises(InputError, match=r"asks for torch\._utils"):
        unpickle(data, "x")


def test_numpy_files() -> None:
    for value in (np.arange(4), np.array({"a": torch.ones(2), "b": 3}, object)):
        file = io.BytesIO()
        np.save(file, value, allow_pickle=True)
        got = unpickle_npy(file.getvalue(), "x.npy", kinds=("torch",))
        if value.dtype == object:
            assert got["b"] == 3 and got["a"].tolist() == [1, 1]
        else:
            np.testing.assert_array_equal(got, value)
    with pytest.raises(InputError, match=r"x\.npy: not a readable numpy file"):
        unpickle_npy(b"nonsense", "x.npy")


def test_nothing_is_run_or_imported() -> None:
    """A pickle with FLAME's classes needs none of their libraries."""
    script = (
        "import sys; from diffposetalk.files.pickles import unpickle;"
        "unpickle(bytes.fromhex(sys.argv[1]), 'x', kinds=('scipy', 'chumpy', 'torch'));"
        "print({'scipy', 'chumpy', 'torch'} & set(sys.modules))"
    )
    data = pickle.dumps([scipy.sparse.csc_matrix(np.eye(3)), torch.ones(2)], 2)
    out = subprocess.run([sys.executable, "-c", script, data.hex()], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


class _Call:
    def __init__(self, function: Any, *args: Any) -> None:
        self.made = function, args

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("function", [os.system, eval, exec, __import__, getattr, subprocess.Popen, open])
def test_code_is_refused_by_name(function: Any, protocol: int, tmp_path: Path) -> None:
    trace = tmp_path / "was-run"
    data = pickle.dumps({"a": _Call(function, f"touch {trace}")}, protocol)
    with pytest.raises(InputError) as refusal:
        unpickle(data, "bad.pkl", kinds=("scipy", "chumpy", "torch"))
    assert not trace.exists()
    message = str(refusal.value)
    assert message.startswith("bad.pkl: ") and "\n" not in message
    assert function.__name__ in message


HOSTILE = {
    "a dtype with forged flags": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n(S'O8'\nI0\nI1\n"
        b"tR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'AAAAAAAA'\ntb."
    ),
    "state for a function": b"cnumpy.core.multiarray\nscalar\n(N(dS'__code__'\nI1\nstb.",
    "state for a class": b"cnumpy\ndtype\n(dS'__init__'\nI1\nsb.",
    "a shape too large for its bytes": (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I99999999999\ntcnumpy\ndtype\n(S'f4'\n"
        b"I0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'AAAA'\ntb."
    ),
    "a class as a value": b"cnumpy\nndarray\n.",
    "a function as a value": b"c_codecs\nencode\n.",
    "bytes by count": b"c__builtin__\nbytes\n(I99999999999\ntR.",
    "another codec": b"c_codecs\nencode\n(S'eval'\nS'punycode'\ntR.",
    "a foreign base": b"ccopy_reg\n_reconstructor\n(cnumpy\ndtype\nc__builtin__\nlist\nNtR.",
    "data outside": b"Psomewhere\n.",
    "a name through dots": b"\x80\x04\x8c\x05numpy\x94\x8c\x11ndarray.__class__\x94\x93.",
    "no instruction": b"\x80\x04K\x01\xbf.",
    "bytes of a huge length": b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"abc.",
    "lists that double": b"\x80\x02]q\x00" + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(60)) + b".",
    "lists that double, outside": b"\x80\x02]q\x00"
    + b"".join(b"]q%c(h%ch%ce" % (n + 1, n, n) for n in range(60))
    + b"Q.",
    "tuples that double, as a key": b"\x80\x02)q\x00"
    + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
    + b"}h<K\x01s.",
    "tuples that double, in a set": b"\x80\x04)q\x00"
    + b"".join(b"h%ch%c\x86q%c" % (n, n, n + 1) for n in range(60))
    + b"\x8f(h<\x90.",
    "a shape of many numbers": b"cnumpy.core.numeric\n_frombuffer\n(C\x04abcdcnumpy\ndtype\n(S'f4'\ntR("
    + b"I"
    + b"9" * 4000
    + b"\n" * 2
    + b"tS'C'\ntR.",
    "one array copied without end": b"\x80\x03cnumpy.core.numeric\n_frombuffer\nq\x00cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
    b"q\x01B\x00\x00\x10\x00"
    + bytes(2**20)
    + b"q\x02K\x00M\x00\x00q\x030000]("
    + b"".join(b"h\x00(h\x02h\x01J\x00\x00\x04\x00\x85X\x01\x00\x00\x00CtR" for _ in range(2000))
    + b"e.",
    "a large matrix without entries": pickle.dumps(scipy.sparse.csc_matrix((20_000, 20_000)), 2),
    "empty": b"",
    "text": b"hello",
    "a cut pickle": pickle.dumps(np.arange(100))[:-60],
    "deep": b"(" * 5 + b"(l" * 200_000 + b"a" * 199_999 + b".",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_damaged(name: str) -> None:
    with pytest.raises(InputError, match=r"^x\.pkl: "):
        unpickle(HOSTILE[name], "x.pkl", kinds=("scipy", "chumpy", "torch"))


def test_tensors_that_reach_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps(torch.arange(6), 2)
    inside = b"K\x06\x85"
    assert inside in data
    with pytest.raises(InputError, match="outside its storage"):
        unpickle(data.replace(inside, b"K\x60\x85"), "x", kinds=("torch",))


MIXED = pickle.dumps([np.arange(4.0), {"a": torch.ones(2)}, scipy.sparse.csc_matrix(np.eye(2))], 2)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damage_never_raises_anything_else(data: st.DataObject) -> None:
    bad = bytearray(MIXED)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):
        unpickle(bytes(bad), "x", kinds=("scipy", "chumpy", "torch"))
