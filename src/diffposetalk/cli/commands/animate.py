"""Turn speech into a talking head: video (.mp4), motion (.npz), files for other software, or all of them.

diffposetalk animate talk.wav -o talk.mp4
diffposetalk animate talk.wav --style lively --seed 7 -o talk.mp4 -o talk.npz -o talk.glb -o talk.csv
diffposetalk animate talk.wav --transcript talk.txt -o talk.mp4
diffposetalk animate a.wav b.wav more/ -o out/ --format mp4,npz
diffposetalk animate more/ -o out/ --format mp4,npz --resume
"""

from __future__ import annotations

import argparse
import time
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import batch, outputs, picture, values
from diffposetalk.cli.files import declares, reads
from diffposetalk.cli.option_help import help_of
from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.generate.options import SamplingOptions

if TYPE_CHECKING:
    from pathlib import Path

    from diffposetalk.cli.console import Console
    from diffposetalk.motion import Motion
    from diffposetalk.speech import SpeechFile

SAMPLING: dict[str, dict[str, Any]] = {
    "seed": {"type": values.whole(), "metavar": "N"},
    "sampler": {"choices": ("dpmpp", "ddim", "ddpm")},
    "steps": {"type": values.whole(1, 100_000), "metavar": "N"},
    "guidance": {"choices": ("incremental", "independent")},
    "speech_scale": {"type": values.number(0), "metavar": "X"},
    "style_scale": {"type": values.number(0), "metavar": "X"},
    "threshold": {"type": values.threshold, "metavar": "R,LOW,HIGH"},
    "head_scale": {"type": values.number(0), "metavar": "X"},
    "expression_scale": {"type": values.number(0), "metavar": "X"},
    "non_speech": {"choices": ("move", "rest")},
}
"""Field of `SamplingOptions` -> arguments of `add_argument` for its option."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("speech", metavar="SPEECH", nargs="+", help="sound or video files, or folders of them"))
    outputs.add_arguments(parser)
    declares(
        parser.add_argument(
            "--contact-sheet",
            metavar="PNG",
            help="also write a contact sheet: frames from the whole video in one picture",
        )
    )
    reads(
        parser.add_argument(
            "--style",
            metavar="NAME|FILE",
            help="speaking style: a preset, a style file, a motion file, or a video of a person who talks (default: neutral)",
        )
    )
    reads(
        parser.add_argument(
            "--landmarker",
            metavar="FILE",
            help="face model of MediaPipe, to track a video as style",
        )
    )
    reads(
        parser.add_argument(
            "--transcript",
            metavar="FILE",
            help="what is said, for closer lips: .txt (English), .srt, .vtt, .TextGrid, .lab, .align or .json; "
            "for several sounds, a folder of such files with the names of the sounds",
        )
    )
    parser.add_argument(
        "--samples", type=values.whole(1, 1000), default=1, metavar="N", help="number of different results (default: 1)"
    )
    reads(
        parser.add_argument(
            "--model",
            default="lite",
            metavar="NAME|FILE",
            help="model: lite, base (hears by Whisper), or a file (default: lite)",
        )
    )
    reads(
        parser.add_argument(
            "--whisper",
            metavar="FOLDER",
            help="with --model base: Whisper base for faster-whisper (default: the installed packages of Whisper base)",
        )
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="with several sounds: go on after an interruption; sounds whose files are all there are left out",
    )
    parser.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda, cuda:1 or mps (default: cpu)")
    parser.add_argument(
        "--max-hours", type=values.number(0.001), default=4.0, metavar="H", help="longest speech (default: 4)"
    )
    sampling = parser.add_argument_group("sampling")
    for name, arguments in SAMPLING.items():
        sampling.add_argument(f"--{name.replace('_', '-')}", help=help_of(SamplingOptions, name), **arguments)
    sampling.add_argument(
        "--compat", action="store_true", help="treat long speech as the authors' demo does (converted weights only)"
    )
    picture.add_arguments(parser)


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Generate and write all outputs; return the result for `--json`."""
    sheet = values.outputs([args.contact_sheet], (".png",)) if args.contact_sheet else []
    jobs = batch.jobs(args, tuple(sheet))
    if args.compat and args.transcript is not None:
        raise UsageError("--compat does as the authors' demo, which takes no transcript; leave out --transcript")
    transcripts = [
        transcript_of(args, job.speech) for job in jobs
    ]  # a missing one is refused before the model is loaded
    if transcripts[0] is not None and not batch.has_several(args):
        from diffposetalk.speech.transcript import read_transcript

        read_transcript(transcripts[0])  # so is a bad one
    options = sampling_options(args)
    if not batch.has_several(args):
        speech = _speech(jobs[0].speech, args)  # bad speech is refused before the model is loaded
        return Animator(args, options, console, jobs).animate(speech, jobs[0].outputs)

    skipped = [job for job in jobs if args.resume and job.outputs.are_there(args.samples)]
    jobs = [job for job in jobs if job not in skipped]
    if skipped:
        console.say(f"{len(skipped)} sounds are done already")
    names = {"skipped": [str(job.speech) for job in skipped]} if args.resume else {}
    if not jobs:
        return {"results": [], "errors": [], **names, "exit_code": 0}
    animator = Animator(args, options, console, jobs)
    results: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for job in jobs:
        try:
            results.append({"speech": str(job.speech)} | animator.animate(_speech(job.speech, args), job.outputs))
        except DiffPoseTalkError as error:
            errors.append({"speech": str(job.speech), "error": str(error)})
    for failure in errors:
        console.complain(failure["error"])
    if errors:
        console.complain(f"{len(errors)} of {len(jobs)} sounds failed; the others are written")
    return {"results": results, "errors": errors, **names, "exit_code": 1 if errors else 0}


