"""Frame rate of Live Link Face time codes, estimated from the whole column.

The app writes `HH:MM:SS:FF.fff`, where FF counts 60ths of a second and `.fff` is a fraction of one. Other programs write the
same column differently, and nothing in the file says which program it was:

- FF counts frames of the video: 0 to 23, 24, 29, ... (SMPTE time code; with `;` before FF it is drop-frame).
- The digits after the point number the frames of the whole take, or are milliseconds of the second.

Therefore the number of frames per second is taken from the value after which FF starts again at 0, and the meaning of
the digits after the point from how they increase.
Source of drop-frame counting: SMPTE ST 12-1 (two frame numbers left out each minute that is not a multiple of ten).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.exchange.frames import USUAL_RATES, frames_of
from diffposetalk.exchange.tables import TimeCodes

COUNTS = (60, 24, 25, 30, 48, 50, 90, 100, 120)
"""Possible numbers of frames that FF counts per second; the first is the app's."""
NTSC = 1000 / 1001
"""Ratio of the real NTSC frame rate to the count of its time codes, for counts that are multiples of 24 or 30."""
SAME = 2e-4
"""Two rates with a smaller relative difference are the same rate."""
ROUNDING_S = 2e-3
"""Rounding error of a take's length if its times are written in milliseconds."""
MOST_COUNTED = 240
"""No program counts more frames in a second; a larger last field holds milliseconds."""
HINT = "--input-fps N (in Python load_motion(path, fps=N)) reads it at N frames a second"
"""End of messages: how the user can state the frame rate."""


@dataclass(frozen=True)
class Timing:
    """Frame rate and frame numbers of a table."""

    fps: float
    index: np.ndarray
    """``(T,)`` frame number of each row, from 0; a missing frame leaves out its number."""
    others: tuple[float, ...] = ()
    """Other rates that the time codes allow."""
    count: int = COUNTS[0]
    """Frames per second that FF counts."""
    doubt: str = ""
    """Reason why the rate is a guess; empty if it is certain."""

    def preferring(self, fps: float | None) -> Timing:
        """Return the same timing at `fps`, if the time codes allow that rate."""
        if fps is not None and any(abs(fps / rate - 1) < SAME for rate in (self.fps, *self.others)):
            return Timing(fps, self.index, (), COUNTS[0])
        return self

    def note(self, where: object) -> str | None:
        """Return a note for the user about the rate, or None if FF counts as in the app."""
        message = f"{where}: read at {self.fps:.6g} frames a second"
        if self.doubt:
            return f"{message}: {self.doubt}; {HINT}"
        if self.others:
            rates = " or ".join(f"{rate:.6g}" for rate in self.others)
            return f"{message}; its time codes allow {rates} as well; {HINT}"
        return f"{message}, which its time codes count" if self.count != COUNTS[0] else None


def timing_of(
    codes: TimeCodes,
    where: object,
    wrong_row: Callable[[int, str], InputError],
    fps: float | None = None,
    prefer: float | None = None,
) -> tuple[float, np.ndarray]:
    """Find the frame rate and frame numbers of a column of time codes; warn if the rate is not certain.

    Args:
        codes: the column.
        where: the file, for messages.
        wrong_row: makes the error for a row from its number and the reason.
        fps: frame rate that the user states, or None; the time codes then only show which frames are missing.
        prefer: frame rate to choose if the time codes allow several, or None.

    Returns:
        Frames per second, and ``(T,)`` frame numbers from 0.

    Raises:
        InputError: no rate fits, time does not increase, or there are no rows.
    """
    n_rows = len(codes.fields)
    if not n_rows:
        raise InputError(f"{where}: has no frames")
    if n_rows == 1:
        return fps or prefer or 30.0, np.zeros(1, int)
    try:
        timing = _timing(codes, where, wrong_row)
    except InputError as error:
        if fps or prefer:
            return float(fps or prefer or 0), np.arange(n_rows)
        raise InputError(f"{error}; {HINT}") from None
    if fps is not None:
        return fps, timing.index
    timing = timing.preferring(prefer)
    note = timing.note(where)
    if note is not None:
        warnings.warn(note, DiffPoseTalkWarning, stacklevel=2)
    return timing.fps, timing.index


