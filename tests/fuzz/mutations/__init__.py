"""Damaged copies of valid files: blindly by bytes, and by what the format is made of."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from random import Random

import numpy as np

from .archives import of_tar, of_zip
from .arrays import of_npy, of_npz, of_parquet
from .pickles import of_checkpoint, of_pickle, of_values_in_pickle
from .raw import by_bytes, of_wav
from .scenes import of_glb, of_gltf
from .tensors import of_safetensors
from .text import of_csv, of_json, of_json_lines, of_toml

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


STRUCTURED: dict[str, Mutation] = {
    "json": of_json, "jsonl": of_json_lines, "toml": of_toml, "csv": of_csv, "npy": of_npy, "npz": of_npz,
    "safetensors": of_safetensors, "glb": of_glb, "gltf": of_gltf, "pickle": of_pickle, "values": of_values_in_pickle,
    "checkpoint": of_checkpoint, "tar": of_tar, "parquet": of_parquet, "zip": of_zip, "wav": of_wav,
}  # fmt: skip
"""By kind of file."""
