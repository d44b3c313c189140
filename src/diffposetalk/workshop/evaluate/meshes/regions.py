"""Which vertices the measures look at: index lists of the user's, or the regions of a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.npz import read_npy
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.metrics import mean_gap


@dataclass(frozen=True)
class Regions:
    """What the measures need to know about the mesh; None where it is unknown."""

    lips: np.ndarray | None = None
    """``(n,)`` vertex indices."""
    upper_face: np.ndarray | None = None
    """``(n,)`` vertex indices."""
    gap: Callable[[np.ndarray], np.ndarray] | None = None
    """Vertices ``(T, V, 3)`` -> inner-lip gap ``(T,)`` in metres."""
    rest: np.ndarray | None = None
    """``(V, 3)`` metres, the head at rest."""
    largest: int = -1
    """The largest vertex index in use."""
    n_vertices: int | None = None
    """Vertices of the head; None for index lists alone."""

    def check(self, n_vertices: int, where: Path) -> None:
        """Refuse regions of another mesh.

        Args:
            n_vertices: of the mesh sequences.
            where: their folder, for errors.

        Raises:
            InputError: the head has another number of vertices, or an index lies outside the mesh.
        """
        if self.n_vertices not in (None, n_vertices):
            raise InputError(f"{where}: its meshes have {n_vertices} vertices, the head has {self.n_vertices}")
        if self.largest >= n_vertices:
            raise InputError(
                f"{where}: its meshes have {n_vertices} vertices, but the index lists name vertex {self.largest}"
            )


@dataclass(frozen=True)
class RegionFiles:
    """Where the regions come from: lists of vertex indices (text or ``.npy``), and a head for what they leave open."""

    lips: Path | None = None
    """Lip vertices."""
    upper_face: Path | None = None
    """Upper-face vertices."""
    lip_pairs: Path | None = None
    """Rows of an upper and the facing lower inner-lip vertex."""
    head: str | None = None
    """Name or file of a head with the meshes' topology."""


def find_regions(files: RegionFiles) -> Regions:
    """Read the index lists; what they leave open comes from the head, where one is given.

    Raises:
        UsageError: nothing is given that names lip or upper-face vertices.
        InputError: a list cannot be read, or holds something else than vertex indices.
    """
    if files.head is None and files.lips is None and files.upper_face is None:
        raise UsageError("give --lips FILE and --upper-face FILE, or --head NAME|FILE whose regions are used")
    base = Regions() if files.head is None else _head_regions(files.head)
    lists = {"lips": files.lips, "upper_face": files.upper_face, "lip_pairs": files.lip_pairs}
    read = {name: read_indices(path) for name, path in lists.items() if path is not None}
    gap = base.gap
    if "lip_pairs" in read:
        if len(read["lip_pairs"]) % 2:
            raise InputError(f"{files.lip_pairs}: must hold pairs of an upper and a lower vertex")
        upper, lower = read["lip_pairs"].reshape(-1, 2).T
        gap = _gap_between(upper, lower)
    return Regions(
        read.get("lips", base.lips),
        read.get("upper_face", base.upper_face),
        gap,
        base.rest,
        max((int(indices.max()) for indices in read.values()), default=-1),
        base.n_vertices,
    )


def read_indices(path: Path) -> np.ndarray:
    """Read vertex indices ``(n,)``: a ``.npy`` array, or text separated by white space or commas.

    Raises:
        InputError: the file is missing or empty, or holds something else than whole numbers from 0.
    """
    what = "list of vertex indices"
    if path.suffix.lower() == ".npy":
        indices = read_npy(path, what).reshape(-1)
    else:
        with parsing(path, what):
            words = read_bytes(path, what).decode("utf-8-sig").replace(",", " ").strip("[] \n\r\t").split()
            indices = np.array([int(word) for word in words])
    if indices.size == 0:
        raise InputError(f"{path}: holds no vertex index")
    if indices.dtype.kind not in "iu" or indices.min() < 0:
        raise InputError(f"{path}: vertex indices must be whole numbers from 0")
    return indices.astype(np.int64)


def _gap_between(upper: np.ndarray, lower: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda vertices: mean_gap(vertices, upper, lower)


def _head_regions(name: str) -> Regions:
    from diffposetalk.head import load_head

    head = load_head(name)
    rest = head.mesh().vertices
    gap = None if head.inner_lips is None else _gap_of(*head.inner_lips)
    return Regions(head.regions["lips"], head.regions["upper_face"], gap, rest, -1, len(rest))


def _gap_of(upper: Landmarks, lower: Landmarks) -> Callable[[np.ndarray], np.ndarray]:
    rows = np.arange(len(upper) + len(lower))

    def gap(vertices: np.ndarray) -> np.ndarray:
        points = np.concatenate([upper.of(vertices), lower.of(vertices)], -2)
        return mean_gap(points, rows[: len(upper)], rows[len(upper) :])

    return gap