def _timing(codes: TimeCodes, where: object, wrong_row: Callable[[int, str], InputError]) -> Timing:
    fields = codes.fields
    if fields.shape[1] == 1:
        return _plain_numbers(fields[:, 0], where)
    if fields.shape[1] not in (3, 4):
        raise wrong_row(0, "is not HH:MM:SS:FF.fff")
    beyond = (fields < 0).any(1) | (fields[:, 1:3] >= 60).any(1)
    if beyond.any():
        raise wrong_row(int(np.argmax(beyond)), "is not HH:MM:SS:FF.fff")
    clock = fields[:, 0] * 3600 + fields[:, 1] * 60 + fields[:, 2]
    clock = clock + 86400.0 * np.cumsum(np.diff(clock, prepend=clock[:1]) < -43200)  # past midnight
    if fields.shape[1] == 3:
        whole, hundredths = np.floor(clock), (clock - np.floor(clock)) * 100
        if _are_frames(whole, hundredths):
            return _counted(whole, np.rint(hundredths), codes, where, wrong_row)
        return Timing(*frames_of(clock, where))
    if fields[:, :3].any() and np.ptp(fields[:, 3]) == 0:
        raise InputError(f"{where}: its time codes are whole seconds, so the frame rate is unknown")
    whole = np.floor(fields[:, 3])
    thousandths = (fields[:, 3] - whole) * 1000
    if not thousandths.any() and MOST_COUNTED < whole.max() < 1000:
        return _rounded(clock + whole / 1000, where)  # HH:MM:SS:mmm
    if not thousandths.any():
        return _counted(clock, fields[:, 3], codes, where, wrong_row)
    for padded in (True, False):
        numbers = (_padded_numbers if padded else _bare_numbers)(whole, thousandths)
        if numbers is not None:
            return _numbered(clock, whole, numbers, padded, where)
    if _are_milliseconds(whole, thousandths):
        return _rounded(clock + np.rint(thousandths) / 1000, where)
    return _counted(clock, fields[:, 3], codes, where, wrong_row)


def _plain_numbers(values: np.ndarray, where: object) -> Timing:
    """Timing of plain numbers: seconds or milliseconds. Frame numbers are refused, since they have no rate."""
    step = float(np.median(np.diff(values)))
    if step == 1 and (values == np.rint(values)).all():
        raise InputError(f"{where}: its time codes only number the frames, so the frame rate is unknown")
    return _rounded(values / 1000 if step > 4 else values, where)


def _rounded(times: np.ndarray, where: object) -> Timing:
    """Timing of seconds rounded to milliseconds; a short take then allows two rates."""
    fps, index = frames_of(times, where, tolerance=ROUNDING_S)
    near = ROUNDING_S / (times[-1] - times[0])
    others = tuple(rate for rate in USUAL_RATES if rate != fps and abs(rate / fps - 1) < near)
    return Timing(fps, index, others)


def _padded_numbers(whole: np.ndarray, thousandths: np.ndarray) -> np.ndarray | None:
    """Return ``(T,)`` frame numbers if the digits after the point are frame numbers: `07.031` for frame 31."""
    steps, digits = np.diff(whole), np.rint(thousandths)
    if np.abs(thousandths - digits).max() > 0.01 or len(whole) < 3:
        return None
    frames = np.diff(digits) % 1000
    if (frames > 0).all() and (frames == 1).mean() > 0.5 and (steps == frames)[steps > 0].mean() > 0.8:
        return np.asarray(digits[0] + np.concatenate([[0], np.cumsum(frames)]))
    return None


def _bare_numbers(whole: np.ndarray, thousandths: np.ndarray) -> np.ndarray | None:
    """Return ``(T,)`` frame numbers if they are written without leading zeros: `07.31`."""
    for first in (0, 1):
        numbers = np.arange(first, first + len(whole))
        n_digits = np.floor(np.log10(np.maximum(numbers, 1))) + 1
        if len(whole) > 9 and np.abs(thousandths / 1000 - numbers / 10**n_digits).max() < 1e-6:
            return numbers
    return None


