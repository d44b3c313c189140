"""Named morph targets of a glTF file (.glb, or .gltf with its buffers), as its meshes stand in the scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.errors import InputError
from diffposetalk.files.limits import check_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.rotations import matrices_of, vectors_of_quaternions
from diffposetalk.head.shapes.container import WHAT, Container
from diffposetalk.head.shapes.names import arkit_name, few, viseme_names
from diffposetalk.head.shapes.vrm import Binds, expressions, faces_backward

TRIANGLES = 4
"""The glTF mode of triangles."""
MOST_NODES = 20_000
"""Nodes of a scene; avatars have a few hundred."""
MOST_PIECES = 5_000
"""Primitives that a scene shows; avatars have a few dozen."""
BYTES_VERTEX = 300
"""Memory that a vertex takes while its mesh is placed."""
BYTES_MOVE = 40
"""Memory that a vertex of a morph target takes."""


def read_targets(path: Path) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Read the resting surface of a scene and its named morph targets.

    Meshes that share a target's name (face, teeth, lashes) move together. Meshes stand where the scene puts them:
    by their node, or by the joints of their skin as the nodes hold them (so quantised positions, whose scale lies in
    the inverse bind matrices, come out in metres). Names are read from ``targetNames`` of mesh or primitive, else from
    the accessors, and from VRM expressions that are called like ARKit's channels.

    Returns:
        Vertices ``(V, 3)``, triangles ``(F, 3)``, names, and what each target adds ``(E, V, 3)`` float32, in the
        file's unit; the face toward +Z.

    Raises:
        InputError: the file is missing, damaged, too large, compressed in a way that cannot be read here, or has no
            named morph targets, or only visemes.
    """
    with parsing(path, WHAT), np.errstate(over="ignore", invalid="ignore"):
        return _Scene(Container(path)).targets()


@dataclass(frozen=True)
class _Piece:
    """One primitive, placed in the scene."""

    rest: np.ndarray
    faces: np.ndarray
    moves: dict[str, np.ndarray]


