"""The frame rate of time codes is estimated from the whole column: it is right, or the file is refused with one line."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.exchange import load_motion
from diffposetalk.motion import Motion

NTSC = 1000 / 1001
RATES = (24 * NTSC, 24.0, 25.0, 30 * NTSC, 30.0, 48.0, 50.0, 60 * NTSC, 60.0, 120.0)


def smpte(frame: int, rate: float, ending: str = "") -> str:
    """FF counts frames of the video, without drop-frame."""
    count = round(rate)
    seconds, ff = divmod(frame, count)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{ff:02d}{ending}"


def drop_frame(frame: int, rate: float, separator: str = ";") -> str:
    """SMPTE drop-frame by its definition: count on, and skip numbers at each minute except every tenth."""
    count = round(rate)
    left_out = count // 15
    tens, rest = divmod(frame, count * 600 - 9 * left_out)
    if rest >= count * 60:
        rest += left_out * (1 + (rest - count * 60) // (count * 60 - left_out))
    number = tens * count * 600 + rest
    seconds, ff = divmod(number, count)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{separator}{ff:02d}"


def sixtieths(frame: int, rate: float) -> str:
    """What the app writes: 60ths of a second and a fraction of one."""
    seconds, rest = divmod(round(frame * 60_000 / rate), 60_000)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest / 1000:06.3f}"


def numbered(frame: int, rate: float) -> str:
    """Seconds from the video's own rate; FF the frame in the second, then the number of the frame in the video."""
    milliseconds = frame * 1000 / rate
    seconds = int(milliseconds // 1000)
    return (
        f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{int(frame % rate):02d}.{frame % 1000:03d}"
    )


def milliseconds(frame: int, rate: float) -> str:
    """FF rounded, then the milliseconds of the second."""
    total = round(frame * 1000 / rate)
    seconds, rest = divmod(total, 1000)
    ff = min(round(rest * round(rate) / 1000), round(rate) - 1)
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{ff:02d}.{rest:03d}"


def read(path: Path, codes: list[str], values: np.ndarray, **options: float) -> tuple[Motion, list[str]]:
    lines = ["Timecode,BlendShapeCount,JawOpen", *(f"{code},61,{value:.6f}" for code, value in zip(codes, values))]
    path.write_text("\n".join(lines) + "\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        motion = load_motion(path, **options)
    return motion, [str(warning.message) for warning in caught if issubclass(warning.category, DiffPoseTalkWarning)]


def column(
    tmp: Path,
    write: Callable[[int], str],
    seconds: float,
    rate: float,
    start: int = 0,
    lost: float = 0.0,
    seed: int = 0,
) -> tuple[Motion, list[str], np.ndarray]:
    frames = np.arange(round(seconds * rate))
    rng = np.random.default_rng(seed)
    kept = frames[(rng.random(len(frames)) >= lost) | (frames == 0) | (frames == frames[-1])]
    truth = 0.5 + 0.4 * np.sin(frames / rate * 7)
    motion, notes = read(tmp / "a.csv", [write(start + int(f)) for f in kept], truth[kept])
    assert not lost or len(motion) != len(frames) or np.abs(motion.channel("jawOpen") - truth)[kept].max() < 1e-5
    return motion, notes, truth


def pair(rate: float) -> float:
    """The other rate of the same count."""
    return round(rate) * (NTSC if rate == round(rate) else 1.0)


@settings(max_examples=150, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    style=st.sampled_from((smpte, sixtieths, numbered, milliseconds)),
    start=st.integers(0, 3000),
    seconds=st.floats(2.5, 40.0),
    lost=st.sampled_from((0.0, 0.0, 0.02, 0.15)),
    seed=st.integers(0, 99),
)
@example(rate=24 * NTSC, style=milliseconds, start=399, seconds=12.0, lost=0.0, seed=0)
def test_columns_of_every_kind(
    tmp_path_factory: pytest.TempPathFactory,
    rate: float,
    style: Callable[[int, float], str],
    start: int,
    seconds: float,
    lost: float,
    seed: int,
) -> None:
    """The rate is right, or a note names the right one; every frame is in its place."""
    motion, notes, truth = column(
        tmp_path_factory.mktemp("codes"), lambda f: style(f, rate), seconds, rate, start, lost, seed
    )
    assert len(motion) == len(truth)
    assert np.abs(motion.channel("jawOpen") - truth).max() < (0.3 if lost else 1e-5)
    assert len(notes) <= 1
    if motion.fps != pytest.approx(rate, rel=3e-4):
        assert motion.fps == pytest.approx(pair(rate), rel=3e-4)
        assert f"allow {rate:.6g} as well" in notes[0]


@pytest.mark.parametrize("rate", [30 * NTSC, 60 * NTSC])
@pytest.mark.parametrize("separator", [";", ":"])
@pytest.mark.parametrize("start", [0, 1790, 107_890])
def test_drop_frame(tmp_path: Path, rate: float, separator: str, start: int) -> None:
    motion, _, truth = column(tmp_path, lambda f: drop_frame(f, rate, separator), 130, rate, start)
    assert motion.fps == pytest.approx(rate, rel=1e-5)
    assert len(motion) == len(truth) and np.abs(motion.channel("jawOpen") - truth).max() < 1e-5


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("style", [smpte, sixtieths])
def test_over_midnight_and_hours(tmp_path: Path, rate: float, style: Callable[[int, float], str]) -> None:
    for start in (round((86400 - 3) * rate), round((3600 - 3) * rate)):
        motion, _, truth = column(tmp_path, lambda f, start=start: style(f, rate), 8, rate, start)
        assert motion.fps == rate and len(motion) == len(truth)


def test_long_takes_tell_29_97_from_30(tmp_path: Path) -> None:
    for rate in (30 * NTSC, 30.0):
        motion, notes, _ = column(tmp_path, lambda f, rate=rate: numbered(f, rate), 60, rate, 1)
        assert motion.fps == pytest.approx(rate, rel=1e-6) and not any("as well" in note for note in notes)


def test_any_rate_of_a_video(tmp_path: Path) -> None:
    """Phones record 29.8 frames a second."""
    motion, notes, truth = column(tmp_path, lambda f: numbered(f, 29.8), 60, 29.8, 1)
    assert motion.fps == pytest.approx(29.8, rel=1e-3) and len(motion) == len(truth) and len(notes) == 1


def test_seconds_that_start_again_at_30(tmp_path: Path) -> None:
    """A writer counts all four fields to 29."""
    codes = []
    for n in range(1, 2000):
        fields = [n // 30**i % 30 for i in range(4)]
        codes.append(f"{fields[3]:02d}:{fields[2]:02d}:{fields[1]:02d}:{fields[0]:02d}.{n % 1000:03d}")
    motion, _ = read(tmp_path / "a.csv", codes, np.linspace(0, 1, len(codes)))
    assert motion.fps == 30 and len(motion) == len(codes)


def test_frame_numbers_without_leading_zeros(tmp_path: Path) -> None:
    codes = [f"{smpte(n, 60)}.{n}" for n in range(300)]
    motion, _ = read(tmp_path / "a.csv", codes, np.linspace(0, 1, 300))
    assert motion.fps == 60 and len(motion) == 300


def test_rounded_60ths_and_milliseconds(tmp_path: Path) -> None:
    motion, _, _ = column(tmp_path, lambda f: milliseconds(f, 60), 610 / 60, 60)
    assert motion.fps == 60 and len(motion) == 610


@pytest.mark.parametrize(
    ("codes", "why"),
    [
        ([f"00:00:{n:02d}:00.000" for n in range(40)], "whole seconds"),
        ([str(n) for n in range(40)], "number the frames"),
        ([f"00:00:00:{n:02d}" for n in range(20)], "24, 25, 30, 48, ... all fit"),
        ([f"00:00:00:{n // 2:02d}" for n in range(20)], "time does not increase"),
    ],
)
def test_what_tells_no_rate_is_refused_and_can_be_stated(tmp_path: Path, codes: list[str], why: str) -> None:
    values = np.linspace(0, 1, len(codes))
    with pytest.raises(InputError, match=why) as caught:
        read(tmp_path / "a.csv", codes, values)
    assert "--input-fps" in str(caught.value) and "\n" not in str(caught.value)
    motion, _ = read(tmp_path / "a.csv", codes, values, fps=25.0)
    assert motion.fps == 25 and motion.channel("jawOpen") == pytest.approx(values, abs=1e-6)


def test_the_rate_can_be_stated_or_preferred(tmp_path: Path) -> None:
    codes = [smpte(n, 30) for n in range(90) if n != 40]
    values = np.arange(90)[[n != 40 for n in range(90)]] / 90
    assert read(tmp_path / "a.csv", codes, values)[0].fps == 30
    preferred, notes = read(tmp_path / "a.csv", codes, values, prefer=30 * NTSC)
    assert preferred.fps == 30 * NTSC and len(preferred) == 90 and not notes
    assert read(tmp_path / "a.csv", codes, values, prefer=50.0)[0].fps == 30, "50 does not fit"
    stated, notes = read(tmp_path / "a.csv", codes, values, fps=50.0)
    assert stated.fps == 50 and len(stated) == 90 and not notes, "the missing frame stays where it is"


@pytest.mark.parametrize(
    ("name", "fps", "frames"),
    [
        ("frames_at_25.csv", 25.0, 399),
        ("frames_at_29.97.csv", 30 * NTSC, 399),
        ("ofx_24.livelink.csv", 24.0, 265),
        ("ofx_60.livelink.csv", 60.0, 661),
        ("min_ff30.csv", 30.0, 90),
    ],
)
def test_files_of_other_programs(faults: Path, name: str, fps: float, frames: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        motion = load_motion(faults / "livelink" / name)
    assert motion.fps == pytest.approx(fps, rel=1e-6) and len(motion) == frames
    if name == "min_ff30.csv":
        jaw = motion.channel("jawOpen")
        assert np.flatnonzero(jaw > 0.99) / motion.fps == pytest.approx([0.8333, 1.8333, 2.8333], abs=1e-3)


def test_one_animation_at_two_rates(faults: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        slow, fast = (load_motion(faults / "livelink" / f"ofx_{fps}.livelink.csv") for fps in (24, 60))
    again = fast.resampled(24).channel("jawOpen")
    n = min(len(slow), len(again))
    assert np.corrcoef(slow.channel("jawOpen")[:n], again[:n])[0, 1] > 0.999


@pytest.mark.parametrize("rate", [24.0, 25.0, 48.0, 50.0])
@pytest.mark.parametrize("lost", [0.0, 0.02])
@pytest.mark.parametrize("whole", [round, int])
def test_whole_60ths_of_a_slower_video(tmp_path: Path, rate: float, lost: float, whole: Callable[[float], int]) -> None:
    """Rows go on by 2 and 3 sixtieths: the rate is the video's, not 30 or 60."""
    motion, _, truth = column(tmp_path, lambda f: smpte(whole(f * 60 / rate + 1e-9), 60), 8, rate, 7, lost)
    assert motion.fps == rate and len(motion) == len(truth)


@pytest.mark.parametrize("rate", [25.0, 30 * NTSC, 60.0])
def test_milliseconds_as_the_last_field(tmp_path: Path, rate: float) -> None:
    def code(frame: int) -> str:
        seconds, rest = divmod(round(frame * 1000 / rate), 1000)
        return f"00:{seconds // 60:02d}:{seconds % 60:02d}:{rest:03d}"

    motion, _, truth = column(tmp_path, code, 20, rate, 3, 0.02)
    assert motion.fps == pytest.approx(rate, rel=1e-6) and len(motion) == len(truth)


@pytest.mark.parametrize("rate", [24.0, 25.0, 30.0, 60.0])
def test_frames_behind_a_point(tmp_path: Path, rate: float) -> None:
    motion, _, truth = column(tmp_path, lambda f: smpte(f, rate)[::-1].replace(":", ".", 1)[::-1], 8, rate, 5)
    assert motion.fps == rate and len(motion) == len(truth)


def test_digits_that_number_the_rows_of_a_file_with_missing_rows(tmp_path: Path) -> None:
    """FF tells where the missing rows belong."""
    frames = [f for f in range(300) if f % 40 != 17]
    values = np.sin(np.array(frames) / 10) / 2 + 0.5
    for rate in (25, 30, 60):
        codes = [f"{smpte(f, rate)}.{row:03d}" for row, f in enumerate(frames)]
        motion, _ = read(tmp_path / "a.csv", codes, values)
        assert motion.fps == rate and len(motion) == 300
        assert motion.channel("jawOpen")[frames] == pytest.approx(values, abs=1e-5)
