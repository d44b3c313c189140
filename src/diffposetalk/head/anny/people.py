"""Who the free head can be: a population of plausible faces and its principal directions.

Three things keep every face plausible:

* The population is drawn from bounded distributions. A local change moves no point further than `REACH` says, and
  changes that look like an expression (slanted brows, corners of the mouth) are kept small.
* Lips stay shut: whatever identity does to one side of the seam between the lips, it does to the other side as well
  (`shut_lips`). This holds for every direction, and so for every combination of them.
* New people are blends of people of the population (`AnnyHead.draw_identity`). Independent normal coordinates would
  extrapolate: the shares of gender and ancestry are not normally distributed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.head.anny import source

IDENTITY_DIM = 40
N_PEOPLE = 600
"""People drawn to find the principal directions of identity."""
N_KEPT = 300
"""People of the population whose coordinates are kept, to draw new people from."""

PRESETS = {
    "female": source.Phenotype(gender=1.0),
    "male": source.Phenotype(gender=0.0, muscle=0.6),
    "african-female": source.Phenotype(gender=1.0, african=1.0, asian=0.0, caucasian=0.0),
    "african-male": source.Phenotype(gender=0.0, african=1.0, asian=0.0, caucasian=0.0),
    "asian-female": source.Phenotype(gender=1.0, african=0.0, asian=1.0, caucasian=0.0),
    "asian-male": source.Phenotype(gender=0.0, african=0.0, asian=1.0, caucasian=0.0),
    "caucasian-female": source.Phenotype(gender=1.0, african=0.0, asian=0.0, caucasian=1.0),
    "caucasian-male": source.Phenotype(gender=0.0, african=0.0, asian=0.0, caucasian=1.0),
    "old-female": source.Phenotype(gender=0.9, age=1.0),
    "old-male": source.Phenotype(gender=0.1, age=1.0),
    "round": source.Phenotype(weight=1.0, muscle=0.3),
    "lean": source.Phenotype(weight=0.0),
}
"""Named people; their identity vectors are the nearest that the principal directions reach."""

UNSHAPED = ("-trans-in", "-trans-out", "head-trans-", "neck-trans-", "head-angle-", "-push1-", "-push2-", "head-age-",
            "nose-compression", "ear-shape-triangle")  # fmt: skip
"""Local changes left out of the identity space: they shift or skew parts rather than tell people apart."""

SPREAD = 0.22
"""Standard deviation of a local change in parts of its full amount, where `REACH` allows it."""
REACH = (
    (("mouth-angles", "eyebrows-angle"), 0.35e-3),
    (("eyebrows-trans", "lip-ext", "lip-middle", "eye-height", "eye-corner", "mouth-trans", "eye-eyefold"), 0.5e-3),
    (("mouth-", "nose-", "eye-", "nasal", "chin-", "cheek-"), 1.2e-3),
    (("head-", "neck-", "forehead-", "ear-"), 2.5e-3),
)
"""Parts of names -> standard deviation of the point that a local change moves most, metres; the first that fits."""
FURTHEST = 2.0
"""Local changes go at most this many standard deviations."""
BAND = 0.012
"""Shutting the lips moves the skin up to this far from the seam, metres along the surface."""
SEAM_HALF_WIDTH, TOUCHING = 0.019, 0.002
"""Points of the lips this far from the middle at most, and this near to one another, touch at rest; metres."""
SHUT_ROUNDS = 6
"""Times that the rest of what parts the lips is taken away: neighbours share a correction."""


@dataclass(frozen=True)
class Identity:
    """The identity space as linear directions over vertices and joints."""

    directions: np.ndarray
    """``(I, n, 3)`` metres per standard deviation, over vertices and then joints."""
    presets: np.ndarray
    """``(len(PRESETS), I)`` coordinates of the named people."""
    people: np.ndarray
    """``(N_KEPT, I)`` coordinates of people of the population."""


def identity_space(
    changes: dict[str, tuple[np.ndarray, np.ndarray]],
    phenotypes: source.PhenotypeTargets,
    whole: Callable[[np.ndarray], np.ndarray],
    mask: np.ndarray,
) -> Identity:
    """Draw a population and find its principal directions, scaled so that each coordinate has unit variance.

    Args:
        changes: local changes as `source.read_local_changes` gives them.
        phenotypes: the shapes of gender, age, weight and ancestry.
        whole: takes a displacement of the base mesh ``(V_base, 3)`` to the head's points ``(n, 3)``.
        mask: ``(n,)`` which points count in the principal directions.
    """
    average = phenotypes.displacement(source.Phenotype())
    shapes = _population(changes, phenotypes, average)
    table = np.array([whole(shape).ravel() for shape in shapes], np.float32)
    table -= table.mean(0)
    counted = np.repeat(mask, 3)
    values, vectors = np.linalg.eigh((table * counted) @ (table * counted).T)
    order = np.argsort(values)[::-1][:IDENTITY_DIM]
    scores = vectors[:, order] * np.sqrt(len(table))
    scores *= np.sign(scores[np.abs(scores).argmax(0), np.arange(scores.shape[1])])
    directions = scores.T @ table / len(table)
    inverse = np.linalg.pinv(directions * counted)
    named = [whole(phenotypes.displacement(person) - average).ravel() for person in PRESETS.values()]
    presets = (np.array(named) * counted) @ inverse
    return Identity(directions.reshape(IDENTITY_DIM, -1, 3), presets, scores[:N_KEPT])


def _population(
    changes: dict[str, tuple[np.ndarray, np.ndarray]], phenotypes: source.PhenotypeTargets, average: np.ndarray
) -> list[np.ndarray]:
    """Draw people: ``N_PEOPLE`` displacements ``(V_base, 3)`` from the average person."""
    rng = np.random.default_rng(0)
    used = {name: _sparse(name, *ends) for name, ends in changes.items() if not any(word in name for word in UNSHAPED)}
    people = []
    for _ in range(N_PEOPLE):
        gender, age = float(rng.beta(0.6, 0.6)), float(rng.uniform(2 / 3, 0.92))
        muscle, weight = float(rng.beta(3, 3)), float(rng.beta(3, 3))
        african, asian, caucasian = (float(share) for share in rng.dirichlet(np.full(3, 0.7)))
        person = source.Phenotype(gender, age, muscle, weight, african, asian, caucasian)
        shape = phenotypes.displacement(person) - average
        for name in used:
            if name.startswith("r-"):
                continue
            amount = _bounded(rng)
            sides = [(name, amount)]
            if name.startswith("l-"):
                sides.append(("r-" + name[2:], amount + 0.2 * _bounded(rng)))
            for side, value in sides:
                index, plus, minus = used[side]
                shape[index] += plus * value if value > 0 else minus * -value
        people.append(shape)
    return people


def _bounded(rng: np.random.Generator) -> float:
    """Draw from the normal distribution, cut off at `FURTHEST`."""
    return float(np.clip(rng.standard_normal(), -FURTHEST, FURTHEST))


def _sparse(name: str, plus: np.ndarray, minus: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices that a local change moves, and its displacements of one standard deviation to either end."""
    index = np.flatnonzero((plus != 0).any(1) | (minus != 0).any(1))
    reach = next((metres for words, metres in REACH if any(word in name for word in words)), 1.2e-3)
    ends = []
    for end in (plus[index], minus[index]):
        longest = float(np.linalg.norm(end, axis=1).max(initial=0))
        ends.append(end * min(SPREAD, reach / max(longest, 1e-9)))
    return index, ends[0], ends[1]


