"""One video -> clips for training, and the reasons why the other parts were rejected."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.data.clip import Clip
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.media import probe
from diffposetalk.metrics.timing.sound_offset import Lag, combined_lag
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.track.limits import limit_on
from diffposetalk.workshop.footage.manifest import Finding, rejected
from diffposetalk.workshop.footage.options import LONGEST_PIECE_S, CutOptions
from diffposetalk.workshop.footage.smooth import savgol, smoothed
from diffposetalk.workshop.footage.stretches import Span, between, divided, grown, joined, within
from diffposetalk.workshop.footage.sync import WORTH_CORRECTING, measure_lag
from diffposetalk.workshop.footage.verdict import assess_stretch, sound_rejection
from diffposetalk.workshop.footage.voice import SoundQuality, measure_sound

if TYPE_CHECKING:
    from diffposetalk.track import Track
    from diffposetalk.track.follow import FollowedFace
    from diffposetalk.track.model import LandmarkModel

FPS = 25.0
"""Frames per second of the motion."""
LONGEST_VIDEO_S = 4 * 3600.0
KEPT_AROUND_S = 0.5
"""Silence that a clip keeps before and after the voice, seconds."""
LEAST_VOICE = 0.5
"""Smallest share of voice in a clip that is extended into the silence around it to reach the shortest length."""
MOST_LAG_S = 0.7
"""Largest audio-video offset, seconds."""
LAG_FROM_S = 120.0
"""Most seconds of speech that are used to measure a video's audio-video offset."""


@dataclass(frozen=True)
class Cut:
    """Result for a video."""

    findings: tuple[Finding, ...]
    """The finding of the video, then those of its takes; each take is followed by its stretches and clips in order of time."""
    clips: tuple[Clip, ...] = field(default=(), repr=False)
    """One for each finding of a clip, in order; speaker and name are "?" until the clip is added to a data set."""


@dataclass(frozen=True)
class _Piece:
    """A stretch of a take that was fitted in one go."""

    take: int
    first: int
    """Of the video's frames."""
    track: Track
    gaps: tuple[Span, ...]
    """Pauses of the speech in picture time, before the lag is corrected."""

    @property
    def span(self) -> Span:
        return self.track.start_s, self.track.start_s + self.track.motion.duration


def check_installed(options: CutOptions) -> None:
    """Check that all packages and model files are there, so that their absence is not reported as a fault of the videos.

    Raises:
        InputError: MediaPipe or its model file is missing.
        DiffPoseTalkError: another package is missing.
        ModelError: the head cannot be fitted.
    """
    from diffposetalk.track.detection import open_finder

    with open_finder(options.landmarker) as finder:
        finder.find(np.zeros((64, 64, 3), np.uint8), 0.0)
    _landmark_model(options.head)
    measure_sound(Speech(np.zeros(SAMPLE_RATE, np.float32)))
    if options.smooth == "savgol":
        savgol(np.zeros((10, 1), np.float32), 5)


