"""Landmarks of a head as a function of identity and expression, and the priors of the weights."""

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

PRIOR_STD = {
    "eyeBlink": 0.6, "eyeLook": 0.4, "eyeSquint": 0.15, "eyeWide": 0.15, "jawForward": 0.05, "jawLeft": 0.05,
    "jawRight": 0.05, "jawOpen": 0.5, "mouthClose": 0.03, "mouthFunnel": 0.25, "mouthPucker": 0.35, "mouthLeft": 0.12,
    "mouthRight": 0.12, "mouthSmile": 0.4, "mouthFrown": 0.15, "mouthDimple": 0.12, "mouthStretch": 0.15,
    "mouthRoll": 0.2, "mouthShrug": 0.05, "mouthPress": 0.15, "mouthLowerDown": 0.4, "mouthUpperUp": 0.35,
    "browDown": 0.3, "browInnerUp": 0.4, "browOuterUp": 0.4, "cheekPuff": 0.06, "cheekSquint": 0.12, "noseSneer": 0.12,
    "tongueOut": 0.01,
}  # fmt: skip
"""Prior standard deviation of each ARKit weight in speech, by the beginning of the channel's name."""
STEP_STD = {"eyeBlink": 0.3, "eyeLook": 0.1, "jaw": 0.15, "mouth": 0.12}
"""Prior standard deviation of the change of each weight within 40 ms, by the beginning of the channel's name."""
DEFAULT_STEP_STD = 0.06
"""The same for all other channels."""
SHARE = {"lips": 0.3, "lids": 0.08, "brows": 0.12, "irises": 0.06, "outline": 0.2, "face": 0.34}
"""Weight of each group of landmarks, independent of the number of its points."""

N_IDENTITY = 100
"""Number of identity coefficients of FLAME that are fitted, as in the paper's model."""
COEFFICIENT_LIMIT, COEFFICIENT_STD, COEFFICIENT_STEP_STD = 6.0, 0.5, 0.8
"""FLAME's expression coefficients: bound, prior standard deviation, and that of their change within 40 ms. The unit is the
standard deviation of posed expressions. Speech stays well below it; so an opening of the lips is explained by the jaw first."""
JAW_STD, JAW_STEP_STD = (0.3, 0.02, 0.02), (0.08, 0.01, 0.01)
"""The two prior standard deviations for the jaw's rotation about x, y and z, radians."""

NEEDED = sorted({*(i for pair in LIP_PAIRS for i in pair), *(i for side in LID_PAIRS.values() for pair in side for i in pair),
                 *(i for side in EYE_CORNERS.values() for i in side)})  # fmt: skip
"""Landmarks that a head must have."""
RESTING_BROWS_M = {"anny": -0.004}
"""By head: height of most people's resting brows above the head's own brows, metres. The free head's brows are high:
MediaPipe's canonical face, aligned with it by a similarity, has them 4.6 mm lower. Without this correction every tracked face
would seem to frown. Of 0 to 5 mm, 4 mm agrees best with brow scores of ten filmed people; the reprojection error is the
same."""


