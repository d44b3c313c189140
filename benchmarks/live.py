"""Streaming: how well it follows speech with less look-ahead, what a hop costs, when the first frame is there, and an hour.

Run from the project's root on an otherwise idle machine::

    python benchmarks/live.py --recordings ../realdata            # the table
    python benchmarks/live.py --recordings ../realdata --write    # into docs/live.md, with the picture of the delay
    python benchmarks/live.py --hour                              # an hour of sound: memory, drift

Quality is measured on clips of people (`diffposetalk evaluate real-lips`): the correlation of the lip gap with the tracked one,
at each file's own offset between sound and picture. Joins are those between hops: mean speed there relative to elsewhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from results import publish

if TYPE_CHECKING:
    from diffposetalk.generate.stream import Stream
    from diffposetalk.generate.talker import Talker
    from diffposetalk.motion import Motion
    from diffposetalk.workshop.evaluate.recordings.clips import TrackedClip

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src/diffposetalk/assets/sample.flac"
PAGE, PICTURE = ROOT / "docs/live.md", ROOT / "docs/images/live-delay.svg"
MARKS = ("<!-- results: written by benchmarks/live.py --write -->", "<!-- end of results -->")
LOOKAHEADS_MS = (0, 80, 160, 240, 500)
RATE = 16000


@dataclass(frozen=True)
class Row:
    """Results of one look-ahead; None: the offline motion, in windows of 4 s."""

    lookahead_ms: float | None
    r: float
    """Pooled correlation of the lip gap at each file's offset, mean over the seeds."""
    lag: int
    """Frames by which the lips come too late at the best correlation."""
    joins_lips: float
    """Mean speed of the lips at joins relative to elsewhere."""
    joins_head: float
    hop_p50_ms: float = 0.0
    hop_p99_ms: float = 0.0
    first_ms: float = 0.0
    """Time from the beginning of the speech to its first frame, with the slowest of 20 first hops."""


def stream_of(talker: Talker, lookahead_ms: float, args: argparse.Namespace, seed: int = 0) -> Stream:
    options = {} if args.steps is None else {"steps": args.steps}
    return talker.stream(args.style, lookahead_ms=lookahead_ms, hop_ms=args.hop, seed=seed, **options)


def streamed(stream: Stream, samples: np.ndarray, hop_s: list[float], clock: Callable[[], float]) -> Motion:
    """Feed samples hop by hop and note the time that each hop takes."""
    from diffposetalk.motion import Motion

    chunks, n = [], round(stream.hop_s * RATE)
    for start in range(0, len(samples), n):
        began = clock()
        chunk = stream.feed(samples[start : start + n])
        if chunk is not None:
            hop_s.append(clock() - began)
            chunks.append(chunk.motion)
    last = stream.finish()
    return Motion.joined([*chunks, *([] if last is None else [last.motion])])


def joins(motions: Iterable[Motion], every: int) -> tuple[float, float]:
    """Return the mean speed at joins relative to elsewhere, of the lips and of the head."""
    from diffposetalk.workshop.evaluate.seams import groups

    at_joins: dict[str, list[float]] = {"lips": [], "head": []}
    elsewhere: dict[str, list[float]] = {"lips": [], "head": []}
    for motion in motions:
        for name, values in groups(motion).items():
            if name in at_joins:
                speed = np.abs(np.diff(values, axis=0)).mean(1)
                join = np.arange(len(speed)) % every == every - 1
                at_joins[name] += speed[join].tolist()
                elsewhere[name] += speed[~join].tolist()
    lips, head = (
        float(np.mean(at_joins[name]) / np.mean(elsewhere[name])) if elsewhere[name] else 1.0 for name in at_joins
    )
    return lips, head


def first_frame_ms(talker: Talker, lookahead_ms: float, args: argparse.Namespace) -> float:
    """Return the time from the beginning of speech, after silence, to its first frame: sound that is waited for, and work."""
    slowest = 0.0
    for seed in range(20):
        stream = stream_of(talker, lookahead_ms, args, seed)
        wanted = round(stream.delay_s * RATE)
        began = args.clock()
        assert stream.feed(np.zeros(wanted, np.float32)) is not None
        slowest = max(slowest, args.clock() - began)
    return 1000 * (stream.delay_s + slowest)


