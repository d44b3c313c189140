"""Make training data: synthesised or recorded speech with phone times, and face and head motion for it.

The same seed and voices make the same corpus. A run that was stopped continues when it is started again.

  diffposetalk corpus corpus --hours 2
  diffposetalk corpus corpus --hours 2 --recordings LibriSpeech/dev-clean --recordings mine
  diffposetalk corpus --fit teacher.safetensors --recordings LibriSpeech/dev-clean --footage filmed
  diffposetalk corpus corpus --hours 2 --recordings LibriSpeech/dev-clean --teacher teacher.safetensors
  diffposetalk corpus corpus --report corpus.html
  diffposetalk corpus --voices
  diffposetalk corpus --voices flite
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console
    from diffposetalk.speech.whisper import WhisperEncoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    writes(parser.add_argument("folder", metavar="FOLDER", nargs="?", help="folder of the corpus; made if absent"))
    parser.add_argument(
        "--hours",
        type=values.number(0.001, 1000),
        metavar="H",
        help="hours of speech to synthesise (default: 1; with --recordings: none)",
    )
    reads(
        parser.add_argument(
            "--recordings",
            action="append",
            default=[],
            metavar="FOLDER",
            help="recorded speech of people with its text; may be repeated (docs/training.md names the layouts)",
        )
    )
    writes(
        parser.add_argument(
            "--fit",
            metavar="TEACHER",
            help="fit a teacher to --recordings (phones) and --footage (the lip gap) and write it; makes no corpus",
        )
    )
    reads(
        parser.add_argument(
            "--footage",
            action="append",
            default=[],
            metavar="FOLDER",
            help="with --fit: videos of one person, tracked by `diffposetalk track`; may be repeated (docs/training.md)",
        )
    )
    reads(
        parser.add_argument(
            "--teacher",
            metavar="TEACHER",
            help="teacher that listens to all speech; with it, recordings of every language and without text are used",
        )
    )
    reads(
        parser.add_argument(
            "--whisper",
            metavar="FOLDER",
            help="with --fit or --teacher: Whisper model for faster-whisper (default: the installed packages of Whisper base)",
        )
    )
    parser.add_argument(
        "--seed",
        type=values.whole(),
        default=0,
        metavar="N",
        help="random seed (default: 0)",
    )
    parser.add_argument("--jobs", type=values.whole(1, 256), metavar="N", help="processes (default: one per core)")
    parser.add_argument("--speech-only", action="store_true", help="synthesise speech alone, without motion")
    parser.add_argument("--motion-anew", action="store_true", help="make the motion again, keep the speech")
    writes(
        parser.add_argument(
            "--report",
            metavar="PATH",
            help="write a page with plots and videos of the corpus (.html, or a folder); without --hours, --speech-only and "
            "--motion-anew it only describes an existing corpus",
        )
    )
    parser.add_argument(
        "--voices",
        nargs="?",
        const="",
        metavar="LANGUAGE|ENGINE",
        help="count the installed voices by language and engine, or list those of one language or engine; makes no corpus",
    )


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Build the corpus, or list the voices; return the result for `--json`."""
    if args.voices is not None:
        return _voices(args.voices, console)
    if args.fit is not None:
        return _fit(args, console)
    if args.footage:
        raise UsageError("--footage is for fitting a teacher: name its file with --fit")
    if args.whisper and not args.teacher:
        raise UsageError("--whisper needs --teacher or --fit")
    if args.folder is None:
        raise UsageError("name a folder for the corpus: diffposetalk corpus FOLDER --hours H")
    if args.speech_only and args.motion_anew:
        raise UsageError("--speech-only and --motion-anew contradict each other")

    if args.report is not None:
        from diffposetalk.workshop.corpus.report import page_path

        page_path(args.report)
    result: dict[str, Any] = {"folder": args.folder}
    if args.report is None or args.hours is not None or args.recordings or args.speech_only or args.motion_anew:
        result = _build(args, console)
    if args.report is not None:
        result["report"] = _report(args, console)
    return result


