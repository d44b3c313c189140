"""Damaged pickles, by instructions and by values, and checkpoints that hold them."""

from __future__ import annotations

import io
import pickle
import pickletools
from random import Random
from typing import Any

import numpy as np

from ..values import changed, changed_array, nasty
from .archives import zip_members, zip_of
from .raw import by_bytes


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