def cut(video: str | Path, options: CutOptions | None = None) -> Cut:
    """Find the clips of a video in which one face is clearly visible and its voice is audible.

    The result depends on the file and the options alone.

    Args:
        video: any file.
        options: requirements of a clip.

    Returns:
        Clips and findings; a file that cannot be read is a finding, too.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=DiffPoseTalkWarning)
        result = _cut(Path(video), options or CutOptions())
    if not caught:
        return result
    notes = dict.fromkeys(_plain(str(warning.message), video) for warning in caught)
    first = result.findings[0]
    return replace(result, findings=(replace(first, notes=(*first.notes, *notes)), *result.findings[1:]))


def _cut(video: Path, options: CutOptions) -> Cut:
    from diffposetalk.track.follow import NoFaceError, follow_main_face

    try:
        info = probe(video)
    except InputError as error:
        return _nothing("damaged", _plain(error, video))
    facts: dict[str, Any] = {"fps": info.fps, "width": info.width, "height": info.height}
    span = (0.0, info.duration) if info.duration else ()

    def refused(reason: str, why: str) -> Cut:
        return Cut((rejected("video", reason, why, *span, **facts),))

    if info.video_codec is None:
        return refused("no picture", "has no moving pictures")
    if info.audio_codec is None:
        return refused("no sound", "has no sound track")
    if info.duration is not None and info.duration > LONGEST_VIDEO_S:
        return refused("too long", f"lasts {info.duration / 3600:.1f} h; cut it into parts of at most 4 h first")
    if info.duration is not None and info.duration < options.shortest_s:
        return refused("too short", f"lasts {info.duration:.1f} s; clips begin at {options.shortest_s:g} s")
    if info.fps is not None and limit_on("fps").exceeded(info.fps, options.least_fps):
        return refused("few frames", limit_on("fps").text(info.fps, options.least_fps))
    try:
        sound = Speech.load(video)
    except InputError as error:
        return refused("damaged", _plain(error, video))
    sound_quality = measure_sound(sound)
    facts |= {
        "level_db": sound_quality.level_db,
        "speech_share": sound_quality.speech_share,
        "music_share": sound_quality.music_share,
    }
    if not sound_quality.spans:
        return refused(*sound_rejection(sound_quality))
    try:
        followed = follow_main_face(video, options.landmarker)
    except NoFaceError:
        return refused("no face", "shows no face")
    except InputError as error:
        return refused("damaged", _plain(error, video).partition(";")[0])
    return _cut_followed(followed, sound, sound_quality, facts, options)


def _cut_followed(
    followed: FollowedFace, sound: Speech, sound_quality: SoundQuality, facts: dict[str, Any], options: CutOptions
) -> Cut:
    """Fit the takes, measure the audio-video offset over all of them, and cut them where somebody speaks."""
    face = followed.face
    takes = [(face.times[a], face.times[b - 1] + 1 / face.fps, a, b) for a, b in followed.takes()]
    pieces: list[_Piece] = []
    refused_takes: dict[int, Finding] = {}
    for index, (start, end, first, stop) in enumerate(takes):
        voice = within(sound_quality.spans, start - MOST_LAG_S, end + MOST_LAG_S)
        if end - start < options.shortest_s or stop - first < 5:
            why = (
                f"only {end - start:.1f} s between cuts or losses of the face; clips begin at {options.shortest_s:g} s"
            )
            refused_takes[index] = rejected("take", "too short", why, start, end)
        elif not voice:
            refused_takes[index] = rejected("take", "silence", "nobody speaks", start, end)
        else:
            pieces += _fitted(followed, index, (start, end), sound_quality.spans, options)
    lag = _lag(pieces, sound) if options.correct_lag else Lag(0.0, 0.0, False)
    shift = lag.seconds if lag.known and abs(lag.seconds) >= WORTH_CORRECTING else 0.0
    spoken = [(a - shift, b - shift) for a, b in sound_quality.spans]

    findings: list[Finding] = []
    clips: list[Clip] = []
    for index, (start, end, _first, _stop) in enumerate(takes):
        if index in refused_takes:
            findings.append(refused_takes[index])
            continue
        parts: list[tuple[Finding, Clip | None]] = []
        for piece in pieces:
            if piece.take == index:
                parts += _of_piece(piece, followed, sound, spoken, shift, options)
        good = [clip for _, clip in parts if clip is not None]
        numbers = {"clips": len(good)}
        if good:
            findings.append(Finding("take", "used", start, end, numbers=numbers))
        else:
            reason, why = _commonest([finding for finding, _ in parts])
            findings.append(rejected("take", reason, why, start, end, **numbers))
        findings += [finding for finding, _ in parts]
        clips += good
    findings += _losses(followed)
    if pieces and options.correct_lag:
        facts |= {"lag_s": lag.seconds if lag.known else None, "lag_confidence": lag.confidence, "shifted_s": shift}
    facts |= {"clips": len(clips), "used_s": float(sum(clip.duration for clip in clips))}
    facts = {name: value for name, value in facts.items() if value is not None}
    notes = tuple(_notes(followed, lag if clips else None, shift, options))
    span = (0.0, float(face.times[-1] + 1 / face.fps))
    if clips:
        return Cut((Finding("video", "used", *span, notes=notes, numbers=facts), *findings), tuple(clips))
    reason, why = _commonest([finding for finding in findings if finding.kind == "take"])
    return Cut((Finding("video", "rejected", *span, reason, why, notes, facts), *findings))


def _fitted(
    followed: FollowedFace, take: int, span: Span, spoken: tuple[Span, ...], options: CutOptions
) -> list[_Piece]:
    """Fit a take in pieces of up to `LONGEST_PIECE_S`; leave out pieces without speech."""
    from diffposetalk.track.camera import Pinhole
    from diffposetalk.track.result import of_landmarks

    model = _landmark_model(options.head)
    camera = Pinhole.of_size(followed.face.size, options.field_of_view)
    times, pieces = followed.face.times, []
    gaps = between(within(spoken, *span), *span)
    for start, end in divided(span, gaps, options.shortest_s, LONGEST_PIECE_S):
        if not within(spoken, start - MOST_LAG_S, end + MOST_LAG_S):
            continue
        frames = np.flatnonzero(followed.face.detected & (times >= start - 1e-6) & (times < end - 1e-6))
        if len(frames) < 5:
            continue
        face = followed.face.slice(frames[0], frames[-1] + 1)
        pieces.append(_Piece(take, int(frames[0]), of_landmarks(face, model, camera, FPS), tuple(gaps)))
    return pieces


def _lag(pieces: list[_Piece], sound: Speech) -> Lag:
    """Measure the audio-video offset of a whole video."""
    lags: list[Lag] = []
    seconds = 0.0
    for piece in pieces:
        start, end = piece.span
        if start < sound.duration - 1 and seconds < LAG_FROM_S:
            lags.append(measure_lag(piece.track.motion, sound.slice(start, end).padded(end - start)))
            seconds += end - start
    return combined_lag(lags) if lags else Lag(0.0, 0.0, False)


def _of_piece(
    piece: _Piece, followed: FollowedFace, sound: Speech, spoken: list[Span], shift: float, options: CutOptions
) -> list[tuple[Finding, Clip | None]]:
    """Cut a piece where somebody speaks.

    `spoken` is in picture time. The sound of a picture at time t is at ``t + shift`` seconds of the sound track.
    """
    start, end = piece.span
    sound_from, sound_to = max(start, -shift), min(end, sound.duration - shift)
    parts: list[tuple[Finding, Clip | None]] = []
    for a, b in between([(sound_from, sound_to)] if sound_to > sound_from else [], start, end):
        if b - a > 2 / FPS:
            parts.append(
                (rejected("stretch", "no sound", "the sound does not last as long as the picture", a, b), None)
            )
    voice = within(spoken, sound_from, sound_to)
    whole = joined(voice, options.pause_s, KEPT_AROUND_S, sound_from, sound_to)
    shortest = min(options.shortest_s + 2 / FPS, options.longest_s / 2)  # up to a frame at either end is lost
    whole = grown(whole, shortest, LEAST_VOICE * options.shortest_s, sound_from, sound_to)
    for a, b in between(whole, sound_from, sound_to):
        if b - a > 2 / FPS:
            parts.append((rejected("stretch", "silence", "nobody speaks", a, b), None))
    motion = smoothed(piece.track.motion) if options.smooth == "savgol" else piece.track.motion
    gaps = between(voice, sound_from, sound_to)
    for stretch in whole:
        for a, b in divided(stretch, gaps, shortest, options.longest_s):
            first, stop = ceil((a - start) * FPS - 1e-6), min(len(motion), floor((b - start) * FPS + 1e-6))
            if (stop - first) / FPS < options.shortest_s:
                why = f"{b - a:.1f} s of speech; clips begin at {options.shortest_s:g} s"
                parts.append((rejected("stretch", "too short", why, a, b), None))
                continue
            part = motion.slice(first, stop)
            at = start + first / FPS
            speech = sound.slice(at + shift, at + shift + part.duration).padded(part.duration)
            finding = _assessed(piece, followed, speech, (at, at + part.duration), options)
            clip = None
            if finding.status == "used":
                clip = Clip(speech, part, piece.track.identity, "?", "?")
                finding = replace(finding, kind="clip")
            parts.append((finding, clip))
    return sorted(parts, key=lambda each: each[0].start_s or 0.0)


def _assessed(piece: _Piece, followed: FollowedFace, speech: Speech, span: Span, options: CutOptions) -> Finding:
    """Decide whether a stretch of a piece is good enough for a clip."""
    first, stop = (int(np.searchsorted(piece.track.face.times, edge - 1e-6)) for edge in span)
    fit = piece.track.fit
    fit = replace(fit, pose=fit.pose.pick(slice(first, stop)), weights=fit.weights[first:stop])
    first, stop = first + piece.first, stop + piece.first
    return assess_stretch(followed.face.slice(first, stop), fit, followed.sharpness[first:stop], speech, span, options)


def _losses(followed: FollowedFace) -> list[Finding]:
    """Return a finding for each stretch between takes in which no face is visible."""
    times, step = followed.face.times, 1 / followed.face.fps
    spans = [(float(times[a]), float(times[b - 1] + step)) for a, b in followed.takes()]
    gaps = between(spans, float(times[0]), float(times[-1] + step))
    return [rejected("stretch", "no face", "no face is seen", a, b) for a, b in gaps if b - a > 1.5 * step]


def _notes(followed: FollowedFace, lag: Lag | None, shift: float, options: CutOptions) -> Iterator[str]:
    """Yield remarks about a video: other faces, cuts and, if `lag` is given, the audio-video offset."""
    if followed.others:
        spans = [f"{each.start_s:.1f}-{each.end_s:.1f} s" for each in followed.others]
        more = f" and {len(spans) - 4} more" if len(spans) > 4 else ""
        yield f"other faces were seen ({', '.join(spans[:4])}{more}); the main one was followed"
    if followed.cuts:
        yield "1 cut" if len(followed.cuts) == 1 else f"{len(followed.cuts)} cuts"
    if lag is None:
        return
    if not options.correct_lag:
        yield "the audio-video offset was not measured"
    elif not lag.known:
        yield "the audio-video offset could not be measured from the lips; the sound was not shifted"
        if followed.others:
            yield "so it is not certain that the main face is the one that speaks"
    elif shift:
        yield f"the sound was {abs(shift):.2f} s {'late' if shift > 0 else 'early'}; it was shifted"


def _commonest(findings: list[Finding]) -> tuple[str, str]:
    """Return the reason with the largest total duration, and the sentence of its longest finding."""
    seconds: dict[str, float] = {}
    for finding in findings:
        if finding.status == "rejected":
            seconds[finding.reason] = seconds.get(finding.reason, 0.0) + finding.seconds
    if not seconds:
        return "silence", "nobody speaks while the face is seen"
    most = max(seconds, key=lambda reason: seconds[reason])
    longest = max((finding for finding in findings if finding.reason == most), key=lambda finding: finding.seconds)
    return most, longest.why


def _nothing(reason: str, why: str) -> Cut:
    return Cut((rejected("video", reason, why),))


def _plain(message: str | Exception, video: str | Path) -> str:
    """Return a message without the file name, which has its own field in the manifest."""
    return str(message).removeprefix(f"{video}: ")


@cache
def _landmark_model(head: str) -> LandmarkModel:
    from diffposetalk.head import load_head
    from diffposetalk.track.model import LandmarkModel

    return LandmarkModel.of_head(load_head(head))