def _speech(path: Path, args: argparse.Namespace) -> SpeechFile:
    from diffposetalk.speech import SpeechFile

    return SpeechFile(path, max_duration=args.max_hours * 3600)


class Animator:
    """Model, style and head of one command line: loaded once, used for every sound."""

    def __init__(
        self, args: argparse.Namespace, options: SamplingOptions, console: Console, jobs: list[batch.Job]
    ) -> None:
        """Load everything that can fail, before the work."""
        from diffposetalk.generate.talker import Talker

        self.args, self.options, self.console = args, options, console
        self.renderer = picture.Picture(args, console)
        self.talker = Talker.from_pretrained(args.model, args.device, args.whisper)
        with console.progress("tracking", "s") as progress:
            self.style = self.talker.style(args.style, head=args.head, landmarker=args.landmarker, progress=progress)
        if any(job.outputs.rendered for job in jobs):
            self.renderer.head_for(self.talker.space.head)

    def animate(self, speech: SpeechFile, targets: outputs.Outputs) -> dict[str, Any]:
        """Generate motion for one sound and write it; return its result for `--json`."""
        started, earlier_s = time.monotonic(), self.renderer.seconds
        motions = self._motions(speech)
        generation_s = time.monotonic() - started
        written: dict[str, Any] = {"outputs": []}
        for index, motion in enumerate(motions):
            sample = targets.write(motion, self.renderer, speech, self.console, index, len(motions))
            written = {**sample, "outputs": written["outputs"] + sample["outputs"]}
        return {
            **written,
            "duration": motions[0].duration,
            "frames": len(motions[0]),
            "fps": motions[0].fps,
            "style": self.style.source if self.style else None,
            "seed": self.options.seed,
            "generation_seconds": round(generation_s, 3),
            "rendering_seconds": round(self.renderer.seconds - earlier_s, 3),
        }

    def _motions(self, speech: SpeechFile) -> list[Motion]:
        n_samples, identity = self.args.samples, self.renderer.identity
        with self.console.progress("speaking", "s") as progress:
            if not self.args.compat:
                transcript = transcript_of(self.args, speech.path)
                return self.talker.generate_many(
                    speech, n_samples, self.style, self.options, identity, transcript=transcript, progress=progress
                )
            from diffposetalk.generate.talker import joined_samples
            from diffposetalk.released_weights.demo import demo

            return joined_samples(
                demo(self.talker, speech, n_samples, self.style, self.options, identity, progress=progress)
            )


def transcript_of(args: argparse.Namespace, speech: Path) -> Path | None:
    """Return the transcript of a sound, or None.

    Raises:
        UsageError: one file is given for several sounds, or the folder has none for this sound.
    """
    from pathlib import Path

    from diffposetalk.speech.transcript.reading import READERS

    if args.transcript is None:
        return None
    transcript = Path(args.transcript)
    if not transcript.is_dir():
        if batch.has_several(args):
            raise UsageError("--transcript: several sounds need a folder of transcripts with the names of the sounds")
        return transcript
    matches = [
        path for path in sorted(transcript.iterdir()) if path.stem == speech.stem and path.suffix.lower() in READERS
    ]
    if not matches:
        raise UsageError(f"{transcript}: no transcript for {speech.name} ({speech.stem}.txt, .srt, .TextGrid, ...)")
    return matches[0]


def sampling_options(args: argparse.Namespace) -> SamplingOptions:
    """Return the sampling options; options that are not given keep their defaults.

    Raises:
        UsageError: a value is out of range.
    """
    options = {field.name: getattr(args, field.name, None) for field in fields(SamplingOptions)}
    if args.compat and args.sampler is None:
        options["sampler"] = "ddpm"
    return SamplingOptions(**{name: value for name, value in options.items() if value is not None})