def _voices(word: str, console: Console) -> dict[str, Any]:
    """Count or list the installed voices; `--json` always lists them."""
    from diffposetalk.workshop.corpus.voices import list_voices

    voices = list_voices()
    languages, engines = (sorted({getattr(voice, kind) for voice in voices}) for kind in ("language", "engine"))
    chosen = [voice for voice in voices if word in ("", voice.language, voice.engine)]
    if not chosen:
        known = f"languages: {', '.join(languages)}; engines: {', '.join(engines)}"
        raise UsageError(f"--voices {word}: no voice of this language or engine is installed; {known}")
    if word:
        console.table(
            [("voice", "language", "engine"), *((voice.name, voice.language, voice.engine) for voice in chosen)]
        )
    else:
        counts = Counter((voice.language, voice.engine) for voice in voices)
        rows = [(language, *(str(counts[language, engine] or "") for engine in engines)) for language in languages]
        totals = ("all", *(str(sum(voice.engine == engine for voice in voices)) for engine in engines))
        console.table([("language", *engines), *rows, totals])
    return {"voices": [{"name": voice.name, "language": voice.language, "engine": voice.engine} for voice in chosen]}


def _fit(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Fit a teacher and write it."""
    from diffposetalk.workshop.corpus.teacher.fit import fit_teacher

    if args.folder is not None:
        raise UsageError("--fit makes no corpus: leave out the folder")
    if not args.recordings or not args.footage:
        raise UsageError("--fit needs --recordings (speech with text) and --footage (tracked videos)")
    recordings, footage = ([Path(folder) for folder in folders] for folders in (args.recordings, args.footage))
    with console.progress("listening", "recordings") as progress:
        teacher, figures = fit_teacher(recordings, footage, _whisper(args), progress)
    teacher.save(Path(args.fit))
    console.say(f"{args.fit}: on speakers kept aside " + ", ".join(f"{k} {v:.2f}" for k, v in figures.items()))
    return {"teacher": args.fit, "figures": figures}


def _whisper(args: argparse.Namespace) -> WhisperEncoder:
    """Load the Whisper model that the arguments name."""
    from diffposetalk.speech.whisper import WhisperEncoder, whisper_folder

    return WhisperEncoder(whisper_folder(args.whisper), args.jobs or os.cpu_count() or 1)


def _build(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.workshop.corpus.build import build_corpus
    from diffposetalk.workshop.corpus.teacher.teacher import Ear, Teacher

    ear = Ear(_whisper(args), Teacher.load(Path(args.teacher))) if args.teacher else None
    with console.progress("speaking", "speakers") as progress:
        corpus = build_corpus(
            args.folder,
            hours=args.hours or (0.0 if args.recordings else 1.0),
            seed=args.seed,
            jobs=args.jobs,
            motion=not args.speech_only,
            remotion=args.motion_anew,
            progress=progress,
            recordings=args.recordings,
            ear=ear,
        )
    console.say(f"{corpus.folder}: {corpus.hours:.2f} h, {corpus.clips} clips, {corpus.speakers} speakers")
    if corpus.failed:
        console.warn(f"{len(corpus.failed)} speakers could not be made: {', '.join(corpus.failed[:5])}")
    for reason, count in sorted(corpus.left_out.items(), key=lambda item: -item[1]):
        console.say(f"left out {count} recordings: {reason}")
    return asdict(corpus)


def _report(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    from diffposetalk.workshop.corpus.report import write_report

    with console.progress("measuring") as progress:
        report = write_report(args.folder, args.report, progress=progress)
    for check in report.checks:
        if not check.good:
            console.say(f"{check.what}: {check.value} (expected: {check.expected})")
    for note in report.notes:
        console.warn(note)
    console.say(f"{report.page}: {sum(check.good for check in report.checks)} of {len(report.checks)} checks hold")
    return asdict(report)
