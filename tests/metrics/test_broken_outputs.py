"""Every measure has its ideal value on the truth, and outputs that are broken on purpose move it the right way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from tests.metrics.performances import (
    PEOPLE,
    Sentence,
    doubled,
    frozen,
    later,
    never_shut,
    performance,
    sentence,
    sound,
)

from diffposetalk import metrics
from diffposetalk.metrics import CLIP_MEASURES, SET_MEASURES, Curves, Scores, Take

N_CLIPS, N_SAMPLES = 12, 3
NAMES = list(PEOPLE)


@dataclass(frozen=True)
class Clip:
    """A captured performance and good samples for its speech."""

    said: Sentence
    speaker: str
    truth: Curves
    samples: tuple[Curves, ...]


@cache
def clips() -> tuple[Clip, ...]:
    made = []
    for k in range(N_CLIPS):
        said, speaker = sentence(k), NAMES[k % len(NAMES)]
        person = PEOPLE[speaker]
        samples = tuple(performance(person, said, 1000 * (j + 2) + k) for j in range(N_SAMPLES))
        made.append(Clip(said, speaker, performance(person, said, 1000 + k), samples))
    return tuple(made)


def of_another_speaker(k: int) -> tuple[Curves, ...]:
    person = PEOPLE[NAMES[(k + 1) % len(NAMES)]]
    return tuple(performance(person, clips()[k].said, 7000 + 100 * j + k) for j in range(N_SAMPLES))


BROKEN: dict[str, Callable[[int], tuple[Curves, ...]]] = {
    "good": lambda k: clips()[k].samples,
    "5 frames late": lambda k: tuple(later(sample) for sample in clips()[k].samples),
    "frozen": lambda k: tuple(frozen(sample) for sample in clips()[k].samples),
    "other speaker": of_another_speaker,
    "doubled amplitude": lambda k: tuple(doubled(sample) for sample in clips()[k].samples),
    "mouth never shut": lambda k: tuple(never_shut(sample) for sample in clips()[k].samples),
    "of another clip": lambda k: clips()[(k + len(NAMES)) % N_CLIPS].samples,
    "swapped seeds": lambda k: clips()[k].samples[::-1],
    "one sample thrice": lambda k: clips()[k].samples[:1] * N_SAMPLES,
    "truth": lambda k: (clips()[k].truth,) * N_SAMPLES,
}


def takes(kind: str) -> list[Take]:
    return [
        Take(clip.truth, BROKEN[kind](k)[0], clip.speaker, clip.said.phones, sound(clip.said, k))
        for k, clip in enumerate(clips())
    ]


@cache
def clip_scores(kind: str) -> tuple[Scores, ...]:
    limit = metrics.closure_limit_of(takes("truth"))
    return tuple(
        metrics.score(clip.truth, BROKEN[kind](k), clip.said.phones, sound(clip.said, k), limit)
        for k, clip in enumerate(clips())
    )


@cache
def set_scores(kind: str) -> Scores:
    return metrics.score_set(takes(kind))


def figure(kind: str, name: str) -> float:
    """Return a figure of a clip, averaged over the clips that have it, or of the set; nan if it is absent everywhere."""
    if name in set_scores(kind).values:
        return set_scores(kind).values[name]
    if name in SET_MEASURES:
        return float("nan")
    figures = [scores.values[name] for scores in clip_scores(kind) if name in scores.values]
    return float(np.mean(figures)) if figures else float("nan")


def badness(kind: str, name: str) -> float:
    """Return how far a figure is from its aim; infinite if it is absent."""
    value, measure = figure(kind, name), (CLIP_MEASURES | SET_MEASURES)[name]
    if not np.isfinite(value):
        return float("inf")
    if measure.aim == "truth":
        return abs(value - figure("good", name + "_of_truth"))
    return {"higher": -value, "lower": value, "zero": abs(value), "one": abs(value - 1)}[measure.aim]


IDEAL = {
    **dict.fromkeys(("mod_mm", "mod_rms_mm", "mtm_ms", "channel_mse", "energy_lips_mm", "energy_head_deg"), 0),
    **dict.fromkeys(("sync_lag_ms", "upper_face_spread_mm", "entropy_lips_deficit", "entropy_head_deficit"), 0),
    **dict.fromkeys(("frechet_lips", "frechet_head", "frechet_channels"), 0),
    **dict.fromkeys(("wasserstein_lips_mm", "wasserstein_head_deg", "wasserstein_channels"), 0),
    **dict.fromkeys(("diversity_lips_mm", "diversity_upper_face_mm", "diversity_head_deg"), 0),
    **dict.fromkeys(("gap_pearson", "gap_concordance", "gap_spread_ratio", "sync_r", "mtm_joined", "coverage"), 1),
    **dict.fromkeys(("beats_truth", "beats_truth_skill", "style_correlation"), 1),
}
"""Figure of the captured motion given as three samples. All other measures have a figure of the captured motion."""


@pytest.mark.parametrize("name", list(CLIP_MEASURES | SET_MEASURES))
def test_the_truth_has_the_ideal_figure(name: str) -> None:
    if name in IDEAL:
        assert figure("truth", name) == pytest.approx(IDEAL[name], abs=1e-6)
    else:
        assert figure("truth", name) == pytest.approx(figure("truth", f"{name}_of_truth"), rel=1e-9)
        assert (CLIP_MEASURES | SET_MEASURES)[name].of_truth
    assert figure("truth", "bcs") == pytest.approx(70, abs=1)


WORSE = {
    "5 frames late": """mod_mm mod_rms_mm gap_pearson gap_concordance sync_lag_ms mtm_ms mtm_joined bcs closure_precision
        false_closures sound_offset_ms channel_mse energy_lips_mm energy_head_deg beats_truth beats_truth_skill
        beats_speech_skill""",
    "frozen": """mod_mm gap_pearson gap_concordance gap_spread_ratio sync_r sync_lag_ms mtm_ms mtm_joined bcs
        closure_precision channel_mse upper_face_spread_mm head_step_deg beats_truth beats_truth_skill beats_speech
        energy_lips_mm energy_head_deg diversity_lips_mm diversity_head_deg diversity_upper_face_mm slcc frechet_lips
        frechet_head frechet_channels wasserstein_lips_mm wasserstein_head_deg wasserstein_channels coverage
        entropy_lips_deficit entropy_head_deficit style_retrieval style_correlation""",
    "other speaker": """mod_mm mod_rms_mm gap_concordance energy_lips_mm energy_head_deg style_retrieval style_correlation
        wasserstein_lips_mm frechet_lips bcs""",
    "doubled amplitude": """mod_mm mod_rms_mm gap_concordance gap_spread_ratio channel_mse upper_face_spread_mm head_step_deg
        energy_lips_mm energy_head_deg frechet_lips frechet_head frechet_channels wasserstein_lips_mm wasserstein_head_deg
        wasserstein_channels coverage entropy_head_deficit style_retrieval""",
    "mouth never shut": """bcs closure_precision false_closures mod_mm gap_concordance energy_lips_mm wasserstein_lips_mm
        frechet_lips entropy_lips_deficit""",
    "of another clip": """mod_mm gap_pearson gap_concordance sync_r mtm_ms mtm_joined bcs closure_precision false_closures
        sound_offset_ms channel_mse energy_lips_mm energy_head_deg beats_truth beats_truth_skill slcc style_correlation""",
    "one sample thrice": """energy_lips_mm energy_head_deg diversity_lips_mm diversity_upper_face_mm diversity_head_deg""",
}
"""Measures that must get worse against good samples."""

WITHOUT_FIGURE = {
    "frozen": {"sync_lag_ms", "mtm_ms", "closure_precision"},
    "mouth never shut": {"closure_precision", "false_closures"},
}
"""Measures that have no figure for such an output, which counts as worst."""

BLIND = {
    "5 frames late": "gap_spread_ratio head_step_deg wasserstein_lips_mm coverage entropy_lips_deficit",
    "other speaker": "gap_pearson sync_r sync_lag_ms mtm_ms coverage frechet_head wasserstein_head_deg",
    "doubled amplitude": "gap_pearson sync_r sync_lag_ms mtm_ms style_correlation",
    "mouth never shut": "gap_pearson gap_spread_ratio sync_r mtm_ms head_step_deg slcc",
    "of another clip": "wasserstein_lips_mm frechet_lips frechet_head coverage entropy_lips_deficit style_retrieval",
}
"""Measures that hardly notice: what they do not show."""


def rows(table: dict[str, str]) -> list[tuple[str, str]]:
    return [(kind, name) for kind, names in table.items() for name in names.split()]


@pytest.mark.parametrize(("kind", "name"), rows(WORSE))
def test_broken_outputs_are_worse(kind: str, name: str) -> None:
    good, broken = badness("good", name), badness(kind, name)
    assert np.isinf(broken) == (name in WITHOUT_FIGURE.get(kind, ()))
    assert broken - good > 0.04 * max(abs(good), abs(broken)) or np.isinf(broken), f"{good} against {broken}"


@pytest.mark.parametrize(("kind", "name"), rows(BLIND))
def test_what_a_measure_does_not_show(kind: str, name: str) -> None:
    """As docs/metrics.md says."""
    worst = badness("frozen", name)
    worst = badness("of another clip", name) if np.isinf(worst) else worst
    good, broken = badness("good", name), badness(kind, name)
    assert abs(broken - good) < 0.2 * abs(worst - good) + 1e-9, f"{good}, {broken}, worst {worst}"


def test_every_measure_notices_something() -> None:
    assert {name for _, name in rows(WORSE)} == CLIP_MEASURES.keys() | SET_MEASURES.keys()


def test_the_order_of_samples_does_not_count() -> None:
    """With the seeds swapped, the first sample is another; what describes all samples is the same."""
    for good, swapped in zip(clip_scores("good"), clip_scores("swapped seeds")):
        for name in good.values:
            together = name.endswith(("_mean", "_best", "_of_truth")) or name.startswith(("energy_", "diversity_"))
            if together:
                assert swapped.values[name] == pytest.approx(good.values[name], rel=1e-9), name
    assert figure("swapped seeds", "mod_mm") != figure("good", "mod_mm")


def test_one_mean_and_best_are_in_order() -> None:
    for scores in clip_scores("good"):
        values = scores.values
        assert values["mod_mm_best"] <= min(values["mod_mm"], values["mod_mm_mean"])
        assert values["gap_pearson_best"] >= max(values["gap_pearson"], values["gap_pearson_mean"])
        assert "head_step_deg_best" not in values and "head_step_deg_mean" in values


MESH_BROKEN = {
    "5 frames late": "lve_max lve_squared lve_root",
    "frozen": "lve_max lve_squared lve_root fdd fdd_absolute",
    "other speaker": "lve_max lve_squared lve_root",
    "doubled amplitude": "lve_max lve_squared lve_root fdd fdd_absolute",
    "mouth never shut": "lve_max lve_squared lve_root",
    "of another clip": "lve_max lve_squared lve_root",
}


def mesh(curves: Curves) -> np.ndarray:
    """Return ``(T, 6, 3)`` vertices: upper and lower lip, two corners, two brows."""
    vertices = np.zeros((len(curves), 6, 3))
    vertices[:, 0, 1], vertices[:, 1, 1] = curves.curve("gap") / 2, -curves.curve("gap") / 2
    vertices[:, 2, 0], vertices[:, 3, 0] = curves.curve("width") / 2, -curves.curve("width") / 2
    vertices[:, 4:, 1] = curves.curve("brow")
    return vertices


@cache
def mesh_figures(kind: str) -> dict[str, float]:
    rest = np.zeros((6, 3))
    rest[4:, 1] = 0.02
    lips, upper = [0, 1, 2, 3], [4, 5]
    figures = []
    for k, clip in enumerate(clips()):
        ours, real = mesh(BROKEN[kind](k)[0]), mesh(clip.truth)
        deviation = metrics.upper_face_deviation(ours, real, rest, upper)
        figures.append(
            {
                "lve_max": metrics.lip_vertex_error_max(ours, real, lips),
                "lve_squared": metrics.lip_vertex_error_squared(ours, real, lips),
                "lve_root": metrics.lip_vertex_error_root(ours, real, lips),
                "fdd": deviation.signed,
                "fdd_absolute": deviation.absolute,
            }
        )
    return {name: float(np.mean([row[name] for row in figures])) for name in figures[0]}


@pytest.mark.parametrize(("kind", "name"), rows(MESH_BROKEN))
def test_measures_of_meshes(kind: str, name: str) -> None:
    assert mesh_figures("truth")[name] == 0
    assert abs(mesh_figures(kind)[name]) > 1.3 * abs(mesh_figures("good")[name])
