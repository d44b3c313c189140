"""Identity space of the free head: a population of plausible faces and its principal components.

Three things keep every face plausible:

* The population is drawn from bounded distributions. `REACH` limits the displacement by a local change. Changes that look
  like an expression (slanted brows, corners of the mouth) have low limits.
* Lips stay closed: identity displaces both sides of the seam between the lips equally (`shut_lips`). This holds for every
  direction, and so for every combination of directions.
* New people are blends of people of the population (`AnnyHead.draw_identity`). Independent normal coefficients would leave
  the population, because gender and ancestry are not normally distributed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffposetalk.arkit import INDEX
from diffposetalk.head.anny import source

IDENTITY_DIM = 40
N_PEOPLE = 600
"""Number of people that are drawn to compute the principal components of identity."""
N_KEPT = 300
"""Number of people whose coefficients are stored, from which new people are blended."""

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
"""Named people; their identity vectors are projections onto the principal components."""

UNSHAPED = ("-trans-in", "-trans-out", "head-trans-", "neck-trans-", "head-angle-", "-push1-", "-push2-", "head-age-",
            "nose-compression", "ear-shape-triangle")  # fmt: skip
"""Local changes without a place in the identity space: they shift or skew parts, which hardly differs between people."""

SPREAD = 0.22
"""Standard deviation of a local change as a share of its full amount, unless `REACH` limits it further."""
REACH = (
    (("mouth-angles", "eyebrows-angle"), 0.35e-3),
    (("eyebrows-trans", "lip-ext", "lip-middle", "eye-height", "eye-corner", "mouth-trans", "eye-eyefold"), 0.5e-3),
    (("mouth-", "nose-", "eye-", "nasal", "chin-", "cheek-"), 1.2e-3),
    (("head-", "neck-", "forehead-", "ear-"), 2.5e-3),
)
"""Parts of names -> largest standard deviation of the displacement of any point, metres; the first match counts."""
FURTHEST = 2.0
"""Largest amount of a local change, standard deviations."""
BAND = 0.012
"""Distance from the seam along the surface up to which the closing of the lips displaces the skin, metres."""
SEAM_HALF_WIDTH, TOUCHING = 0.019, 0.002
"""Points of the lips touch at rest if they are at most this far from the middle, and this near to each other; metres."""
SHUT_ROUNDS = 6
"""Number of corrections of the lip gap; several are needed because neighbouring points share a correction."""


@dataclass(frozen=True)
class Identity:
    """The identity space: linear directions over vertices and joints."""

    directions: np.ndarray
    """``(I, n, 3)`` metres per standard deviation, over vertices and then joints."""
    presets: np.ndarray
    """``(len(PRESETS), I)`` coefficients of the named people."""
    people: np.ndarray
    """``(N_KEPT, I)`` coefficients of people of the population."""


def identity_space(
    changes: dict[str, tuple[np.ndarray, np.ndarray]],
    phenotypes: source.PhenotypeTargets,
    whole: Callable[[np.ndarray], np.ndarray],
    mask: np.ndarray,
) -> Identity:
    """Draw a population and compute its principal components, scaled so that each coefficient has unit variance.

    Args:
        changes: local changes from `source.read_local_changes`.
        phenotypes: the shapes of gender, age, weight and ancestry.
        whole: maps a displacement of the base mesh ``(V_base, 3)`` to the head's points ``(n, 3)``.
        mask: ``(n,)`` True for points that count in the principal components.
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
    """Draw from the normal distribution, clipped at `FURTHEST`."""
    return float(np.clip(rng.standard_normal(), -FURTHEST, FURTHEST))


def _sparse(name: str, plus: np.ndarray, minus: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the vertices of a local change, and its displacements of one standard deviation in both directions."""
    index = np.flatnonzero((plus != 0).any(1) | (minus != 0).any(1))
    reach = next((metres for words, metres in REACH if any(word in name for word in words)), 1.2e-3)
    ends = []
    for end in (plus[index], minus[index]):
        longest = float(np.linalg.norm(end, axis=1).max(initial=0))
        ends.append(end * min(SPREAD, reach / max(longest, 1e-9)))
    return index, ends[0], ends[1]


def lip_seam(points: np.ndarray, lips: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Return the pairs of touching points of the upper and the lower lip, without the corners of the mouth.

    Args:
        points: ``(V, 3)`` metres, at rest.
        lips: vertex indices of both lips.
        expression: ``(52, V, 3)``; `jawOpen` tells the lower lip from the upper.

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
    """Return the linear map that makes a displacement equal on both sides of the seam between the lips.

    Each side is corrected by half of the difference. The correction fades out over `BAND` along the skin.

    Args:
        points: ``(V, 3)`` metres, at rest.
        faces: ``(f, 3)`` triangles of the skin, including the inside of the mouth.
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
