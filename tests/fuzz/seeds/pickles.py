"""Pickles, bare and in npy files."""

from __future__ import annotations

import pickle

import numpy as np

from .files import npy
from .heads import flame_folder


def pickles() -> list[bytes]:
    """Pickles of every kind that is understood."""
    import scipy.sparse
    import torch

    value = {"a": np.arange(4.0), "b": [torch.ones(2), 1.5, "text"], "c": scipy.sparse.csc_matrix(np.eye(2))}
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 4, 5)]


def npy_objects() -> list[bytes]:
    """A .npy file with a dictionary, one of numbers."""
    return [
        npy(np.array({"a": np.arange(3)}, object), True),
        npy(np.arange(3.0)),
        flame_folder()["landmark_embedding.npy"],
    ]
