"""Make a study from folders of videos."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.limits import read_bytes
from diffposetalk.files.parsing import parsing
from diffposetalk.progress import Progress
from diffposetalk.workshop.study.design import Balance, balance, enough_checks
from diffposetalk.workshop.study.making.encode import encode, encode_anchor
from diffposetalk.workshop.study.making.sources import Source, Sources, check_length, gather
from diffposetalk.workshop.study.making.write import write_study
from diffposetalk.workshop.study.plan import (
    ANCHOR,
    ANCHORS,
    FEWEST_CHECKS,
    FIVE,
    HUNDRED,
    LIPS,
    MOST_ON_PAGE,
    NATURAL,
    PAIRS,
    QUESTIONS,
    REFERENCE,
    SOUND_ANCHORS,
    STYLE,
    Study,
    Video,
)
from diffposetalk.workshop.study.study_file import name_of

LONGEST_CONSENT = 100_000
"""Most characters of a consent text."""
CONSENT_HELP = "the text that raters agree to: who asks, what for, how long, what is stored, and that one may stop"


@dataclass(frozen=True)
class StudyOptions:
    """What a study asks; see `Study` for the fields."""

    scale: str = PAIRS
    questions: tuple[str, ...] = (LIPS, NATURAL)
    sound: str = "on"
    anchor: str = "frozen"
    """Key of `ANCHORS`, or a folder of videos that must be judged worse than the reference."""
    ties: bool = True
    against: str | None = None
    raters: int = 24
    pages: int | None = None
    seed: int = 0
    title: str = "Talking heads"
    clips: tuple[str, ...] = field(default=())
    """Clips to use; empty: all."""


PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"scale": FIVE, "questions": (LIPS, STYLE, NATURAL), "sound": "on", "raters": 26},
    "pairs": {"scale": PAIRS, "questions": (LIPS, NATURAL), "sound": "on"},
    "mushra": {"scale": HUNDRED, "questions": QUESTIONS, "sound": "on"},
}
"""Name -> options. `paper`: 26 people rate lip sync, style likeness and naturalness from 1 to 5."""


@dataclass(frozen=True)
class Made:
    """What `make_study` wrote."""

    path: Path
    study: Study
    balance: Balance


def read_consent(path: str | Path | None) -> str:
    """Read the consent text.

    Raises:
        UsageError: no file is named, or it is empty.
        InputError: the file cannot be read, or is no text.
    """
    if path is None:
        raise UsageError(f"a study needs a consent text: --consent FILE ({CONSENT_HELP})")
    with parsing(path, "consent text"):
        text = read_bytes(path, "consent text").decode("utf-8-sig").replace("\r\n", "\n").strip()
    if not text:
        raise UsageError(f"{path}: the consent text is empty; write {CONSENT_HELP}")
    if len(text) > LONGEST_CONSENT:
        raise InputError(f"{path}: a consent text has at most {LONGEST_CONSENT} characters, this one {len(text)}")
    return text


def make_study(
    reference: str | Path,
    systems: Mapping[str, str | Path],
    consent: str,
    output: Path,
    options: StudyOptions,
    style_reference: str | Path | None = None,
    strings: dict[str, str] | None = None,
    progress: Progress | None = None,
) -> Made:
    """Encode the videos of all systems and write the study file.

    Args:
        reference: folder of the real recordings.
        systems: name -> folder of its videos, which have the names of the reference's.
        consent: text that raters agree to.
        output: `.pyz` file to write.
        options: what is asked.
        style_reference: folder of videos that show each clip's speaker elsewhere; None: the reference itself.
        strings: texts that replace the page's English ones.
        progress: reports the videos.

    Raises:
        UsageError: the options contradict each other.
        InputError: the videos cannot be used; see `gather`.
    """
    _check(options, systems, style_reference)
    made_anchor = options.anchor in ANCHORS
    folders = {REFERENCE: reference, **systems} | ({} if made_anchor else {ANCHOR: options.anchor})
    sources = gather(folders, options.clips, options.sound != "off", progress)
    clips = tuple(sources[REFERENCE])
    shown = _style_sources(style_reference, clips)
    if options.anchor == "other-sound" and len(clips) < 2:
        raise UsageError("--anchor other-sound needs at least two clips; use frozen or shifted")
    with tempfile.TemporaryDirectory(prefix="diffposetalk-study-") as folder:
        shelf = _Shelf(Path(folder), len(clips) * (len(folders) + made_anchor) + len(shown), progress)
        videos: dict[str, dict[str, Video]] = {}
        for number, clip in enumerate(clips):
            videos[clip] = {name: shelf.add(sources[name][clip]) for name in folders}
            for name, video in videos[clip].items():
                check_length(sources[name][clip], video.seconds, videos[clip][REFERENCE].seconds)
            if made_anchor:
                other = sources[REFERENCE][clips[(number + 1) % len(clips)]]
                videos[clip][ANCHOR] = shelf.add_anchor(options.anchor, sources[REFERENCE][clip], other)
        study = Study(
            title=options.title,
            consent=consent,
            scale=options.scale,
            questions=options.questions,
            systems=tuple(systems),
            clips=clips,
            videos=videos,
            anchor=options.anchor if made_anchor else "given",
            sound=options.sound,
            ties=options.ties,
            against=options.against,
            raters=options.raters,
            pages=options.pages,
            seed=options.seed,
            style_videos={clip: shelf.add(source) for clip, source in shown.items()} or None,
            strings=strings or None,
        )
        if not enough_checks(study):
            raise UsageError(
                f"some of {study.raters} raters would not see the reference and {FEWEST_CHECKS} checks against the "
                "anchor, so that careless raters could not be told; use more clips, or more --pages"
            )
        write_study(study, shelf.files, output)
    return Made(output, study, balance(study))


def _check(options: StudyOptions, systems: Mapping[str, object], style_reference: object) -> None:
    """Refuse options that contradict each other."""
    if not systems:
        raise UsageError("name at least one system: --system NAME=FOLDER")
    if not options.questions:
        raise UsageError("--questions names no question")
    repeated = [question for question in options.questions if options.questions.count(question) > 1]
    if repeated:
        raise UsageError(f"--questions names {repeated[0]!r} twice")
    if options.sound == "off" and LIPS in options.questions:
        raise UsageError("--sound off: lip sync cannot be judged without sound; leave out lips from --questions")
    if options.anchor in SOUND_ANCHORS and LIPS not in options.questions:
        raise UsageError(f"--anchor {options.anchor} is wrong in lip sync only, which is not asked; use frozen")
    if options.scale == HUNDRED and len(systems) + 2 > MOST_ON_PAGE:
        raise UsageError(f"0-100 rates all systems on one page, at most {MOST_ON_PAGE - 2}; use pairs or 1-5")
    if options.against is not None and options.scale != PAIRS:
        raise UsageError("--against is for pairs")
    if options.against is not None and options.against not in (*systems, REFERENCE):
        raise UsageError(f"--against {options.against}: no such system; known: {', '.join((*systems, REFERENCE))}")
    if style_reference is not None and STYLE not in options.questions:
        raise UsageError("--style-reference is for the question style, which is not asked")
    if options.anchor not in ANCHORS and not os.path.isdir(options.anchor):
        raise UsageError(f"--anchor {options.anchor}: write {', '.join(ANCHORS)}, or name a folder of videos")


def _style_sources(folder: str | Path | None, clips: tuple[str, ...]) -> dict[str, Source]:
    """Return the videos that show each clip's speaker elsewhere."""
    if folder is None:
        return {}
    sources: Sources = gather({REFERENCE: folder}, clips, needs_sound=False)
    return sources[REFERENCE]