@dataclass(frozen=True)
class LandmarkModel:
    """Landmarks as a function of identity and expression, in the head's frame. It is linear, except for a jaw joint.

    ``points = rest + identity . identity_basis + weights . basis + hinge.added(weights)``, metres.
    """

    head: HeadModel = field(repr=False)
    indices: np.ndarray = field(repr=False)
    """``(n,)`` numbers of the landmarks in MediaPipe's list."""
    rest: np.ndarray = field(repr=False)
    """``(n, 3)`` landmarks of this person at rest."""
    identity_basis: np.ndarray = field(repr=False)
    """``(I, n, 3)`` displacement per unit of each identity coefficient."""
    basis: np.ndarray = field(repr=False)
    """``(E, n, 3)`` displacement per unit of each weight."""
    names: tuple[str, ...] = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    """``(E,)`` bounds of the weights."""
    prior_std: np.ndarray = field(repr=False)
    step_std: np.ndarray = field(repr=False)
    """``(E,)`` prior standard deviations of the weights, and of their change within 40 ms."""
    sparse: bool = True
    """Whether weights are shapes in [0, 1], of which only few are active at a time."""
    hinge: Hinge | None = field(default=None, repr=False)
    """The jaw joint, if the head has one; the last three weights are its rotation."""

    @staticmethod
    def of_head(head: HeadModel) -> LandmarkModel:
        """Return the landmark model of FLAME, or of a head with ARKit channels.

        Raises:
            ModelError: the head lacks MediaPipe's landmarks, or has other channels.
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
        neutral = np.zeros((1, len(head.expression_names)), np.float32)
        middle = np.asarray(head.vertices(neutral)[0], np.float64)[used]
        people = np.eye(head.identity_dim, dtype=np.float32)
        moved = np.stack([np.asarray(head.vertices(neutral, identity=one)[0], np.float64)[used] for one in people])
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
            np.array([longest_match(PRIOR_STD, name, 0.2) for name in head.expression_names]),
            np.array([longest_match(STEP_STD, name, DEFAULT_STEP_STD) for name in head.expression_names]),
        )

    def of_person(self, identity: np.ndarray) -> LandmarkModel:
        """Return the model of a person with identity coefficients ``(I,)``."""
        hinge = None if self.hinge is None else self.hinge.of_person(identity)
        return replace(self, rest=self.rest + np.einsum("i,inc->nc", identity, self.identity_basis), hinge=hinge)

    def shifted(self, offsets: np.ndarray) -> LandmarkModel:
        """Return the model with the landmarks shifted by ``(n, 3)`` metres."""
        hinge = None if self.hinge is None else self.hinge.shifted(offsets)
        return replace(self, rest=self.rest + offsets, hinge=hinge)

    def place(self, weights: np.ndarray) -> np.ndarray:
        """Return the landmarks ``(T, n, 3)`` of weights ``(T, E)``, metres in the head's frame."""
        placed = self.rest + np.tensordot(weights, self.basis, 1)
        return placed if self.hinge is None else placed + self.hinge.added(weights)

    def derivative(self, weights: np.ndarray) -> np.ndarray:
        """Return the derivative by each weight at ``(T, E)`` weights: ``(E, n, 3)`` if it is constant, else ``(T, E, n, 3)``."""
        return self.basis if self.hinge is None else self.basis + self.hinge.derivative(weights)

    def identity_derivative(self, weights: np.ndarray) -> np.ndarray:
        """Return the derivative by each identity coefficient at weights ``(T, E)``: ``(I, n, 3)`` or ``(T, I, n, 3)``."""
        return (
            self.identity_basis if self.hinge is None else self.identity_basis + self.hinge.identity_derivative(weights)
        )

    def split(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Split weights ``(..., E)`` into the expression and, if the jaw is a joint, its rotation ``(..., 3)``; else None."""
        return (weights, None) if self.hinge is None else (weights[..., :-3], weights[..., -3:])

    def eye_distance(self) -> float:
        """Return the distance between the centres of the eyes, metres."""
        eyes = self.eyes()
        return float(np.linalg.norm(eyes[0] - eyes[1]))

    def eyes(self) -> np.ndarray:
        """Return the midpoints between the corners of the right and the left eye, ``(2, 3)`` metres."""
        corners = [[self.at(index) for index in EYE_CORNERS[side]] for side in ("right", "left")]
        return self.rest[corners].mean(1)

    def at(self, index: int) -> int:
        """Return the row of the landmark with a MediaPipe number.

        Raises:
            ModelError: the head does not have it.
        """
        rows = np.flatnonzero(self.indices == index)
        if not len(rows):
            raise ModelError(f"the head {self.head.name} lacks MediaPipe's landmark {index}")
        return int(rows[0])

    def importance(self) -> np.ndarray:
        """Return the weight of each landmark, ``(n,)``; they sum to 1."""
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
    """Return the landmark model of FLAME: identity, expression and jaw; the eyes are not fitted, as in the paper.

    Raises:
        ModelError: the embedding of MediaPipe's landmarks is missing or incomplete.
    """
    indices = np.asarray(head.mediapipe_indices)
    fitted = np.flatnonzero(~np.isin(indices, IRISES))
    marks = Landmarks(head.landmarks.corners[fitted], head.landmarks.shares[fitted])
    used = np.unique(marks.corners)
    local = Landmarks(np.searchsorted(used, marks.corners), marks.shares)
    n_identity, n_expression = min(N_IDENTITY, head.identity_dim), min(N_COEFFICIENTS, len(head.expression_names))
    model = head.model
    basis = local.of(model.expression_basis[:n_expression, used].astype(np.float64))
    landmark_model = LandmarkModel(
        head,
        indices[fitted],
        local.of(model.template[used].astype(np.float64)),
        local.of(model.identity_basis[:n_identity, used].astype(np.float64)),
        np.concatenate([basis, np.zeros((3, *basis.shape[1:]))]),
        (*head.expression_names[:n_expression], *AXES),
        np.array([-COEFFICIENT_LIMIT] * n_expression + list(JAW_LOW)),
        np.array([COEFFICIENT_LIMIT] * n_expression + list(JAW_HIGH)),
        np.array([COEFFICIENT_STD] * n_expression + list(JAW_STD)),
        np.array([COEFFICIENT_STEP_STD] * n_expression + list(JAW_STEP_STD)),
        sparse=False,
        hinge=Hinge.of_head(head, used, local, n_identity, n_expression),
    )
    for index in NEEDED:
        landmark_model.at(index)
    return landmark_model


def longest_match(table: dict[str, float], name: str, default: float) -> float:
    """Return the entry of a table whose key is the longest beginning of a name."""
    keys = [key for key in table if name.startswith(key)]
    return table[max(keys, key=len)] if keys else default