def measured(talker: Talker, clips: list[TrackedClip], offsets: Any, args: argparse.Namespace) -> list[Row]:
    """Measure all look-aheads, and offline."""
    from diffposetalk.workshop.evaluate import real_lips

    rows = []
    for lookahead_ms in (*args.lookaheads, *([] if args.no_offline else [None])):
        samples: list[dict[str, np.ndarray]] = []
        motions: list[Motion] = []
        hop_s: list[float] = []
        for seed in range(args.seeds):
            curves = {}
            for clip in clips:
                if lookahead_ms is None:
                    options = {} if args.steps is None else {"steps": args.steps}
                    motion = talker.generate(clip.speech, args.style, seed=seed, **options)
                else:
                    motion = streamed(
                        stream_of(talker, lookahead_ms, args, seed), clip.speech.samples, hop_s, args.clock
                    )
                motions.append(motion)
                curves[clip.name] = real_lips.OWN_GAP(motion.resampled(real_lips.FPS))
            samples.append(curves)
        result = real_lips.compare(samples, clips, offsets)
        r, lag = float(np.mean(result["each_seed_r_at_offset"])), int(result["mean"]["best_lag_at_offset"])
        every = 100 if lookahead_ms is None else max(1, round(args.hop / 40))
        lips, head = joins(motions, every)
        row = Row(lookahead_ms, r, lag, lips, head)
        if lookahead_ms is not None:
            p50, p99 = 1000 * np.percentile(hop_s, [50, 99])
            row = Row(
                lookahead_ms, r, lag, lips, head, float(p50), float(p99), first_frame_ms(talker, lookahead_ms, args)
            )
        print(row, flush=True)
        rows.append(row)
    return rows


