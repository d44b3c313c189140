"""A head as its landmarks: what identity and expression do to them, and what is usual for each channel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.head.landmarks import Landmarks
from diffposetalk.track.landmarks import BROWS, IRISES, LIDS, LIPS, OUTLINE

if TYPE_CHECKING:
    from diffposetalk.head import HeadModel

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

RESTING_BROWS_M = {"anny": -0.004}
"""By head, how far above its own brows those of most resting people lie. The free head's brows are high: MediaPipe's
canonical face, laid on it by similarity, has them 4.6 mm lower. Without this everybody would seem to frown; between 0
and 5 mm, 4 mm agrees best with brow scores of ten people who were filmed, at the same error."""


@dataclass(frozen=True)
class LandmarkModel:
    """Landmarks as a linear function of identity and expression, before the head turns.

    `points = rest + offsets + identity . identity_basis + weights . basis`, metres in the head's frame.
    """

    head: Any = field(repr=False)
    indices: np.ndarray = field(repr=False)
    """`(n,)` which of MediaPipe's landmarks they are."""
    rest: np.ndarray = field(repr=False)
    """`(n, 3)` of this person."""
    identity_basis: np.ndarray = field(repr=False)
    """`(I, n, 3)` per unit of each identity coordinate."""
    basis: np.ndarray = field(repr=False)
    """`(E, n, 3)` per unit of each weight."""
    names: tuple[str, ...] = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    """`(E,)` bounds of the weights."""
    usual: np.ndarray = field(repr=False)
    quick: np.ndarray = field(repr=False)
    """`(E,)` how large weights usually are, and how far they go in 40 ms."""
    sparse: bool = True
    """Whether weights are 0 at rest and seldom below, so that few at a time are likely."""

    @staticmethod
    def of_head(head: HeadModel) -> LandmarkModel:
        """Measure a head with ARKit channels.

        Raises:
            ModelError: it has too few of MediaPipe's landmarks, or other channels.
        """
        from diffposetalk.arkit import INDEX

        if not set(head.expression_names) <= set(INDEX):
            raise ModelError(f"the head {head.name} has no ARKit channels; track on anny and retarget the motion to it")
        marks: Landmarks = head.landmarks
        indices = np.asarray(getattr(head, "mediapipe_indices", np.arange(len(marks))))
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
        """Return the landmarks of a person, `(I,)` coordinates."""
        return replace(self, rest=self.rest + np.einsum("i,inc->nc", identity, self.identity_basis))

    def shifted(self, offsets: np.ndarray) -> LandmarkModel:
        """Return the model with landmarks `(n, 3)` metres elsewhere on the face."""
        return replace(self, rest=self.rest + offsets)

    def place(self, weights: np.ndarray) -> np.ndarray:
        """Return the landmarks `(T, n, 3)` of weights `(T, E)`, metres in the head's frame."""
        return self.rest + np.einsum("te,enc->tnc", weights, self.basis)

    def at(self, index: int) -> int:
        """Return the row of a landmark by MediaPipe's number.

        Raises:
            ModelError: the head does not have it.
        """
        found = np.flatnonzero(self.indices == index)
        if not len(found):
            raise ModelError(f"the head {self.head.name} lacks MediaPipe's landmark {index}")
        return int(found[0])

    def importance(self) -> np.ndarray:
        """Return what each landmark counts, `(n,)`; all together 1."""
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


def usual_of(name: str, table: dict[str, float], otherwise: float) -> float:
    """Return the entry of the longest beginning of a name that is in a table."""
    known = [key for key in table if name.startswith(key)]
    return table[max(known, key=len)] if known else otherwise