def _numbered(clock: np.ndarray, whole: np.ndarray, numbers: np.ndarray, of_video: bool, where: object) -> Timing:
    """Timing of numbered frames: the rates at which frame `n` lies in the second of its time code."""
    steps, ticked = np.diff(numbers), np.diff(clock) > 0
    index = (numbers - numbers[0]).astype(int)
    count = _count(whole, steps, np.diff(clock) == 1)
    if count is None:
        raise InputError(f"{where}: its time codes cover less than a second, so the frame rate is unknown")
    position = clock * count + whole
    lost = (position[-1] - position[0]) - (numbers[-1] - numbers[0])
    ntsc = () if count % 6 else (count * NTSC,)
    # The digits may number the rows, and rows are missing: FF tells where.
    by_row = Timing(float(count), (position - position[0]).astype(int), ntsc, count)
    if np.diff(position).min() > 0 and 1.5 + 2 * (1 - NTSC) * len(numbers) < lost < 0.3 * len(numbers):
        return by_row
    rolling = np.concatenate([[0], np.cumsum(np.diff(whole) < 0)])  # also for seconds that start again before 60
    for seconds in (clock, rolling):
        fitting = [r for r in USUAL_RATES if abs(r - count) < 0.5 and _fits(numbers, seconds, r)]
        if fitting:
            # If two rates fit: cameras that state 30 or 60 record 29.97 or 59.94; a stated 24 is more often exact.
            best = next((r for r in fitting if r % 1 and count % 30 == 0 and of_video), fitting[-1])
            return Timing(best, index, tuple(r for r in fitting if r != best), count)
    rows = np.flatnonzero(ticked)
    if len(rows) > 2:
        measured = (numbers[rows[-1]] - numbers[rows[0]]) / (clock[rows[-1] + 1] - clock[rows[0] + 1])
        if abs(measured - count) < 1 and _fits(numbers, clock, measured, slack=2):
            return Timing(float(measured), index, (), count)
    if np.diff(position).min() > 0 and (np.diff(position) == 1).mean() > 0.9:
        return by_row
    raise InputError(f"{where}: its time codes count {count} frames a second, but seconds pass at another rate")


def _fits(numbers: np.ndarray, clock: np.ndarray, rate: float, slack: float = -1e-6) -> bool:
    """Whether there is a start time with which every frame lies in its second, within a tolerance of `slack` frames."""
    low, high = (clock - numbers / rate).max(), (clock + 1 - numbers / rate).min()
    return bool(low < high + slack / rate)


def _are_milliseconds(whole: np.ndarray, thousandths: np.ndarray) -> bool:
    """Whether the digits after the point are milliseconds of the second, so that they agree with FF."""
    late = thousandths > 200
    if late.sum() < 3 or np.abs(thousandths - np.rint(thousandths)).max() > 0.01:
        return False
    seconds = thousandths / 1000
    about = np.rint(np.median(whole[late] / seconds[late]))  # FF is rounded, so the count may be one more or less
    return any(
        20 <= count <= 130 and np.abs(whole - count * seconds).max() < 1.6 for count in (about - 1, about, about + 1)
    )


def _count(field: np.ndarray, steps: np.ndarray, ticked: np.ndarray) -> int | None:
    """Return the count of frames per second, from the value after which FF starts again; None if it never does.

    A missing frame at that place makes the count look smaller, never larger.
    """
    if not ticked.any():
        return None
    counts = Counter(np.rint((field[:-1] - field[1:] + steps)[ticked]).astype(int).tolist())
    often = [count for count, n in counts.items() if n >= 0.05 * ticked.sum() and 1 < count <= 240]
    count = max(often, default=None)
    if count is None or (count in COUNTS and count > field.max()):
        return count
    return next((usual for usual in sorted(COUNTS) if max(count, field.max()) < usual < 1.08 * count), count)