def table(rows: list[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| look-ahead | lips: r | late by, frames | joins, lips | joins, head | hop p50 / p99, ms | first frame, ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lips, head = ("", "") if row.lookahead_ms is None else (f"{row.joins_lips:.2f}", f"{row.joins_head:.2f}")
        name = "offline" if row.lookahead_ms is None else f"{row.lookahead_ms:g} ms"
        times = (
            ("", "")
            if row.lookahead_ms is None
            else (f"{row.hop_p50_ms:.0f} / {row.hop_p99_ms:.0f}", f"{row.first_ms:.0f}")
        )
        lines.append(f"| {name} | {row.r:.2f} | {row.lag} | {lips} | {head} | {times[0]} | {times[1]} |")
    return "\n".join(lines)


def picture(hop_ms: float, lookahead_ms: float, work_ms: float) -> str:
    """Return the way of a sound to the face as SVG: what is waited for, and what is computed."""
    spans = [
        ("hop: sound of the new frames", 0, hop_ms, "#4477aa"),
        ("look-ahead: sound that follows", hop_ms, lookahead_ms, "#88bbdd"),
        ("computing (p99)", hop_ms + lookahead_ms, work_ms, "#cc6677"),
        ("spare: uneven arrival, in the command only", hop_ms + lookahead_ms + work_ms, hop_ms, "#ddcc77"),
    ]
    end = max(500.0, spans[-1][1] + spans[-1][2] + 40)
    left, width, row = 10, 760, 30

    def x(ms: float) -> float:
        return left + width * ms / end

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 {row * len(spans) + 60}" font-family="sans-serif" '
        f'font-size="13" role="img"><title>From a sound to its frame: {spans[-1][1]:.0f} ms</title>'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
    ]
    for ms in range(0, int(end) - 40, 100):
        parts.append(
            f'<line x1="{x(ms):.1f}" x2="{x(ms):.1f}" y1="8" y2="{row * len(spans) + 20}" stroke="#dddddd"/>'
            f'<text x="{x(ms):.1f}" y="{row * len(spans) + 38}" fill="#333333">{ms} ms</text>'
        )
    for k, (name, start, length, colour) in enumerate(spans):
        y = 12 + k * row
        parts.append(
            f'<rect x="{x(start):.1f}" y="{y}" width="{max(2.0, x(length) - left):.1f}" height="22" fill="{colour}"/>'
        )
        label = f"{name}: {length:.0f} ms"
        right = x(start + length) + 6
        anchor, at = ("start", right) if right < 520 else ("end", x(start) - 6)
        parts.append(f'<text x="{at:.1f}" y="{y + 16}" text-anchor="{anchor}" fill="#111111">{label}</text>')
    return "\n".join([*parts, "</svg>\n"])


def hour(talker: Talker, args: argparse.Namespace) -> dict[str, float]:
    """Stream an hour of the sample and silence in turns; return memory and what the first and the last minutes are like."""
    from diffposetalk.speech import Speech

    turn = np.concatenate([Speech.load(SAMPLE).samples, np.zeros(4 * RATE, np.float32)])
    stream, minutes = stream_of(talker, 240, args), []
    sizes = {}
    n_turns = round(args.minutes * 60 * RATE / len(turn))
    for k in range(n_turns):
        chunk = stream.feed(turn)
        assert chunk is not None
        motion = chunk.motion
        minutes.append(
            (float(motion.channel("jawOpen").std()), float(motion.head_pose.std()), motion.head_pose.mean(0))
        )
        if k in (n_turns // 10, n_turns - 1):
            sizes[k] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n = max(1, n_turns // 10)
    early, late = sizes.values()
    result = {"minutes": stream.position_s / 60, "peak_mb_after_a_tenth": early, "peak_mb_at_the_end": late}
    for name, column in (("jaw", 0), ("head", 1)):
        result[f"{name}_spread_first"] = float(np.mean([m[column] for m in minutes[:n]]))
        result[f"{name}_spread_last"] = float(np.mean([m[column] for m in minutes[-n:]]))
    drift = np.mean([m[2] for m in minutes[-n:]], 0) - np.mean([m[2] for m in minutes[:n]], 0)
    result["head_drift_deg"] = float(np.rad2deg(np.abs(drift).max()))
    return result


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, help="folder of clips with tracks")
    parser.add_argument("--model", default="lite")
    parser.add_argument("--style", default="neutral")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--hop", type=float, default=80.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--busy", action="store_true", help="count processor time, because the machine has other work to do"
    )
    parser.add_argument("--hour", action="store_true")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--lookaheads", type=float, nargs="+", default=LOOKAHEADS_MS, metavar="MS")
    parser.add_argument("--no-offline", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    args.clock = time.process_time if args.busy else time.perf_counter

    from diffposetalk.generate.talker import Talker

    talker = Talker.from_pretrained(args.model)
    if args.hour:
        print(json.dumps(hour(talker, args), indent=1))
        return
    if args.recordings is None:
        parser.error("--recordings or --hour")
    from diffposetalk.workshop.evaluate.real_lips import known_phones
    from diffposetalk.workshop.evaluate.recordings.clips import tracked_clips
    from diffposetalk.workshop.evaluate.recordings.sound_offset import sound_offsets

    clips = tracked_clips(args.recordings)
    rows = measured(talker, clips, sound_offsets(clips, known_phones(args.recordings, clips)[0]), args)
    where = f"{platform.machine()}, {'processor time' if args.busy else 'time of day'}, style {args.style}"
    about = f"Hops of {args.hop:g} ms; {len(clips)} clips, mean of {args.seeds} seeds; {where}."
    figures = {"rows": [asdict(row) for row in rows]}
    publish(f"{table(rows)}\n\n{about}\n", figures, args.json, MARKS if args.write else None, PAGE)
    if args.write:
        usual = next(row for row in rows if row.lookahead_ms == 240)
        PICTURE.write_text(picture(args.hop, 240, usual.hop_p99_ms))


if __name__ == "__main__":
    main()
