"""Corresponding points of two heads: equal vertices, MediaPipe's landmarks, and dense points between the landmarks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning, ModelError
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.geometry.normals import vertex_normals
from diffposetalk.retarget.surfaces import Surface, Warp, similarity

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel

IMPORTANCE = {"lips": 0.45, "eyelids": 0.2, "brows": 0.15, "face": 0.2, "tongue": 0.02}
"""Weight of each region, independent of the number of its points. Lips, lids and brows matter most in speech."""
DENSE = {"lips": 200, "eyelids": 140, "brows": 120, "face": 240}
"""Largest number of dense points of each region."""
FAR = 0.05
"""Largest distance of a match after the fit, as a share of the face's size."""
LEAST_MOVEMENT = 0.04
"""Vertices of the face: some channel moves them by at least this share of the largest movement of all vertices."""


@dataclass(frozen=True)
class Correspondence:
    """Matching points on the triangles of two heads."""

    source: Landmarks = field(repr=False)
    """``n`` points on the source's triangles."""
    target: Landmarks = field(repr=False)
    """The same points on the target's triangles."""
    regions: tuple[str, ...] = field(repr=False)
    """Region of each point: lips, eyelids, brows or face."""
    scale: float = 1.0
    """Size of the target divided by that of the source; displacements are multiplied by it."""
    rotation: np.ndarray = field(default_factory=lambda: np.eye(3), repr=False)
    """``(3, 3)`` from the source's axes to the target's."""
    gaps: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """Pairs of points on facing lips or lids, whose distance is matched in addition to their positions."""
    contacts: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """Pairs of points on the inner lips, upper and lower, that touch when the mouth is closed."""

    def __post_init__(self) -> None:
        if not len(self.source) == len(self.target) == len(self.regions):
            raise ModelError(
                f"a correspondence needs the same number of points on both heads, got {len(self.source)} and {len(self.target)}"
            )

    def __len__(self) -> int:
        return len(self.regions)

    @property
    def weights(self) -> np.ndarray:
        """``(n,)`` weight of each point; they sum to 1."""
        counts = {name: self.regions.count(name) for name in set(self.regions)}
        each = np.array([IMPORTANCE.get(name, IMPORTANCE["face"]) / counts[name] for name in self.regions])
        return each / each.sum()

    def swapped(self) -> Correspondence:
        """Return the same pairs of points with source and target exchanged."""
        return replace(self, source=self.target, target=self.source, scale=1 / self.scale, rotation=self.rotation.T)

    @staticmethod
    def same_vertices(source: HeadModel, target: HeadModel) -> Correspondence:
        """Pair the equal vertices of two heads with the same triangles.

        Raises:
            ModelError: the triangles differ.
        """
        if source.faces.shape != target.faces.shape or not np.array_equal(source.faces, target.faces):
            raise ModelError(f"the heads {source.name} and {target.name} do not have the same triangles")
        source_rest, target_rest = neutral_of(source), neutral_of(target)
        chosen, labels = _chosen(target, target_rest)
        tongue = target.regions.get("tongue", chosen[:0])[::4]
        scale, rotation, _ = similarity(source_rest[chosen], target_rest[chosen])
        marks = marks_of(target) or marks_of(source)
        names = [f"mediapipe {number}" for number in marks[1].tolist()] if marks else []
        rows = [row for row, name in enumerate(names) if _region_of(name) != "face"]
        points = [_at_vertices(np.concatenate([chosen, tongue]))]
        if marks:
            points.insert(0, Landmarks(marks[0].corners[rows], marks[0].shares[rows]))
        names = [names[row] for row in rows]
        labels = [_region_of(name) for name in names] + labels + ["tongue"] * len(tongue)
        both = _joined(tuple(points))
        return Correspondence(both, both, tuple(labels), scale, rotation, _pairs(names, GAPS), _pairs(names, LIPS))

    @staticmethod
    def between(source: HeadModel, target: HeadModel, dense: bool = True) -> Correspondence:
        """Find corresponding points of any two heads.

        Heads with the same triangles have the same vertices. Other heads need anchors that both have: MediaPipe's landmarks,
        eyeballs, or the places where shapes of the same name act. A similarity transform of the anchors and a smooth warp
        align the target's resting face with the source's. Then each vertex of the target is matched to the nearest point of
        the source with a similar normal, and the warp is fitted to these matches. This is done twice.

        Args:
            source: head of the motion.
            target: head of the result.
            dense: add points between the landmarks; needed if the heads have few landmarks in common.

        Raises:
            ModelError: the heads have too little in common.
        """
        if source.faces.shape == target.faces.shape and np.array_equal(source.faces, target.faces):
            return Correspondence.same_vertices(source, target)
        if marks_of(target) is None and marks_of(source) is not None:
            return Correspondence.between(
                target, source, dense
            ).swapped()  # the warp is better if it starts from the head with landmarks
        source_rest, target_rest = neutral_of(source), neutral_of(target)
        on_source, on_target = anchors(source, source_rest), anchors(target, target_rest)
        common = [name for name in on_target if name in on_source]
        marks = [name for name in common if name.startswith("mediapipe")]
        if len(marks) >= 8:
            common = [name for name in common if name.startswith(("mediapipe", "eye"))]
        eyes = [name for name in common if name.startswith("eye")]
        if len(common) < 3 and len(eyes) < 2:
            raise ModelError(
                f"the heads {source.name} and {target.name} have no landmarks, eyeballs or shape names in common; "
                "give one of them MediaPipe landmarks"
            )
        a, b = (np.stack([places[name] for name in common]) for places in (on_source, on_target))
        scale, rotation, shift = similarity(a, b) if len(common) > 2 else _by_eyes(a, b)
        if len(common) < 3:
            warnings.warn(
                f"the heads {source.name} and {target.name} have only their eyes in common: matches at the mouth may be "
                "several millimetres off; put FLAME's landmark_embedding.npy beside the model",
                DiffPoseTalkWarning,
                stacklevel=2,
            )
        size = _face_size(target, target_rest)

        def onto_source(points: np.ndarray) -> np.ndarray:
            return ((points - shift) @ rotation) / scale

        smooth = 1e-4 if len(marks) >= 8 else 3e-2
        warp = Warp.fit(onto_source(b), a, smooth * size / scale) if len(common) >= 8 else Warp.none()
        on_both = [(_picked(source, marks), _picked(target, marks))] if marks else []
        labels = [_region_of(name) for name in marks]
        if dense:
            skin = skin_of(target)
            chosen, regions = _chosen(target, target_rest)
            surface = Surface(source_rest, source.faces, skin_of(source))
            facing = vertex_normals(target_rest, target.faces) @ rotation
            laid = onto_source(target_rest)
            reach = FAR * size / scale
            for smoothing in (1e-2, 3e-3):
                nearest, _, distance = surface.nearest(warp(laid[chosen]), facing[chosen])
                near = distance < 2 * reach
                if near.sum() < 12:
                    raise ModelError(f"the faces of {source.name} and {target.name} could not be aligned")
                some = np.flatnonzero(near)[:: max(1, int(near.sum()) // 250)]
                held = onto_source(b) if marks else onto_source(b)[:0]
                start, end = (
                    np.concatenate([held, laid[chosen[some]]]),
                    np.concatenate([a[: len(held)], nearest[some]]),
                )
                warp = Warp.fit(start, end, smoothing * size / scale)
            _, points, distance = surface.nearest(warp(laid[chosen]), facing[chosen])
            near = distance < reach
            on_both.append((Landmarks(points.corners[near], points.shares[near]), _at_vertices(chosen[near])))
            labels += [name for name, good in zip(regions, near) if good]
            if not marks:
                on_target_skin = Surface(warp(laid), target.faces, skin)
                carried, names = _carried(source, target, surface, on_target_skin, reach)
                on_both.insert(0, carried)
                marks = names
                labels = [_region_of(name) for name in names] + labels
        sources, targets = zip(*on_both)
        gaps, contacts = _pairs(marks, GAPS), _pairs(marks, LIPS)
        return Correspondence(_joined(sources), _joined(targets), tuple(labels), scale, rotation, gaps, contacts)


def neutral_of(head: HeadModel, identity: np.ndarray | None = None) -> np.ndarray:
    """Return the resting vertices ``(V, 3)`` float64, metres."""
    still = np.zeros((1, len(head.expression_names)), np.float32)
    return np.asarray(head.vertices(still, identity=identity), np.float64).reshape(-1, 3)


def skin_of(head: HeadModel) -> np.ndarray:
    """Return the vertices of the skin."""
    n_vertices = int(head.faces.max()) + 1
    balls = [head.regions[name] for name in ("left_eye", "right_eye") if name in head.regions]
    skin = head.regions.get("skin", np.arange(n_vertices))
    return np.setdiff1d(skin, np.concatenate(balls)) if balls else skin


def marks_of(head: HeadModel) -> tuple[Landmarks, np.ndarray] | None:
    """Return the MediaPipe landmarks of a head and their numbers; FLAME's 68 landmarks replace them where they agree."""
    try:
        points = head.landmarks
    except ModelError:
        return head.still_landmarks
    return points, head.mediapipe_indices


def anchors(head: HeadModel, rest: np.ndarray) -> dict[str, np.ndarray]:
    """Return the positions ``(3,)`` of the anchors by name; a name means the same place on every head."""
    places: dict[str, np.ndarray] = {}
    marks = marks_of(head)
    if marks is not None:
        places |= {f"mediapipe {index}": place for index, place in zip(marks[1].tolist(), marks[0].of(rest))}
    places |= {f"eye {name}": rest[head.regions[name]].mean(0) for name in ("left_eye", "right_eye")
              if len(head.regions.get(name, ()))}  # fmt: skip
    from diffposetalk.arkit import INDEX

    if set(head.expression_names) & set(INDEX):
        skin = skin_of(head)
        squares = (head.expression_basis(skin).astype(np.float64) ** 2).sum(-1) ** 2
        for name, acts in zip(head.expression_names, squares):
            if name in INDEX and acts.sum() > 0 and not name.startswith("eyeLook"):
                places[f"shape {name}"] = (acts[:, None] * rest[skin]).sum(0) / acts.sum()
    return places


def _by_eyes(a: np.ndarray, b: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the similarity by two eyes ``(2, 3)`` alone: all heads are upright and look along +Z."""
    scale = float(np.linalg.norm(b[1] - b[0]) / np.linalg.norm(a[1] - a[0]))
    return scale, np.eye(3), b.mean(0) - scale * a.mean(0)


def _face_size(head: HeadModel, rest: np.ndarray) -> float:
    """Return the mean distance of the face's vertices from their centre, metres."""
    parts = rest[np.concatenate([head.regions[name] for name in ("lips", "eyelids", "upper_face")])]
    return float(np.linalg.norm(parts - parts.mean(0), axis=1).mean())


def _chosen(head: HeadModel, rest: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return vertices spread evenly over each region, and the region of each."""
    skin = skin_of(head)
    moves = np.linalg.norm(head.expression_basis(skin), axis=-1).max(0)
    movable = skin[moves >= LEAST_MOVEMENT * moves.max()]
    labels = np.full(len(rest), "face", dtype="U8")
    for name, region in (("brows", "upper_face"), ("eyelids", "eyelids"), ("lips", "lips")):
        labels[head.regions[region]] = name
    picked, names = [], []
    for name, count in DENSE.items():
        members = movable[labels[movable] == name]
        if len(members):
            spread = members[_spread(rest[members], min(count, len(members)))]
            picked.append(spread)
            names += [name] * len(spread)
    return np.concatenate(picked), names


def _spread(points: np.ndarray, count: int) -> np.ndarray:
    """Return indices of evenly spread points by farthest point sampling."""
    picked = [int(points[:, 1].argmin())]
    distance = np.full(len(points), np.inf)
    while len(picked) < count:
        distance = np.minimum(distance, ((points - points[picked[-1]]) ** 2).sum(1))
        picked.append(int(distance.argmax()))
    return np.array(picked)


def _picked(head: HeadModel, names: list[str]) -> Landmarks:
    """Return the landmarks with the given names, such as "mediapipe 13"."""
    marks = marks_of(head)
    if marks is None:
        raise ModelError(f"the head {head.name} has no landmarks")
    row = {f"mediapipe {number}": index for index, number in enumerate(marks[1].tolist())}
    rows = [row[name] for name in names]
    return Landmarks(marks[0].corners[rows], marks[0].shares[rows])


def _carried(
    source: HeadModel, target: HeadModel, on_source: Surface, on_target: Surface, reach: float
) -> tuple[tuple[Landmarks, Landmarks], list[str]]:
    """Transfer the landmarks of the head that has them to the other head; both surfaces are aligned."""
    nothing = Landmarks(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))
    for head, own, other in ((source, on_source, on_target), (target, on_target, on_source)):
        marks = marks_of(head)
        if marks is None:
            continue
        speaking = [row for row, number in enumerate(marks[1].tolist()) if _region_of(f"mediapipe {number}") != "face"]
        on_own = Landmarks(marks[0].corners[speaking], marks[0].shares[speaking])
        places, facing = on_own.of(own.vertices), on_own.of(own.directions)
        _, on_other, distance = other.nearest(places, facing)
        near = distance < reach
        names = [f"mediapipe {number}" for number, good in zip(marks[1][speaking].tolist(), near) if good]
        on_own = Landmarks(on_own.corners[near], on_own.shares[near])
        on_other = Landmarks(on_other.corners[near], on_other.shares[near])
        return ((on_own, on_other) if head is source else (on_other, on_own)), names
    return (nothing, nothing), []


def _pairs(names: list[str], pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return the rows of those pairs of MediaPipe landmarks whose two landmarks are both among the names."""
    row = {name: index for index, name in enumerate(names)}
    named = ((f"mediapipe {a}", f"mediapipe {b}") for a, b in pairs)
    return tuple((row[a], row[b]) for a, b in named if a in row and b in row)


def _region_of(name: str) -> str:
    """Return the region of a MediaPipe landmark, given the name of its anchor."""
    from diffposetalk.head.flame.regions import MEDIAPIPE_EYES, MEDIAPIPE_LIPS

    number = int(name.split()[1])
    if any(number in line for line in MEDIAPIPE_LIPS):
        return "lips"
    if any(number in line for line in MEDIAPIPE_EYES):
        return "eyelids"
    return "brows" if number in MEDIAPIPE_BROWS else "face"


LIPS = ((80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318))
"""MediaPipe's points of the upper and the lower inner lip, from the right to the left."""
GAPS = (
    (81, 178), (82, 87), (13, 14), (312, 317), (311, 402),
    (160, 144), (159, 145), (158, 153), (385, 380), (386, 374), (387, 373),
)  # fmt: skip
"""Upper and lower points of the inner lips and of the lids."""
MEDIAPIPE_BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
"""MediaPipe's points of the right and left brow, upper line and lower."""


def _at_vertices(index: np.ndarray) -> Landmarks:
    return Landmarks(
        np.repeat(index[:, None], 3, 1).astype(np.int32), np.tile(np.array([1, 0, 0], np.float32), (len(index), 1))
    )


def _joined(parts: tuple[Landmarks, ...]) -> Landmarks:
    return Landmarks(np.concatenate([part.corners for part in parts]), np.concatenate([part.shares for part in parts]))
