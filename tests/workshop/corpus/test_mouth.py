"""Mouth: coarticulation, closures at any phase, breathing in, and bounds for any phones in any manner."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.head import load_head
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import SYMBOLS, Phone
from diffposetalk.workshop.corpus.motion.articulation import articulate
from diffposetalk.workshop.corpus.motion.lip_table import FASTEST_MOUTH
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.motion.mouth import MouthTracks, mouth_tracks
from diffposetalk.workshop.corpus.motion.prosody import RATE_HZ, analyse


@cache
def opening() -> np.ndarray:
    """Millimetres by which a unit of each channel parts the lips at the middle of the mouth."""
    head = load_head("anny")
    upper, lower = head.lip_pairs.T
    return (head.expression_basis(upper) - head.expression_basis(lower))[..., 1].mean(1) * 1e3


def gap_mm(motion: Motion) -> np.ndarray:
    return motion.expression @ opening()


def tracks(sentence, manner: Manner | None = None) -> MouthTracks:
    speech, phones = sentence
    return mouth_tracks(phones, analyse(speech, phones), manner or Manner())


def at(curve: np.ndarray, phone: Phone) -> np.ndarray:
    return curve[int(phone.start * RATE_HZ) : int(phone.end * RATE_HZ) + 1]


def test_consonants_take_the_shape_of_their_vowels(say):
    round_k, wide_k = (tracks(say(f"sil:0.3 {v}:0.15 k {v}:0.15 sil:0.3")) for v in ("uw", "iy"))
    middle = round(0.5 * RATE_HZ)
    assert round_k.round[middle] > wide_k.round[middle] + 0.4
    assert wide_k.spread[middle] > round_k.spread[middle] + 0.3


def test_rounding_begins_before_its_vowel_and_more_so_than_it_lingers(say):
    rounding = tracks(say("sil:0.3 iy:0.2 t uw:0.2 t iy:0.2 sil:0.3")).round
    before, after = rounding[round(0.5 * RATE_HZ)], rounding[round(0.9 * RATE_HZ)]
    assert before > 0.15 and before > after


def test_clear_speakers_reach_quick_vowels(say):
    sentence = say("sil:0.3 t aa':0.07 t aa':0.07 t aa':0.07 t sil:0.3")
    mumbled, medium, clear = (tracks(sentence, Manner(precision=p)).gap.max() for p in (0.1, 0.5, 1.0))
    assert mumbled < medium < clear


def test_glides_move_within_the_phone(say):
    sentence = say("sil:0.3 t ay':0.3 t sil:0.3")
    gap = at(tracks(sentence).gap, sentence[1][2])
    assert gap[5:15].mean() > 1.2 * gap[-8:].mean()


@pytest.mark.parametrize("symbol", ["p", "b", "m"])
def test_closures_are_seen_at_any_phase_of_the_frames(say, symbol):
    for shift in np.arange(0.0, 0.04, 0.005):
        speech, phones = say(f"sil:{0.4 + shift:.3f} aa':0.12 {symbol}:0.045 aa':0.12 sil:0.4")
        motion = articulate(speech, phones, Manner(mouth_opening=1.4), np.random.default_rng(0))
        gap, closure = gap_mm(motion), phones[2]
        frames = np.arange(len(gap)) / motion.fps
        inside = (frames > closure.start - 0.021) & (frames < closure.end + 0.021)
        assert gap[inside].min() < 0.1 * gap.max(), f"not sealed when {shift * 1e3:.0f} ms later"


def test_lips_part_for_breath_before_a_phrase_that_follows_a_pause(say):
    speech, phones = say("sil:0.3 m aa' m sil:1.2 m aa' m sil:1")
    gap = gap_mm(articulate(speech, phones, Manner(), np.random.default_rng(0)))
    pause, last = phones[4], phones[-1]
    inside = gap[round((pause.start + 0.35) * 25) : round((pause.end - 0.35) * 25)]
    breath = gap[round((pause.end - 0.25) * 25) : round((pause.end - 0.03) * 25)]
    assert inside.max() < 0.3
    assert breath.max() > 3
    assert gap[round((last.start + 0.35) * 25) :].max() < 0.3, "no breath before the end of the clip"


@pytest.mark.parametrize("anticipation", Manner.ranges()["anticipation"])
def test_closures_stay_at_their_sound_in_late_and_early_speakers(say, anticipation):
    speech, phones = say("sil:0.4 k aa':0.12 m:0.08 aa':0.12 m:0.08 aa':0.12 k sil:0.4")
    motion = articulate(speech, phones, Manner(anticipation=anticipation), np.random.default_rng(0), fps=100.0)
    gap = gap_mm(motion)
    for phone in phones:
        if phone.symbol == "m":
            assert gap[round((phone.start + 0.02) * 100) : round((phone.end - 0.02) * 100)].max() < 0.5
        elif phone.symbol == "aa":
            assert gap[round((phone.start + phone.end) * 50)] > 0.25 * gap.max()


@pytest.mark.parametrize("seconds", [0.2, 0.35, 0.5])
def test_lips_stay_parted_without_a_breath_in_a_short_pause(say, seconds):
    speech, phones = say(f"sil:0.3 k aa' k sil:{seconds} k aa' k sil:0.5")
    gap = gap_mm(articulate(speech, phones, Manner(), np.random.default_rng(0)))
    pause = phones[4]
    inside = gap[round((pause.start + 0.1) * 25) : round((pause.end - 0.04) * 25)]
    assert inside.min() > 1
    assert inside.max() < 0.6 * gap.max()


@pytest.mark.parametrize("seconds", [0.62, 0.8, 2.0])
def test_lips_close_in_a_long_pause(say, seconds):
    speech, phones = say(f"sil:0.3 k aa' k sil:{seconds} k aa' k sil:0.5")
    gap = gap_mm(articulate(speech, phones, Manner(), np.random.default_rng(0)))
    pause = phones[4]
    assert gap[round((pause.start + 0.28) * 25) : round((pause.end - 0.27) * 25)].max() < 0.3


def test_slight_rounding_hardly_pushes_the_lips_forward(say):
    """Rounded vowels pucker far more than their neighbours, and funnel at least as much as they pucker."""

    def middle(words: str, channel: str) -> float:
        speech, phones = say(f"sil:0.4 {words} sil:0.4")
        motion = articulate(speech, phones, Manner(), np.random.default_rng(0))
        return float(motion.channel(channel)[round(0.5 * (phones[2].start + phones[2].end) * 25)])

    rounded, neighbour = (middle(f"t {vowel}:0.2 t", "mouthPucker") for vowel in ("uw", "er"))
    assert rounded > 0.25
    assert neighbour < 0.4 * rounded
    assert middle("t uw:0.2 t", "mouthFunnel") > rounded


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0])
def test_clips_begin_and_end_with_shut_lips(say, seconds):
    speech, phones = say(f"sil:{seconds} k aa' k sil:{seconds}")
    gap = gap_mm(articulate(speech, phones, Manner(), np.random.default_rng(0)))
    assert gap[0] < 0.3
    assert gap[round((phones[-1].start + 0.16) * 25) :].max() < 0.3


def test_loud_silence_stays_shut():
    """Noise in which nobody speaks, such as a street, opens no mouth."""
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    motion = articulate(Speech(noise), [], Manner(), np.random.default_rng(0))
    assert gap_mm(motion).max() < 0.3


sentences = st.lists(
    st.tuples(st.sampled_from(SYMBOLS), st.floats(0.03, 0.35), st.integers(0, 2)), min_size=1, max_size=25
)
manners = st.lists(st.floats(0, 1), min_size=len(Manner.ranges()), max_size=len(Manner.ranges()))


@given(sentences, manners, st.integers(0, 2**32 - 1), st.sampled_from([25.0, 30.0, 50.0]))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_any_phones_in_any_manner(sequence, shares, seed, fps):
    clock, phones = 0.0, []
    for symbol, length, stress in sequence:
        phones.append(Phone(symbol, clock, clock + length, stress))
        clock += length
    samples = np.random.default_rng(seed).normal(0, 0.1, max(1, round(clock * 16000))).astype(np.float32)
    manner = Manner.from_vector(np.array(shares))
    first, again = (articulate(Speech(samples), phones, manner, np.random.default_rng(seed), fps=fps) for _ in range(2))
    assert np.array_equal(first.expression, again.expression) and np.array_equal(first.head_pose, again.head_pose)
    assert len(first) == max(1, round(len(samples) / 16000 * fps))
    assert np.isfinite(first.expression).all() and np.isfinite(first.head_pose).all()
    assert first.expression.min() >= 0 and first.expression.max() <= 1
    mouth = [INDEX[name] for name in CHANNELS if name.startswith(("jaw", "mouth", "tongue"))]
    if len(first) > 1:
        assert np.abs(np.diff(first.expression[:, mouth], axis=0)).max() <= FASTEST_MOUTH / fps + 1e-5
    assert np.abs(first.head_pose).max() <= 0.45 + 1e-6
    gap, frames = gap_mm(first), np.arange(len(first)) / fps
    assert gap.max() < 35 and gap.min() > -8
    for phone in phones:
        inside = gap[(frames > phone.start - 0.02) & (frames < phone.end + 0.02)]
        if phone.features.bilabial and len(inside):
            assert inside.min() < 1.0, f"{phone} is open by {inside.min():.2f} mm"