def lip_seam(points: np.ndarray, lips: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Find which points of the upper lip touch which of the lower, away from the corners of the mouth.

    Args:
        points: ``(V, 3)`` metres, at rest.
        lips: vertex indices of both lips.
        expression: ``(52, V, 3)``; an opening jaw takes the lower lip along.

    Returns:
        ``(n, 2)`` vertex indices, upper and lower.
    """
    middle = lips[np.abs(points[lips, 0]) < SEAM_HALF_WIDTH]
    below = expression[INDEX["jawOpen"]][middle, 1] < -0.0125
    upper, lower = middle[~below], middle[below]
    distance = np.linalg.norm(points[upper][:, None] - points[lower][None], axis=-1)
    rows, columns = np.arange(len(upper)), np.arange(len(lower))
    nearest = [*zip(rows, distance.argmin(1)), *zip(distance.argmin(0), columns)]
    pairs = {(int(upper[row]), int(lower[column])) for row, column in nearest if distance[row, column] < TOUCHING}
    return np.array(sorted(pairs), np.int32)


def shut_lips(points: np.ndarray, faces: np.ndarray, seam: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the linear map that makes a displacement move both sides of the seam between the lips alike.

    Half of what parts the sides is taken from each, fading out over `BAND` along the skin.

    Args:
        points: ``(V, 3)`` metres, at rest.
        faces: ``(f, 3)`` triangles of the skin, the inside of the mouth included.
        seam: ``(n, 2)`` from `lip_seam`.

    Returns:
        A function ``(V, 3) -> (V, 3)``.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    edges = np.concatenate([faces[:, [k, (k + 1) % 3]] for k in range(3)])
    lengths = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
    graph = coo_matrix((np.maximum(lengths, 1e-7), edges.T), shape=(len(points), len(points))).tocsr()
    share = np.zeros(len(points))
    for sign, side in ((-0.5, seam[:, 0]), (0.5, seam[:, 1])):
        away = dijkstra(graph, directed=False, indices=np.unique(side), min_only=True, limit=BAND) / BAND
        near = 1 - np.minimum(away, 1)
        share += sign * near * near * (3 - 2 * near)
    moved = np.flatnonzero(share)
    middles = points[seam].mean(1)
    squares = ((points[moved][:, None] - middles[None]) ** 2).sum(-1)
    mix = np.exp((squares.min(1, keepdims=True) - squares) / (2 * 0.0015**2))
    mix = share[moved, None] * mix / mix.sum(1, keepdims=True)

    def shut(displacement: np.ndarray) -> np.ndarray:
        result = displacement.copy()
        for _ in range(SHUT_ROUNDS):
            result[moved] += mix @ (result[seam[:, 0]] - result[seam[:, 1]])
        return result

    return shut