class _Scene:
    def __init__(self, file: Container) -> None:
        self.file, self.path = file, file.path
        self.places = self._places()
        self.binds, self.expression_names = expressions(file.json)

    def targets(self) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
        shown = [
            (number, part)
            for number, node in enumerate(self.file.nodes)
            if "mesh" in node and number in self.places
            for part in self.file.json["meshes"][node["mesh"]]["primitives"]
            if part.get("mode", TRIANGLES) == TRIANGLES
        ]
        if len(shown) > MOST_PIECES:
            raise InputError(f"{self.path}: shows {len(shown)} pieces of meshes, more than the limit of {MOST_PIECES}")
        counts = [self.file.count(part["attributes"]["POSITION"]) for _, part in shown]
        moved = sum(count * len(part.get("targets", ())) for count, (_, part) in zip(counts, shown))
        check_bytes(self.path, BYTES_VERTEX * sum(counts) + BYTES_MOVE * moved, WHAT)
        pieces = [self._piece(number, part) for number, part in shown]
        names = list(dict.fromkeys(name for piece in pieces for name in piece.moves))
        self._check_names(names, any(part.get("targets") for _, part in shown))
        n_vertices = sum(len(piece.rest) for piece in pieces)
        check_bytes(self.path, BYTES_MOVE * n_vertices * len(names), WHAT)
        deltas, faces, first = np.zeros((len(names), n_vertices, 3), np.float32), [], 0
        rows = {name: row for row, name in enumerate(names)}
        for piece in pieces:
            for name, move in piece.moves.items():
                deltas[rows[name], first : first + len(piece.rest)] = move
            faces.append(piece.faces + first)
            first += len(piece.rest)
        rest = np.concatenate([piece.rest for piece in pieces])
        if faces_backward(self.file.json):
            turn = np.array([-1, 1, -1])
            rest, deltas = rest * turn, deltas * turn.astype(np.float32)
        return rest, np.concatenate(faces), names, deltas

    def _check_names(self, names: list[str], has_targets: bool) -> None:
        channels = {arkit_name(name) for name in names} & set(INDEX)
        if channels:
            return
        every = [*names, *self.expression_names]
        visemes = viseme_names(every)
        if len(visemes) >= 5:
            raise InputError(
                f"{self.path}: its shapes are visemes ({few(visemes)}), not ARKit's 52 channels (jawOpen, "
                "mouthSmileLeft, ...); for such a head write visemes with "
                "`diffposetalk export motion.npz -o talk_visemes.json` (also talk_talkinghead_visemes.json, talk_azure.json)"
            )
        if not names:
            what = "its morph targets have no names" if has_targets else "has no named morph targets"
            raise InputError(
                f"{self.path}: {what}; ARKit's 52 channels (jawOpen, mouthSmileLeft, ...) are looked for in targetNames "
                "of meshes and primitives, in names of accessors and in VRM expressions"
            )

    def _piece(self, number: int, part: dict[str, Any]) -> _Piece:
        node = self.file.nodes[number]
        mesh = self.file.json["meshes"][node["mesh"]]
        arrays = self.file.draco(part)

        def attribute(name: str) -> np.ndarray | None:
            index = part["attributes"].get(name)
            if index is None:
                return None
            return arrays[name] if name in arrays else self.file.accessor(index)

        rest = attribute("POSITION")
        assert rest is not None
        if "indices" in arrays:
            faces = arrays["indices"]
        else:
            faces = self.file.accessor(part["indices"])[:, 0] if "indices" in part else np.arange(len(rest))
        place = self.places[number]
        if "skin" in node:
            place = self._skinned(node["skin"], attribute, len(rest), place)
        linear = place[..., :3, :3]
        faces = faces.reshape(-1, 3).astype(np.int64)
        if np.linalg.det(linear.reshape(-1, 3, 3).mean(0)) < 0:
            faces = faces[:, ::-1]
        moves = {name: _turned(linear, move) for name, move in self._moves(mesh, node["mesh"], part).items()}
        return _Piece(_turned(linear, rest) + place[..., :3, 3], faces, moves)

    def _moves(self, mesh: dict[str, Any], number: int, part: dict[str, Any]) -> dict[str, np.ndarray]:
        """Return what each named target adds, before the scene moves it."""
        targets = part.get("targets", ())
        lists = [each.get("extras") or {} for each in (mesh, part)]
        names: list[Any] = next((each["targetNames"] for each in lists if each.get("targetNames")), [])
        moves: dict[str, np.ndarray] = {}
        for index, target in enumerate(targets):
            if "POSITION" not in target:
                continue
            name = names[index] if index < len(names) else None
            name = name or (target.get("extras") or {}).get("name") or self.file.accessor_name(target["POSITION"])
            if name:
                moves[str(name)] = self.file.accessor(target["POSITION"])
        known = {arkit_name(name) for name in moves}
        for channel, weights in self.binds.get(number, Binds()).items():
            parts = [
                weight * self.file.accessor(targets[index]["POSITION"]).astype(np.float64)
                for index, weight in weights.items()
            ]
            if channel not in known and parts:
                moves[channel] = np.sum(parts, axis=0)
        return moves

    def _skinned(self, skin: int, attribute: Any, n_vertices: int, place: np.ndarray) -> np.ndarray:
        """Return where the joints of a skin put each vertex, ``(V, 4, 4)``."""
        about = self.file.json["skins"][skin]
        joints = np.stack([self.places[joint] for joint in about["joints"]])
        if "inverseBindMatrices" in about:
            inverse = self.file.accessor(about["inverseBindMatrices"]).astype(np.float64)
            joints = joints @ inverse[: len(joints)].reshape(-1, 4, 4).transpose(0, 2, 1)
        blend, total = np.zeros((n_vertices, 4, 4)), np.zeros(n_vertices)
        for index in range(8):
            numbers, weights = attribute(f"JOINTS_{index}"), attribute(f"WEIGHTS_{index}")
            if numbers is None or weights is None:
                break
            for column in range(numbers.shape[1]):
                share = weights[:, column].astype(np.float64)
                blend += share[:, None, None] * joints[numbers[:, column].astype(np.int64)]
                total += share
        if not total.any():
            return place
        blend[total == 0], total[total == 0] = joints[0], 1.0
        return blend / total[:, None, None]

    def _places(self) -> dict[int, np.ndarray]:
        """Return where each node stands, ``(4, 4)``.

        Raises:
            InputError: the nodes are not a tree.
        """
        nodes = self.file.nodes
        if len(nodes) > MOST_NODES:
            raise InputError(f"{self.path}: has {len(nodes)} nodes, more than the limit of {MOST_NODES}")
        below = {child for node in nodes for child in node.get("children", ())}
        places: dict[int, np.ndarray] = {}
        waiting = [(number, np.eye(4)) for number in range(len(nodes)) if number not in below]
        while waiting:
            number, above = waiting.pop()
            if number in places:
                raise InputError(f"{self.path}: its nodes are not a tree: node {number} has two parents")
            places[number] = above @ _local(nodes[number])
            waiting += [(child, places[number]) for child in nodes[number].get("children", ())]
        lost = next((number for number in range(len(nodes)) if number not in places), None)
        if lost is not None:
            raise InputError(f"{self.path}: its nodes are not a tree: node {lost} is below itself")
        return places


def _turned(linear: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Apply one matrix ``(3, 3)``, or one for each vertex ``(V, 3, 3)``, to ``(V, 3)``."""
    vectors = vectors.astype(np.float64)
    return vectors @ linear.T if linear.ndim == 2 else np.einsum("vij,vj->vi", linear, vectors)


def _local(node: dict[str, Any]) -> np.ndarray:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0, 0, 0, 1))
    place = np.eye(4)
    place[:3, :3] = matrices_of(vectors_of_quaternions(np.array([x, y, z, w], np.float64))) * np.array(
        node.get("scale", (1, 1, 1)), np.float64
    )
    place[:3, 3] = node.get("translation", (0, 0, 0))
    return place
