"""A head as its landmarks: what identity and expression do to them, and what is usual for each channel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.retarget.controls import JAW_HIGH, JAW_LOW, N_COEFFICIENTS
from diffposetalk.track.hinge import AXES, Hinge
from diffposetalk.track.landmarks import BROWS, EYE_CORNERS, IRISES, LID_PAIRS, LIDS, LIP_PAIRS, LIPS, OUTLINE

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel, JointedHead

USUAL = {
    "eyeBlink": 0.6, "eyeLook": 0.4, "eyeSquint": 0.15, "eyeWide": 0.15, "jawForward": 0.05, "jawLeft": 0.05,
    "jawRight": 0.05, "jawOpen": 0.5, "mouthClose": 0.03, "mouthFunnel": 0.25, "mouthPucker": 0.35, "mouthLeft": 0.12,
    "mouthRight": 0.12, "mouthSmile": 0.4, "mouthFrown": 0.15, "mouthDimple": 0.12, "mouthStretch": 0.15,
    "mouthRoll": 0.2, "mouthShrug": 0.05, "mouthPress": 0.15, "mouthLowerDown": 0.4, "mouthUpperUp": 0.35,
    "browDown": 0.3, "browInnerUp": 0.4, "browOuterUp": 0.4, "cheekPuff": 0.06, "cheekSquint": 0.12, "noseSneer": 0.12,
    "tongueOut": 0.01,
}  # fmt: skip
"""How large each ARKit weight usually gets in talk: the pull toward 0 is one over its square."""
QUICK = {"eyeBlink": 0.3, "eyeLook": 0.1, "jaw": 0.15, "mouth": 0.12}
"""How far each weight usually goes within 40 ms; others `SLOW`."""
SLOW = 0.06
SHARE = {"lips": 0.3, "lids": 0.08, "brows": 0.12, "irises": 0.06, "outline": 0.2, "face": 0.34}
"""What each group of landmarks counts, whatever the number of its points."""

N_IDENTITY = 100
"""Leading identity coefficients of FLAME that are sought; the paper's model takes as many."""
LIMIT, USUAL_COEFFICIENT, QUICK_COEFFICIENT = 6.0, 0.5, 0.8
"""How far FLAME's expression coefficients may go, how large they usually are, how far they go in 40 ms; spreads.
A spread is that of posed expressions; talk stays well below, and a jaw is the likelier reason why lips part."""
USUAL_JAW, QUICK_JAW = (0.3, 0.02, 0.02), (0.08, 0.01, 0.01)
"""The same for the jaw's rotation about x, y and z, radians."""

NEEDED = sorted({*(i for pair in LIP_PAIRS for i in pair), *(i for side in LID_PAIRS.values() for pair in side for i in pair),
                 *(i for side in EYE_CORNERS.values() for i in side)})  # fmt: skip
"""Landmarks without which nothing is fitted."""
RESTING_BROWS_M = {"anny": -0.004}
"""By head, how far above its own brows those of most resting people lie. The free head's brows are high: MediaPipe's
canonical face, laid on it by similarity, has them 4.6 mm lower. Without this everybody would seem to frown; between 0
and 5 mm, 4 mm agrees best with brow scores of ten people who were filmed, at the same error."""