def _counted(
    clock: np.ndarray,
    field: np.ndarray,
    codes: TimeCodes,
    where: object,
    wrong_row: Callable[[int, str], InputError],
) -> Timing:
    """Timing if FF counts parts of a second: 60ths, as in the app, or frames of the video."""
    steps, same_second = np.diff(field), np.diff(clock) == 0
    forward = steps[same_second & (steps > 0)]
    step = float(np.median(forward)) if len(forward) else 1.0
    count, doubt = _count(field, np.full(len(steps), step), np.diff(clock) == 1), ""
    if count is not None and count not in COUNTS and len(forward):
        usual = forward[forward <= 2 * step]  # times rounded to FF go on by steps of different size
        near = [each for each in COUNTS if each > field.max() and abs(each - count) <= np.ptp(usual)]
        count = min(near, key=lambda each: abs(each - (count or 0)), default=count)
    if count is not None and (field >= count).any():
        row = int(np.argmax(field >= count))
        raise wrong_row(row, f"counts beyond the {count} of a second in this file (60ths of a second, or frames)")
    stopped = same_second & (steps <= 0)
    if stopped.any():
        raise InputError(f"{where}: time does not increase at frame {int(np.argmax(stopped)) + 1}")
    if count is None:
        count, doubt = _count_without_end(field, step, codes, where)
    position = clock * count + field
    drop = _drops(clock, field, count, step) or (codes.drop_frame and count % 30 == 0)
    if drop:
        minutes = clock // 60
        position = position - count // 15 * (minutes - minutes // 10)
    rate = count * NTSC if drop else float(count)
    if not drop and len(set(forward.tolist())) > 1 and (field == np.rint(field)).all():
        timing = _rounded_to(position / rate, count)
        if timing is not None and timing.fps < NTSC * count - 0.001:
            return timing
    fps, index = frames_of(position / rate, where)
    # Frame numbers are the same at 29.97 and 30; the app's 60ths, which have a fraction, measure real time.
    is_real_time = (field != np.rint(field)).any() or (count == COUNTS[0] and codes.fraction)
    others = () if is_real_time or drop or count % 6 else (fps * NTSC,)
    return Timing(fps, index, others, count, doubt)


def _rounded_to(times: np.ndarray, count: int) -> Timing | None:
    """Return the usual rate whose frames lie within these times, which are rounded to ``1 / count`` seconds.

    If several rates fit, the one with the fewest missing frames is taken; None if no rate fits.
    """
    fitting = []
    for rate in USUAL_RATES:
        for shift in np.linspace(-1, 1, 9) / count if rate < count else ():
            index = np.rint((times - times[0] - shift) * rate).astype(int)
            if np.diff(index).min() > 0 and np.ptp(times - index / rate) < 1.001 / count:
                fitting.append((int(index[-1] - index[0]) + 1 - len(index), rate, index - index[0]))
                break
    if not fitting:
        return None
    fewest = min(n_missing for n_missing, _, _ in fitting)
    likely = [each for each in fitting if each[0] <= fewest + max(1, 2 * (1 - NTSC) * len(times))]
    _, fps, index = next((each for each in likely if each[1] == round(each[1])), likely[0])
    return Timing(fps, index, tuple(rate for _, rate, _ in likely if rate != fps), count)


def _are_frames(seconds: np.ndarray, hundredths: np.ndarray) -> bool:
    """Whether the digits of ``HH:MM:SS.FF`` count frames: they start again at 0 before they reach 60."""
    ticked = np.diff(seconds) == 1
    if ticked.sum() < 2 or np.abs(hundredths - np.rint(hundredths)).max() > 0.01:
        return False
    count = _count(np.rint(hundredths), np.ones(len(ticked)), ticked)
    return count in COUNTS and hundredths.max() < count - 0.5 <= COUNTS[0]


def _count_without_end(field: np.ndarray, step: float, codes: TimeCodes, where: object) -> tuple[int, str]:
    """Return the count of a take shorter than one second, and a doubt: the app's count unless another is as likely."""
    usual = [
        count
        for count in COUNTS
        if count > field.max() and any(abs(count / step / rate - 1) < 1e-3 for rate in USUAL_RATES)
    ]
    if not usual:
        return COUNTS[0], ""
    if COUNTS[0] in usual and (step != 1 or field.max() >= 50):
        return COUNTS[0], ""
    if codes.fraction:
        return usual[0], "its time codes do not reach a second's end, and Live Link Face counts 60ths of a second"
    raise InputError(
        f"{where}: its time codes cover less than a second, so the frame rate is unknown "
        f"({', '.join(str(count) for count in sorted(usual)[:4])}, ... all fit)"
    )


def _drops(clock: np.ndarray, field: np.ndarray, count: int, step: float) -> bool:
    """Whether the start of minutes lacks frame numbers, as in drop-frame codes (also when written with colons)."""
    if count % 30 or step != 1:
        return False
    first = np.flatnonzero((np.diff(clock) == 1) & (clock[1:] % 60 == 0) & (clock[1:] // 60 % 10 != 0)) + 1
    return bool(len(first)) and bool((field[first] == count // 15).all() and (field[first - 1] == count - 1).all())
