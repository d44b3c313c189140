"""Scores: which figures there are, why others are missing, and what cannot be scored."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.metrics.performances import FPS, N_FRAMES, PEOPLE, Sentence, performance, sentence, sound

from diffposetalk import metrics
from diffposetalk.errors import InputError
from diffposetalk.metrics import CLIP_MEASURES, SET_MEASURES, Curves, Take
from diffposetalk.metrics.scores.measures import BEST_SUFFIX, MEAN_SUFFIX, TRUTH_SUFFIX

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture
def said() -> Sentence:
    return sentence(0)


@pytest.fixture
def truth(said: Sentence) -> Curves:
    return performance(PEOPLE["calm"], said, 1)


@pytest.fixture
def sample(said: Sentence) -> Curves:
    return performance(PEOPLE["calm"], said, 2)


def without(curves: Curves, *names: str) -> Curves:
    fields = dict.fromkeys(names) | ({"channel_names": ()} if "channels" in names else {})
    return replace(curves, **fields)


def test_everything_is_there_or_its_absence_has_a_reason(truth: Curves, sample: Curves, said: Sentence) -> None:
    full = metrics.score(truth, [sample, truth], said.phones, sound(said, 0))
    assert not full.absent and set(CLIP_MEASURES) <= set(full.values)
    bare = metrics.score(without(truth, "head", "channels"), [without(sample, "lids", "brow")])
    assert set(bare.values) | set(bare.absent) >= set(CLIP_MEASURES)
    assert not set(bare.values) & set(bare.absent)
    for name in (*full.values, *bare.values):
        assert np.isfinite((full.values | bare.values)[name])
        ends = "|".join((MEAN_SUFFIX, BEST_SUFFIX, TRUTH_SUFFIX))
        assert re.sub(f"({ends})$", "", name) in CLIP_MEASURES


@pytest.mark.parametrize(
    ("lost", "name", "reason"),
    [
        (["gap"], "mod_mm", "the generated gap is not known"),
        (["gap"], "bcs", "the generated gap is not known"),
        (["gap"], "energy_lips_mm", "the curve gap is not known"),
        (["head"], "beats_truth", "the generated head is not known"),
        (["head"], "diversity_head_deg", "the curve head is not known"),
        (["lids", "brow"], "upper_face_spread_mm", "neither brow nor lids are known"),
        (["brow"], "upper_face_spread_mm", "the generated and the captured face have different curves"),
        (["channels"], "channel_mse", "the ARKit channel jawForward is missing"),
    ],
)
def test_reasons_of_missing_curves(
    lost: list[str], name: str, reason: str, truth: Curves, sample: Curves, said: Sentence
) -> None:
    scores = metrics.score(truth, [without(sample, *lost)] * 2, said.phones, sound(said, 0))
    assert name not in scores.values and scores.absent[name].startswith(reason)


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        ({"phones": None}, "bcs", "the phones are not known"),
        ({"phones": [("aa", 0.0, 3.0)]}, "closure_precision", "the clip has no frame of p, b or m"),
        ({"phones": [("aa", 0.0, 3.0)]}, "sound_offset_ms", "the clip has no frame of p, b or m"),
        ({"phones": [("p", 1.0, 1.1)]}, "sound_offset_ms", "p, b and m are fewer than 4"),
        ({"speech": None}, "beats_speech", "the sound is not known"),
        ({"n": 1}, "diversity_lips_mm", "there is one sample only"),
        ({"seconds": 0.2}, "sync_r", "the clip has fewer than 10 frames"),
        ({"still": True}, "gap_pearson", "the captured mouth does not move"),
        ({"share": True}, "mod_mm", "the lengths are not in metres"),
        ({"share": True}, "energy_lips_mm", "the lengths are not in metres"),
    ],
)
def test_other_reasons(
    change: dict[str, object], name: str, reason: str, truth: Curves, sample: Curves, said: Sentence
) -> None:
    if "still" in change:
        truth = replace(truth, gap=np.full(N_FRAMES, 0.004))
    if "share" in change:
        truth, sample = truth.share_of_opening(), sample.share_of_opening()
    n_frames = round(float(change.get("seconds", N_FRAMES / FPS)) * FPS)
    samples = [sample.slice(0, n_frames)] * int(change.get("n", 2))
    phones, speech = change.get("phones", said.phones), change.get("speech", sound(said, 0))
    scores = metrics.score(truth.slice(0, n_frames), samples, phones, speech)
    assert name not in scores.values and scores.absent[name].startswith(reason)


def test_closures_compare_faces_of_different_size(truth: Curves, sample: Curves, said: Sentence) -> None:
    """A face twice as large has the same figures where the lengths are shares of its opening."""
    large = replace(sample, gap=2 * sample.curve("gap"), width=2 * sample.curve("width"), brow=2 * sample.curve("brow"))
    one, two = (
        metrics.score(truth.share_of_opening(), [curves.share_of_opening()], said.phones).values
        for curves in (sample, large)
    )
    assert one == pytest.approx(two) and "bcs" in one and "gap_concordance" in one
    metres = metrics.score(truth, [large], said.phones).values
    assert metres["gap_spread_ratio"] > 1.8 > 1.2 > one["gap_spread_ratio"]


def test_one_sample_that_lacks_a_figure_leaves_it_out(truth: Curves, sample: Curves, said: Sentence) -> None:
    still = replace(sample, gap=np.full(N_FRAMES, 0.02))
    scores = metrics.score(truth, [sample, still], said.phones)
    assert "mtm_ms" not in scores.values and scores.absent["mtm_ms"].startswith("no extremum")
    assert "mtm_joined_mean" in scores.values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.resampled(30.0), "curves at 30 fps cannot be compared with curves at 25 fps"),
        (lambda c: c.slice(0, N_FRAMES - 3), "the generated clip has 197 frames, the captured one 200"),
        (lambda c: c.share_of_opening(), "the unit 'share' cannot be compared with lengths in 'm'"),
    ],
)
def test_refuses_what_does_not_fit(change, message: str, truth: Curves, sample: Curves) -> None:
    with pytest.raises(InputError, match=message):
        metrics.score(truth, [sample, change(sample)])
    with pytest.raises(InputError, match=message):
        metrics.score_set([Take(truth, change(sample))])


def test_two_frames_less_are_cut(truth: Curves, sample: Curves) -> None:
    cut = metrics.score(truth, [sample.slice(0, N_FRAMES - 2), sample]).values
    whole = metrics.score(truth.slice(0, N_FRAMES - 2), [sample.slice(0, N_FRAMES - 2)]).values
    assert cut["mod_mm"] == pytest.approx(whole["mod_mm"]) and cut["energy_lips_mm"] > 0
    with pytest.raises(InputError, match="no samples"):
        metrics.score(truth, [])


def test_a_set_says_what_it_lacks(truth: Curves, sample: Curves) -> None:
    scores = metrics.score_set([Take(without(truth, "channels"), without(sample, "head"))] * 2)
    assert set(scores.values) | set(scores.absent) >= set(SET_MEASURES)
    assert scores.absent["bcs"] == "the phones of no clip are known"
    assert scores.absent["slcc"] == "the sound of some clips is not known"
    assert scores.absent["frechet_head"].startswith("the curve head is not known")
    assert scores.absent["frechet_channels"].startswith("no channel")
    assert scores.absent["coverage"] == "there are no more than 5 clips"
    assert scores.absent["style_retrieval"] == "there are no clips of at least 2 named speakers"
    assert "frechet_lips" in scores.values


def test_one_clip_without_a_curve_leaves_the_measure_out_for_all(truth: Curves, sample: Curves) -> None:
    takes = [Take(truth, sample)] * 3
    assert "wasserstein_head_deg" in metrics.score_set(takes).values
    assert "wasserstein_head_deg" not in metrics.score_set([*takes, Take(truth, without(sample, "head"))]).values
    assert "wasserstein_lips_mm" not in metrics.score_set([*takes, Take(truth, without(sample, "width"))]).values


def test_refuses_sets_of_different_rates_and_none(truth: Curves, sample: Curves) -> None:
    with pytest.raises(InputError, match="no clips"):
        metrics.score_set([])
    with pytest.raises(InputError, match="one frame rate"):
        metrics.score_set([Take(truth, sample), Take(truth.resampled(50.0), sample.resampled(50.0))])


def test_scores_are_the_same_each_time(truth: Curves, sample: Curves, said: Sentence) -> None:
    takes = [
        Take(truth, sample, "a", said.phones, sound(said, 0)),
        Take(sample, truth, "b", said.phones, sound(said, 0)),
    ]
    assert metrics.score_set(takes) == metrics.score_set(takes)


def test_the_page_explains_every_measure_and_function() -> None:
    page = PAGE.read_text()
    for name in CLIP_MEASURES | SET_MEASURES:
        assert f"`{name}`" in page, f"{PAGE.name} does not explain {name}"
    functions = [name for name in metrics.__all__ if callable(getattr(metrics, name)) and name.islower()]
    missing = [name for name in functions if f"`{name}`" not in page]
    assert not missing, f"{PAGE.name} does not name {missing}"


def test_the_page_gives_the_unit_and_the_aim_of_every_measure() -> None:
    lines = {m[1]: line for line in PAGE.read_text().splitlines() if (m := re.match(r"\| `(\w+)` \|", line))}
    for name, measure in (CLIP_MEASURES | SET_MEASURES).items():
        cells = [cell.strip() for cell in lines[name].strip("|").split("|")]
        assert cells[2] == (measure.unit or "-"), name
        assert cells[3] == {"zero": "0", "one": "1"}.get(measure.aim, measure.aim), name