@dataclass(frozen=True)
class LandmarkModel:
    """Landmarks as a function of identity and expression, before the head turns: linear, but for a jaw that is a joint.

    `points = rest + offsets + identity . identity_basis + weights . basis + what the hinge adds`, metres in the head's frame.
    """

    head: HeadModel = field(repr=False)
    indices: np.ndarray = field(repr=False)
    """``(n,)`` which of MediaPipe's landmarks they are."""
    rest: np.ndarray = field(repr=False)
    """``(n, 3)`` of this person."""
    identity_basis: np.ndarray = field(repr=False)
    """``(I, n, 3)`` per unit of each identity coordinate."""
    basis: np.ndarray = field(repr=False)
    """``(E, n, 3)`` per unit of each weight."""
    names: tuple[str, ...] = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    """``(E,)`` bounds of the weights."""
    usual: np.ndarray = field(repr=False)
    quick: np.ndarray = field(repr=False)
    """``(E,)`` how large weights usually are, and how far they go in 40 ms."""
    sparse: bool = True
    """Whether weights are 0 at rest and seldom below, so that few at a time are likely."""
    hinge: Hinge | None = field(default=None, repr=False)
    """The jaw of a head where it is a joint; its rotation are the last three weights."""

    @staticmethod
    def of_head(head: HeadModel) -> LandmarkModel:
        """Measure a head with ARKit channels, or FLAME.

        Raises:
            ModelError: it lacks MediaPipe's landmarks, or has other channels.
        """
        from diffposetalk.arkit import INDEX

        if head.jointed is not None:
            return _of_jointed(head.jointed)
        if not set(head.expression_names) <= set(INDEX):
            raise ModelError(
                f"the head {head.name} is not FLAME and has no ARKit channels; track on anny and retarget the motion to it"
            )
        marks: Landmarks = head.landmarks
        indices = head.mediapipe_indices
        used = np.unique(marks.corners)
        local = Landmarks(np.searchsorted(used, marks.corners), marks.shares)
        still = np.zeros((1, len(head.expression_names)), np.float32)
        middle = np.asarray(head.vertices(still)[0], np.float64)[used]
        people = np.eye(head.identity_dim, dtype=np.float32)
        moved = np.stack([np.asarray(head.vertices(still, identity=one)[0], np.float64)[used] for one in people])
        low, high = np.zeros(len(head.expression_names)), np.ones(len(head.expression_names))
        rest = local.of(middle)
        rest[np.isin(indices, BROWS), 1] += RESTING_BROWS_M.get(head.name, 0.0)
        return LandmarkModel(
            head,
            indices,
            rest,
            local.of(moved - middle),
            local.of(head.expression_basis(used).astype(np.float64)),
            tuple(head.expression_names),
            low,
            high,
            np.array([usual_of(name, USUAL, 0.2) for name in head.expression_names]),
            np.array([usual_of(name, QUICK, SLOW) for name in head.expression_names]),
        )

    def of_person(self, identity: np.ndarray) -> LandmarkModel:
        """Return the landmarks of a person, ``(I,)`` coordinates."""
        hinge = None if self.hinge is None else self.hinge.of_person(identity)
        return replace(self, rest=self.rest + np.einsum("i,inc->nc", identity, self.identity_basis), hinge=hinge)

    def shifted(self, offsets: np.ndarray) -> LandmarkModel:
        """Return the model with landmarks ``(n, 3)`` metres elsewhere on the face."""
        hinge = None if self.hinge is None else self.hinge.shifted(offsets)
        return replace(self, rest=self.rest + offsets, hinge=hinge)

    def place(self, weights: np.ndarray) -> np.ndarray:
        """Return the landmarks ``(T, n, 3)`` of weights ``(T, E)``, metres in the head's frame."""
        placed = self.rest + np.tensordot(weights, self.basis, 1)
        return placed if self.hinge is None else placed + self.hinge.added(weights)

    def slope(self, weights: np.ndarray) -> np.ndarray:
        """Return the derivative by each weight at ``(T, E)`` weights: ``(E, n, 3)`` if it is constant, else ``(T, E, n, 3)``."""
        return self.basis if self.hinge is None else self.basis + self.hinge.slope(weights)

    def identity_slope(self, weights: np.ndarray) -> np.ndarray:
        """Return what each identity coordinate does at weights ``(T, E)``: ``(I, n, 3)`` or ``(T, I, n, 3)``."""
        return self.identity_basis if self.hinge is None else self.identity_basis + self.hinge.identity_slope(weights)

    def split(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the expression of weights ``(..., E)`` and, where the jaw is a joint, its rotation ``(..., 3)``."""
        return (weights, None) if self.hinge is None else (weights[..., :-3], weights[..., -3:])

    def eye_distance(self) -> float:
        """Return how far the middles of the eyes are apart, metres."""
        eyes = self.eyes()
        return float(np.linalg.norm(eyes[0] - eyes[1]))

    def eyes(self) -> np.ndarray:
        """Return the middles between the corners of right and left eye, ``(2, 3)`` metres; every embedding has those."""
        corners = [[self.at(index) for index in EYE_CORNERS[side]] for side in ("right", "left")]
        return self.rest[corners].mean(1)

    def at(self, index: int) -> int:
        """Return the row of a landmark by MediaPipe's number.

        Raises:
            ModelError: the head does not have it.
        """
        rows = np.flatnonzero(self.indices == index)
        if not len(rows):
            raise ModelError(f"the head {self.head.name} lacks MediaPipe's landmark {index}")
        return int(rows[0])

    def importance(self) -> np.ndarray:
        """Return what each landmark counts, ``(n,)``; all together 1."""
        group = np.full(int(self.indices.max()) + 1, "face", dtype="U8")
        for name, members in (
            ("outline", OUTLINE),
            ("lips", LIPS),
            ("lids", LIDS),
            ("brows", BROWS),
            ("irises", IRISES),
        ):
            group[[member for member in members if member < len(group)]] = name
        mine = group[self.indices]
        each = np.array([SHARE[name] / (mine == name).sum() for name in mine])
        return each / each.sum()


def _of_jointed(head: JointedHead) -> LandmarkModel:
    """Measure FLAME: identity and expression coefficients, and the jaw; gaze is left out, as in the paper.

    Raises:
        ModelError: there is no embedding of MediaPipe's landmarks, or it lacks some that are needed.
    """
    indices = np.asarray(head.mediapipe_indices)
    kept = np.flatnonzero(~np.isin(indices, IRISES))
    marks = Landmarks(head.landmarks.corners[kept], head.landmarks.shares[kept])
    used = np.unique(marks.corners)
    local = Landmarks(np.searchsorted(used, marks.corners), marks.shares)
    n_identity, n_expression = min(N_IDENTITY, head.identity_dim), min(N_COEFFICIENTS, len(head.expression_names))
    model = head.model
    basis = local.of(model.expression_basis[:n_expression, used].astype(np.float64))
    found = LandmarkModel(
        head,
        indices[kept],
        local.of(model.template[used].astype(np.float64)),
        local.of(model.identity_basis[:n_identity, used].astype(np.float64)),
        np.concatenate([basis, np.zeros((3, *basis.shape[1:]))]),
        (*head.expression_names[:n_expression], *AXES),
        np.array([-LIMIT] * n_expression + list(JAW_LOW)),
        np.array([LIMIT] * n_expression + list(JAW_HIGH)),
        np.array([USUAL_COEFFICIENT] * n_expression + list(USUAL_JAW)),
        np.array([QUICK_COEFFICIENT] * n_expression + list(QUICK_JAW)),
        sparse=False,
        hinge=Hinge.of_head(head, used, local, n_identity, n_expression),
    )
    for index in NEEDED:
        found.at(index)
    return found


def usual_of(name: str, table: dict[str, float], otherwise: float) -> float:
    """Return the entry of the longest beginning of a name that is in a table."""
    known = [key for key in table if name.startswith(key)]
    return table[max(known, key=len)] if known else otherwise
