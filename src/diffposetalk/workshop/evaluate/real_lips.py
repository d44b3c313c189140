"""Do the lips follow real speech? Generated lip aperture against that of tracked faces, clip by clip and pooled.

Files come with audio-video offsets of their own. So each clip is measured twice: as it is (lag 0), and at its own offset,
which `sound_offset` estimates without the model under test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.files.parsing import parsing
from diffposetalk.generate.script_of import TranscriptSource
from diffposetalk.head.shared import shared_head
from diffposetalk.metrics import LagCorrelation, lag_correlation
from diffposetalk.metrics.lips import mouth_gap, mouth_gap_on
from diffposetalk.motion import Motion
from diffposetalk.progress import Progress, over
from diffposetalk.speech.transcript import Transcript, read_transcript
from diffposetalk.speech.transcript.reading import READERS, Phrase
from diffposetalk.workshop.evaluate.generators import AnyStyle, Generation, Generator, samples_of
from diffposetalk.workshop.evaluate.recordings.alignment import Phones, aligned
from diffposetalk.workshop.evaluate.recordings.clips import FPS, TrackedClip, tracked_clips
from diffposetalk.workshop.evaluate.recordings.clips import transcripts as spoken_words
from diffposetalk.workshop.evaluate.recordings.sound_offset import (
    METHODS,
    SoundOffset,
    group_of,
    linear_map,
    shifted,
    sound_offsets,
    speech_features,
)
from diffposetalk.workshop.evaluate.tables import table, verdict

OWN_GAP = mouth_gap_on(shared_head)
"""Lip gap of a motion on its own head, ``(T,)`` metres."""
TARGET_R = 0.42
"""Correlation at their own offsets that the mean of ten samples must pass: a linear map fitted on 42 clips reaches it."""
TARGET_LAGS = range(4)
"""Frames within which the best lag must lie; above 0 = generated lips later than the real ones."""
NAMES = "names"
"""Stands for no folder of transcripts: words come from the names of the clips alone."""
MAX_LAG = 8
"""Frames of lag that are looked at."""


def generated_apertures(
    generate: Generator,
    clips: Sequence[TrackedClip],
    n_samples: int,
    gap_of: Callable[[Motion], np.ndarray] = OWN_GAP,
    style: AnyStyle = None,
    progress: Progress | None = None,
    words: Mapping[str, TranscriptSource] | None = None,
) -> list[dict[str, np.ndarray]]:
    """Return the generated lip gap at `FPS` for each clip's sound, for seeds 0, 1...: by name, ``(T,)`` metres.

    Args:
        generate: the generator.
        clips: the clips.
        n_samples: number of seeds.
        gap_of: lip gap of a motion.
        style: manner that is spoken in.
        progress: called after each clip.
        words: transcripts by the clip's name; clips without one are generated from the speech alone.
    """
    samples: list[dict[str, np.ndarray]] = [{} for _ in range(n_samples)]
    for clip in over(clips, progress, "generating"):
        transcript = (words or {}).get(clip.name)
        for sample, motion in zip(samples, samples_of(generate, clip.speech, n_samples, style, transcript)):
            sample[clip.name] = gap_of(motion.resampled(FPS))
    return samples


def compare(
    samples: Sequence[Mapping[str, np.ndarray]],
    clips: Sequence[TrackedClip],
    offsets: Mapping[str, SoundOffset] | None = None,
    max_lag: int = MAX_LAG,
) -> dict[str, Any]:
    """Compare generated with tracked apertures, at lag 0 and at each clip's own offset.

    Args:
        samples: per seed, the generated gap of each clip by name.
        clips: the tracked clips.
        offsets: audio-video offset of each clip by name; None takes the files as they are.
        max_lag: frames.

    Returns:
        ``one`` (first seed), ``mean`` (mean of all seeds' curves) as `summary`; ``each_seed_r0`` and
        ``each_seed_r_at_offset`` pooled; ``per_group`` and ``per_clip`` with the same for each; ``offsets`` by clip;
        ``targets_met``.
    """
    names = [clip.name for clip in clips]
    as_they_are = {clip.name: clip.aperture for clip in clips}
    at_offset = aligned_apertures(clips, offsets or {})
    mean = {name: np.mean([sample[name] for sample in samples], axis=0) for name in names}
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(group_of(name), []).append(name)

    def correlations(curves: Mapping[str, np.ndarray], chosen: Sequence[str]) -> dict[str, Any]:
        return summary(*(pooled(curves, tracked, chosen, max_lag) for tracked in (as_they_are, at_offset)))

    def both(chosen: Sequence[str]) -> dict[str, Any]:
        return {"one": correlations(samples[0], chosen), "mean": correlations(mean, chosen)}

    result = both(names)
    seeds = [correlations(sample, names) for sample in samples]
    whole = result["mean"]
    return result | {
        "n_seeds": len(samples),
        "each_seed_r0": [seed["r0"] for seed in seeds],
        "each_seed_r_at_offset": [seed["r_at_offset"] for seed in seeds],
        "per_group": {group: both(members) for group, members in groups.items()},
        "per_clip": {name: both([name]) for name in names},
        "offsets": {name: asdict(offset) for name, offset in (offsets or {}).items()},
        "targets_met": {
            "mean_best_r_above_0.42": whole["best_r_at_offset"] > TARGET_R,
            "mean_r_at_offset_above_0.42": whole["r_at_offset"] > TARGET_R,
            "best_lag_0_to_3": whole["best_lag_at_offset"] in TARGET_LAGS,
        },
    }


def pooled(
    generated: Mapping[str, np.ndarray],
    tracked: Mapping[str, np.ndarray],
    names: Sequence[str],
    max_lag: int = MAX_LAG,
) -> LagCorrelation:
    """Correlate generated with tracked curves over the named clips."""
    return lag_correlation([generated[name] for name in names], [tracked[name] for name in names], max_lag)


def aligned_apertures(clips: Sequence[TrackedClip], offsets: Mapping[str, SoundOffset]) -> dict[str, np.ndarray]:
    """Return each clip's tracked aperture at the times of its sound, ``(T,)`` by name."""
    return {
        clip.name: shifted(clip.aperture, offsets[clip.name].seconds) if clip.name in offsets else clip.aperture
        for clip in clips
    }


def summary(as_it_is: LagCorrelation, at_offset: LagCorrelation) -> dict[str, Any]:
    """Return two correlations as plain values: of the files as they are, and at their own offsets."""
    return {
        "r0": as_it_is.r0,
        "best_lag": as_it_is.best_lag,
        "best_r": as_it_is.best_r,
        "r_at_lag": dict(zip(as_it_is.lags, as_it_is.r)),
        "r_at_offset": at_offset.r0,
        "best_lag_at_offset": at_offset.best_lag,
        "best_r_at_offset": at_offset.best_r,
    }


def linear_baseline(
    clips: Sequence[TrackedClip], offsets: Mapping[str, SoundOffset] | None = None
) -> dict[str, np.ndarray]:
    """Predict each clip's aperture at its own offset linearly from log-mels, fitted on the other clips.

    Returns:
        ``(T,)`` prediction by clip name: the baseline for speech-driven models.
    """
    features = {clip.name: speech_features(clip) for clip in clips}
    apertures = aligned_apertures(clips, offsets or {})
    baseline = {}
    for name in features:
        others = [other for other in features if other != name]
        weights = linear_map([features[other] for other in others], [apertures[other] for other in others])
        baseline[name] = features[name] @ weights
    return baseline


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as tables with a verdict."""
    n = result["n_seeds"]
    keys = [(kind, key) for kind in ("one", "mean") for key in ("r0", "r_at_offset", "best_lag_at_offset")]

    def row(name: str, offset: str, values: Mapping[str, Any]) -> list[Any]:
        return [name, offset, *(values[kind][key] for kind, key in keys)]

    groups = [
        row(f"all {group}_*", _mean_offset(result["offsets"], group), values)
        for group, values in result["per_group"].items()
    ]
    clips = [row(name, _offset(result["offsets"].get(name)), values) for name, values in result["per_clip"].items()]
    header = ["clip", "offset, ms", "one: r at lag 0", "r at offset", "best lag"]
    header += [f"mean of {n}: r at lag 0", "r at offset", "best lag"]
    seeds = (np.array(result[key]) for key in ("each_seed_r0", "each_seed_r_at_offset"))
    spread = [f"{each.mean():.3f} (lowest {each.min():.3f}, highest {each.max():.3f})" for each in seeds]
    lines = [
        table(header, [*clips, *groups, row("pooled", "", result)]),
        "",
        "Offset: time of the lips minus time of their sound; below 0 the lips come first. Best lag: in frames at 25 fps",
        "around that offset; above 0 the generated lips come later than the real ones. How each offset was found:",
        *(f"  {name}: {_found_by(offset)}" for name, offset in result["offsets"].items()),
        *result.get("notes", []),
        f"single samples, pooled: r at lag 0 {spread[0]}, r at offset {spread[1]}",
        "mean at lags -8..8: " + " ".join(f"{r:.2f}" for r in result["mean"]["r_at_lag"].values()),
    ]
    if "baseline" in result:
        baseline = result["baseline"]
        lines.append(
            f"linear baseline on these clips: r at lag 0 {baseline['r0']:.3f}, at offset {baseline['r_at_offset']:.3f}, "
            f"best lag {baseline['best_lag_at_offset']:+d}"
        )
    lines += [f"{name.replace('_', ' ')}: {verdict(met)}" for name, met in result["targets_met"].items()]
    if "with_transcripts" in result:
        lines += ["", *_comparison(result["with_transcripts"])]
    return "\n".join(lines)


def _comparison(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Lay out r at the offset without and with transcripts, for the same clips."""
    without, with_ = results["without"], results["with"]
    header = ["clip with a transcript", "one: without", "with", f"mean of {with_['n_seeds']}: without", "with"]

    def row(name: str, *pair: Mapping[str, Any]) -> list[Any]:
        return [name, *(values[kind]["r_at_offset"] for kind in ("one", "mean") for values in pair)]

    rows = [row(name, without["per_clip"][name], with_["per_clip"][name]) for name in with_["per_clip"]]
    gain = with_["mean"]["r_at_offset"] - without["mean"]["r_at_offset"]
    return [
        table(header, [*rows, row("pooled", without, with_)]),
        f"transcripts: r at offset {gain:+.3f} for the mean of {with_['n_seeds']}",
    ]


def evaluate(
    recordings: Path,
    generation: Generation,
    baseline: bool = True,
    head: str | None = None,
    transcripts: str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare generated lips with those of tracked faces.

    Args:
        recordings: folder of clips and tracks.
        generation: how motion is made for each clip.
        baseline: whether the linear map from log-mels is reported, too.
        head: head on which the lip gap is measured; None for the one that the motion is for.
        transcripts: None for speech alone; else clips with known words are also generated with them, and the result
            under ``with_transcripts`` compares both on these clips. The name of a GRID clip tells its words. Others
            come from files with the names of the clips in this folder, unless it is "names".
        progress: called after each clip.
    """
    clips = tracked_clips(recordings)
    words = {} if transcripts is None else known_words(recordings, clips, transcripts)
    gap_of = OWN_GAP if head is None else gap_on(head)
    generate = generation.load()
    phones, notes = known_phones(recordings, clips)
    offsets = sound_offsets(clips, phones)
    worded = [clip for clip in clips if clip.name in words]
    if words:  # first, because a model that takes none is refused there
        scripted = generated_apertures(
            generate, worded, generation.samples, gap_of, generation.style, progress, words=words
        )
    curves = generated_apertures(generate, clips, generation.samples, gap_of, generation.style, progress)
    result = compare(curves, clips, offsets) | {"generator": generation.generator, "notes": notes}
    if baseline:
        linear, names = linear_baseline(clips, offsets), [clip.name for clip in clips]
        tracked = ({clip.name: clip.aperture for clip in clips}, aligned_apertures(clips, offsets))
        result["baseline"] = summary(*(pooled(linear, apertures, names) for apertures in tracked))
    if words:
        result["with_transcripts"] = {
            "without": compare(curves, worded, offsets),
            "with": compare(scripted, worded, offsets),
        }
    return result


def known_words(recordings: Path, clips: Sequence[TrackedClip], folder: str) -> dict[str, TranscriptSource]:
    """Return the transcripts of clips by name: files of ``folder``, else the words that names of GRID clips tell.

    Raises:
        InputError: there is none.
    """
    words: dict[str, TranscriptSource] = {}
    for one in spoken_words(recordings, required=folder == NAMES):
        words[one.name] = Transcript(f"the words of {one.name}", (Phrase(one.words),))
    if folder != NAMES:
        with parsing(folder, "folder of transcripts"):
            paths = [path for path in sorted(Path(folder).iterdir()) if path.suffix.lower() in READERS]
        words |= {path.stem: read_transcript(path) for path in paths}
    names = [clip.name for clip in clips if clip.name in words]
    if not names:
        raise InputError(
            f"{recordings}: the words of no clip are known; name a folder of transcripts with --transcripts"
        )
    return {name: words[name] for name in names}


def known_phones(recordings: Path, clips: Sequence[TrackedClip]) -> tuple[dict[str, Phones], list[str]]:
    """Align the clips whose words are known.

    Returns:
        Phones by the clip's name; and notes on what could not be aligned.
    """
    names = {clip.name for clip in clips}
    try:
        speech_and_phones, left_out = aligned([one for one in spoken_words(recordings) if one.name in names])
    except DiffPoseTalkError as error:
        return {}, [f"Offsets are not fixed by closures: {error}"]
    notes = [f"No closures from {name}: {why}" for name, why in left_out.items()]
    if not speech_and_phones:
        notes.append("The words of no clip are known: offsets are relative to the mean of all groups of clips.")
    return {name: phones for name, (_, phones) in speech_and_phones.items()}, notes


def _offset(offset: Mapping[str, Any] | None) -> str:
    return "0" if offset is None else f"{1000 * offset['seconds']:+.0f}"


def _mean_offset(offsets: Mapping[str, Mapping[str, Any]], group: str) -> str:
    seconds = [offset["seconds"] for name, offset in offsets.items() if group_of(name) == group]
    return f"{1000 * np.mean(seconds):+.0f}" if seconds else "0"


def _found_by(offset: Mapping[str, Any]) -> str:
    """Say how an offset was found: "-35 ms +- 19, lag of its group (r 0.60 over 1 clip)"."""
    error = "" if offset["error_s"] is None else f" +- {1000 * offset['error_s']:.0f}"
    return f"{_offset(offset)} ms{error}, {METHODS[offset['method']]} ({offset['evidence']})"


def gap_on(head: str) -> Callable[[Motion], np.ndarray]:
    """Return a function of motion that gives the lip gap on the named head, ``(T,)`` metres."""
    from diffposetalk.head import load_head

    model = load_head(head)
    return lambda motion: mouth_gap(motion, model)
