"""Is the style vector robust to tracking noise, dropped channels and frame-rate changes?

The style of each disturbed motion is searched for among those of undisturbed motions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffposetalk.errors import UsageError
from diffposetalk.motion import Motion, MotionSpace
from diffposetalk.progress import Progress, over
from diffposetalk.workshop.evaluate import references as reference_motions
from diffposetalk.workshop.evaluate.tables import table
from diffposetalk.workshop.train.lite.views import Disturbance

DISTURBANCES: dict[str, Disturbance] = {
    "nothing": Disturbance(),
    "trembling": Disturbance(noise=0.4),
    "slow errors": Disturbance(wander=0.4),
    "another rest": Disturbance(offset=0.15),
    "another scale": Disturbance(gain=0.15),
    "lost channels": Disturbance(dropped=0.15),
    "smoothed": Disturbance(smoothing=7),
    "slower video": Disturbance(held=4),
    "shorter": Disturbance(shortest=0.4),
    "all at once": Disturbance(
        noise=0.25, wander=0.2, offset=0.1, gain=0.1, dropped=0.08, smoothing=4, held=3, shortest=0.5
    ),
}
"""What happens to motion, in spreads of each channel; see `Disturbance`."""


def measure(
    read: Callable[[Motion], np.ndarray],
    people: Mapping[str, Motion],
    space: MotionSpace,
    n_draws: int = 5,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Read each half of each reference undisturbed, disturb the other, and see which person it is taken for.

    Args:
        read: style vector ``(S,)`` of motion.
        people: their motion, by name.
        space: in whose units motion is disturbed.
        n_draws: disturbances of each half.
        progress: called after each kind of disturbance.

    Returns:
        By disturbance: ``retrieved`` (share whose nearest undisturbed half of the other halves is of the same person),
        ``same`` (cosine to the same half undisturbed) and ``different`` (to other people's).
    """
    if len(people) < 2:
        raise UsageError(f"at least two references are needed to compare styles, got {len(people)}")
    halves = [
        (number, motion.slice(start, stop))
        for number, motion in enumerate(people.values())
        for start, stop in ((0, len(motion) // 2), (len(motion) // 2, len(motion)))
    ]
    who = np.array([number for number, _ in halves])
    known = np.stack([_unit(read(half)) for _, half in halves])
    by_disturbance: dict[str, Any] = {}
    for name, disturbance in over(DISTURBANCES.items(), progress, "disturbing"):
        rng = np.random.default_rng(0)
        right, same, different = [], [], []
        for index, (number, half) in enumerate(halves):
            for _ in range(n_draws if disturbance != Disturbance() else 1):
                cosine = known @ _unit(read(disturbed(half, disturbance, space, rng)))
                same.append(cosine[index])
                different.append(cosine[who != number].mean())
                cosine[index] = -np.inf
                right.append(who[cosine.argmax()] == number)
        by_disturbance[name] = {
            "retrieved": float(np.mean(right)),
            "same": float(np.mean(same)),
            "different": float(np.mean(different)),
        }
    return {"disturbances": by_disturbance, "n": len(people)}


def disturbed(motion: Motion, disturbance: Disturbance, space: MotionSpace, rng: np.random.Generator) -> Motion:
    """Return motion disturbed as one window; channels that the space lacks are left out."""
    window = torch.from_numpy(space.encode(motion))[None]
    changed = space.decode(disturbance(window, rng)[0].numpy())
    return replace(changed, expression=np.clip(changed.expression, 0, 1))


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table."""
    rows = [[name, *values.values()] for name, values in result["disturbances"].items()]
    header = ["disturbed by", "other half found first", "cosine to itself", "cosine to others"]
    return "\n".join([table(header, rows), f"{result['n']} people, half against half"])


def evaluate(
    recordings: Path,
    references: Path | None = None,
    manners: int = 0,
    model: str = "lite",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure how much a style changes when its reference is disturbed.

    Args:
        recordings: folder whose ``clips`` are the references where no other folder is named.
        references: folder of videos or motion.
        manners: so many synthetic manners instead.
        model: whose style encoder is measured.
        progress: called after each kind of disturbance.
    """
    from diffposetalk.generate.talker import Talker

    talker = Talker.from_pretrained(model)
    people = reference_motions.references(references or recordings / "clips", manners)
    return measure(lambda motion: talker.read_style(motion).vector, people, talker.space, progress=progress)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
