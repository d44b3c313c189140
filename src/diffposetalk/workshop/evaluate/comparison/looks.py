"""What metrics see of one system on one clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.metrics.closures import bilabial_frames, closure_limit
from diffposetalk.metrics.curves import Curves
from diffposetalk.metrics.manner import curve_statistics, statistics_retrieval
from diffposetalk.speech import Speech
from diffposetalk.workshop.evaluate.comparison.measuring import Measured, Truth
from diffposetalk.workshop.evaluate.comparison.run import Comparison, SystemResult
from diffposetalk.workshop.evaluate.protocol.material import Phones


@dataclass(frozen=True)
class Look:
    """One system on one clip. Gaps and widths of system and truth have one unit."""

    truth: Curves
    samples: tuple[Curves, ...]
    style: Curves | None
    phones: Phones
    speech: Speech
    speaker: str
    limit: float | None
    """Lip gap up to which lips count as closed; None where no phones are known."""
    same_mesh: bool
    """Whether system and truth are on one mesh, so that gaps compare in metres."""
    meshes: Mapping[str, float]
    """Errors of vertices of the first sample; empty on another mesh."""
    retrieved: float | None = None
    """1 if the statistics of the first sample are nearest to those of its own speaker's styles among all speakers, else 0;
    None where a clip has no style."""

    @property
    def first(self) -> Curves:
        """The sample that is compared on its own."""
        return self.samples[0]

    def stacked(self, name: str) -> np.ndarray | None:
        """Return a curve of all samples, ``(S, T, ...)``; None where a sample or the truth lacks it."""
        if any(name not in curves.names for curves in (*self.samples, self.truth)):
            return None
        return np.stack([sample.curve(name) for sample in self.samples])


def looks_of(comparison: Comparison, system: SystemResult) -> list[Look]:
    """Return what the metrics see of a system, a look for each clip."""
    same_mesh = all(samples[0].head == truth.clip.truth.head for samples, truth in zip(system.clips, comparison.truths))
    limit = closed_limit(comparison.truths, same_mesh)
    looks = [_look(truth, samples, limit, same_mesh) for truth, samples in zip(comparison.truths, system.clips)]
    return [replace(look, retrieved=hit) for look, hit in zip(looks, _retrieved(looks))]


def _retrieved(looks: Sequence[Look]) -> list[float | None]:
    """Return for each clip whether the styles of its own speaker are the nearest; see `Look.retrieved`."""
    speakers = list(dict.fromkeys(look.speaker for look in looks))
    nothing: list[float | None] = [None] * len(looks)
    if any(look.style is None for look in looks) or len(speakers) < 2:
        return nothing
    names = shared_names([curves for look in looks for curves in (look.first, look.style) if curves is not None])
    if not names & {"gap", "head"}:
        return nothing

    def statistics(curves: Curves) -> dict[str, float]:
        return curve_statistics(only(curves, names))

    references = []
    for speaker in speakers:
        rows = [statistics(look.style) for look in looks if look.speaker == speaker and look.style is not None]
        references.append({name: float(np.mean([row[name] for row in rows])) for name in rows[0]})
    return [
        statistics_retrieval([statistics(look.first)], [speakers.index(look.speaker)], references) for look in looks
    ]


def shared_names(curves: Sequence[Curves]) -> set[str]:
    """Return the names of the curves that all have."""
    return set.intersection(*(set(each.names) for each in curves))


def only(curves: Curves, names: set[str]) -> Curves:
    """Return curves without those of other names."""
    gone: dict[str, Any] = {name: None for name in curves.names if name not in names}
    if "channels" in gone:
        gone["channel_names"] = ()
    return replace(curves, **gone)


def closed_limit(truths: Sequence[Truth], same_mesh: bool) -> float | None:
    """Return the gap that 70 % of the true p, b, m frames do not exceed; None without such frames."""
    known = [truth for truth in truths if truth.clip.phones and truth.curves.gap is not None]
    curves = [truth.curves if same_mesh else as_shares(truth.curves) for truth in known]
    gaps = [each.curve("gap") for each in curves]
    pressed = [bilabial_frames(truth.clip.phones, len(gap), truth.curves.fps) for truth, gap in zip(known, gaps)]
    try:
        return closure_limit(gaps, pressed)
    except InputError:
        return None


def as_shares(curves: Curves) -> Curves:
    """Return curves with gap and width as shares of the opening of the mouth; zeros where it never opens."""
    if curves.gap is None:
        return curves
    if np.percentile(curves.gap, 95) <= 0:
        return replace(curves, gap=np.zeros(len(curves)), unit="share")
    return curves.share_of_opening()


def _look(truth: Truth, samples: Sequence[Measured], limit: float | None, same_mesh: bool) -> Look:
    clip = truth.clip

    def unit(curves: Curves) -> Curves:
        return curves if same_mesh else as_shares(curves)

    return Look(
        unit(truth.curves),
        tuple(unit(sample.curves) for sample in samples),
        truth.style and unit(truth.style),
        clip.phones,
        clip.speech,
        clip.speaker,
        limit if clip.phones else None,
        same_mesh,
        samples[0].meshes,
    )