class _Shelf:
    """Encoded videos of a study in a temporary folder; equal files are there once."""

    def __init__(self, folder: Path, total: int, progress: Progress | None) -> None:
        self.files: dict[str, Path] = {}
        """Name in the study file -> encoded video."""
        self._folder = folder
        self._total = total
        self._progress = progress
        self._n_done = 0

    def add(self, source: Source) -> Video:
        """Encode one video."""
        fresh = self._folder / "new.mp4"
        return self._keep(fresh, source, encode(source, fresh))

    def add_anchor(self, kind: str, source: Source, other: Source) -> Video:
        """Make and encode an anchor."""
        fresh = self._folder / "new.mp4"
        return self._keep(fresh, source, encode_anchor(kind, source, other, fresh))

    def _keep(self, fresh: Path, source: Source, seconds: float) -> Video:
        with fresh.open("rb") as file:
            video = Video(hashlib.file_digest(file, "sha256").hexdigest(), source.sha256, round(seconds, 3))
        place = self._folder / f"{video.sha256}.mp4"
        shutil.move(fresh, place)
        self.files[name_of(video)] = place
        self._n_done += 1
        if self._progress is not None:
            self._progress(self._n_done, self._total, "encoding")
        return video


def summary(made: Made) -> dict[str, Any]:
    """Return what `--json` prints of a study."""
    study = made.study
    return {
        "output": str(made.path),
        "study": study.identity(),
        "scale": study.scale,
        "questions": study.questions,
        "systems": study.systems,
        "clips": study.clips,
        "raters": study.raters,
        "balance": asdict(made.balance),
        "videos": {clip: {name: asdict(video) for name, video in row.items()} for clip, row in study.videos.items()},
    }
