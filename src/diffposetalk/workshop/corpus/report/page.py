"""The report as one HTML page with its plots inside, and films beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import check_output, write_atomically
from diffposetalk.files.json_text import read_json
from diffposetalk.pages import render, require_libraries, svg
from diffposetalk.progress import Progress
from diffposetalk.speech.transcript.phones import Phone
from diffposetalk.workshop.corpus.motion.manner import Manner
from diffposetalk.workshop.corpus.report import measures, plots
from diffposetalk.workshop.corpus.report.measures import Check, Take
from diffposetalk.workshop.corpus.shards import SpeakerInfo, list_speakers, load_shard, shard_summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILM_S = 6.0
"""Length of a film in seconds."""

_MOTION_SECTIONS: tuple[tuple[str, str, Callable[[Sequence[Take]], Figure]], ...] = (
    (
        "Manners",
        "Speakers fill every range; smile, frown, press and upper lip lean to none.",
        plots.manners,
    ),
    (
        "Lips",
        "Sealed: {sealed}. Gaps grow from p b m over f v and sibilants to open vowels; pauses are shut.",
        plots.gaps,
    ),
    (
        "Timing",
        "Means with two standard errors. Closures are deepest near the phone's middle; rounding comes before its vowel; "
        "lips part for breath before a phrase; nods and brows peak about at the accent.",
        plots.timing,
    ),
    (
        "Eyes",
        "As many blinks as the manner asks, mostly 1 to 8 s apart and 0.1 to 0.3 s long; gaze mostly at the listener.",
        plots.blinks,
    ),
    ("Head", "Spread follows the manner (nods add to pitch); spectra fall from about 0.5 Hz on.", plots.head),
    ("What manner moves", "Each parameter should show in some statistic of the motion.", plots.influence),
    ("Channels", "None at its limit for long; those that nothing moves stay at 0.", plots.channels),
)
"""Title, what to look for, and plot of everything that is drawn over all takes."""


@dataclass(frozen=True)
class CorpusReport:
    """What `write_report` wrote, and its checks."""

    page: Path
    """The HTML page."""
    films: tuple[Path, ...]
    """mp4 files beside it."""
    checks: tuple[Check, ...]
    """What a corpus should satisfy; empty if it has no motion yet."""
    notes: tuple[str, ...]
    """What could not be done."""


def write_report(
    folder: str | Path,
    out: str | Path,
    n_speakers: int = 24,
    n_clips: int = 4,
    n_films: int = 3,
    progress: Progress | None = None,
) -> CorpusReport:
    """Write a page to judge a corpus by.

    Hours, voices and languages are those of the whole corpus. Sound and motion are measured on some speakers, the same
    ones each time.

    Args:
        folder: the corpus.
        out: an `.html` file, or a folder that gets an `index.html`; films go beside the page under its name.
        n_speakers: speakers to measure.
        n_clips: clips to draw; their manners are as different as possible.
        n_films: clips to film; none without OpenGL.
        progress: called with the steps done and their number.

    Raises:
        InputError: there is no corpus in the folder, or a file of it is broken.
        UsageError: the page cannot go there, or a number is out of range.
        DiffPoseTalkError: Jinja2 or matplotlib is not installed, or the disk is full.
    """
    if n_speakers < 1 or n_clips < 0 or n_films < 0:
        raise UsageError("a report needs at least one speaker, and no negative number of clips or films")
    page = page_path(out)
    require_libraries()
    folder = Path(folder)
    names = list_speakers(folder)
    show = progress or (lambda *_: None)
    chosen = sorted(np.random.default_rng(0).permutation(len(names))[:n_speakers].tolist())
    total = 2.0 * len(chosen) + 10 + n_clips + 4 * n_films
    speakers = [
        (info, sum(seconds), len(seconds)) for info, seconds, _ in (shard_summary(folder, name) for name in names)
    ]
    phones, takes = _measured(folder, [names[k] for k in chosen], lambda done: show(2.0 * done, total))
    notes: list[str] = []
    checks: tuple[Check, ...] = ()
    films: list[tuple[Take, Path]] = []
    sections = [
        _section(
            "Voices",
            "Many voices, none of them much above the others; speakers of one voice differ by transforms.",
            plots.voices(speakers),
        ),
        _section("Phones", "All phones occur; vowels last 50 to 200 ms, stops less.", plots.phones(phones)),
    ]
    if takes:
        checks = measures.check(takes)
        shown = most_different(takes, max(n_clips, n_films))
        films = _films(shown[:n_films], page, notes, lambda done: show(total - 4 * n_films + 4 * done, total))
        sections += _motion_sections(takes)
        sections += [
            _section(f"Clip {take.clip.name}", f"{take.clip.text} {_manner_words(take)}", plots.clip(take))
            for take in shown[:n_clips]
        ]
    else:
        notes.append("This corpus has no motion yet; make it with `diffposetalk corpus FOLDER --motion-anew`.")
    document = render(
        __package__,
        "corpus.html",
        title=f"Corpus {folder.name}",
        facts=_facts(folder, speakers, len(chosen)),
        checks=checks,
        films=[{"file": path.name, "caption": _film_caption(take)} for take, path in films],
        notes=notes,
        sections=sections,
    )
    write_atomically(page, document)
    show(total, total)
    return CorpusReport(page, tuple(path for _, path in films), checks, tuple(notes))


def _measured(
    folder: Path, names: Sequence[str], show: Callable[[int], None]
) -> tuple[list[tuple[Phone, ...]], list[Take]]:
    """Return the phones of every clip of some speakers, and the measures of those clips that have motion."""
    from diffposetalk.head import load_head

    phones: list[tuple[Phone, ...]] = []
    takes: list[Take] = []
    openings: dict[str, np.ndarray] = {}
    for done, name in enumerate(names):
        show(done)
        for clip in load_shard(folder, name):
            phones.append(clip.phones)
            if clip.motion is not None and clip.manner is not None:
                if clip.motion.head not in openings:
                    openings[clip.motion.head] = load_head(clip.motion.head).lip_gap_basis().mean(1)
                takes.append(measures.measure(clip, openings[clip.motion.head]))
    return phones, takes


def page_path(out: str | Path) -> Path:
    """Return where the page goes: ``out`` itself, or `index.html` in the folder that ``out`` names (made if absent).

    Raises:
        UsageError: the parent is missing or read-only, or ``out`` is an existing file but not a page.
    """
    out = Path(out)
    if out.suffix.lower() in (".html", ".htm"):
        return check_output(out, (".html", ".htm"))
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: a report is an .html file or a folder")
    if not out.is_dir():
        if not out.parent.is_dir():
            raise UsageError(f"{out}: the folder {out.parent} does not exist; create it first")
        try:
            out.mkdir()
        except OSError as error:
            raise UsageError(f"{out}: the folder cannot be made: {error.strerror}") from error
    return check_output(out / "index.html", (".html",))


def most_different(takes: Sequence[Take], n: int) -> list[Take]:
    """Choose takes of manners far apart: the first, then always the one farthest from those chosen."""
    vectors = np.array([take.manner.vector() for take in takes])
    chosen = [0]
    while len(chosen) < min(n, len(takes)):
        distance = np.linalg.norm(vectors[:, None] - vectors[chosen], axis=-1).min(1)
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
    return [takes[k] for k in chosen[:n]]


def _films(takes: Sequence[Take], page: Path, notes: list[str], show: Callable[[int], None]) -> list[tuple[Take, Path]]:
    from diffposetalk.head import load_head
    from diffposetalk.render import render_motion

    films: list[tuple[Take, Path]] = []
    for k, take in enumerate(takes):
        show(k)
        path = page.with_name(f"{page.stem}-{take.clip.name.replace('/', '-')}.mp4")
        fps = take.motion.fps
        first = round(max(0.0, next((p.start for p in take.clip.phones if p.symbol != "sil"), 0.0) - 0.3) * fps)
        last = min(len(take.motion), first + round(FILM_S * fps))
        try:
            head = load_head(take.motion.head)
            speech = take.clip.speech.slice(first / fps, last / fps)
            render_motion(take.motion.slice(first, last), head, path, speech, size=384)
        except DiffPoseTalkError as error:
            notes.append(f"No films: {error}")
            break
        films.append((take, path))
    return films


def _motion_sections(takes: Sequence[Take]) -> list[dict[str, str]]:
    closures = [(symbol, measures.count_closures(takes, symbol)) for symbol in "pbm"]
    sealed = ", ".join(
        f"{symbol} {count.share:.1%} of {count.n_pressed}" for symbol, count in closures if count.n_pressed
    )
    return [_section(title, caption.format(sealed=sealed), draw(takes)) for title, caption, draw in _MOTION_SECTIONS]


def _section(title: str, caption: str, figure: Figure) -> dict[str, str]:
    return {"title": title, "caption": caption, "drawing": svg(figure, title)}


def _facts(folder: Path, speakers: Sequence[tuple[SpeakerInfo, float, int]], n_measured: int) -> list[tuple[str, Any]]:
    hours = sum(seconds for _, seconds, _ in speakers) / 3600
    path = folder / "corpus.json"
    recipe = read_json(path, "corpus recipe") if path.exists() else {}
    facts: list[tuple[str, Any]] = [
        ("hours", f"{hours:.2f}"),
        ("clips", sum(n for *_, n in speakers)),
        ("speakers", len(speakers)),
        ("voices", len({info.voice for info, *_ in speakers})),
        ("languages", " ".join(sorted({info.language for info, *_ in speakers}))),
        ("recipe", ", ".join(f"{key} {value}" for key, value in recipe.items() if not isinstance(value, list))),
        ("measured on", f"{n_measured} speakers"),
    ]
    return [(name, value) for name, value in facts if value]


def _film_caption(take: Take) -> str:
    return f"{take.clip.name}, {take.clip.speaker.voice}. {_manner_words(take)}"


def _manner_words(take: Take, n: int = 6) -> str:
    """Name the parameters in which a manner differs most from the neutral one."""
    difference = take.manner.vector() - Manner().vector()
    strongest = np.argsort(-np.abs(difference))[:n]
    names = list(Manner.ranges())
    return "Manner: " + ", ".join(f"{names[k]} {getattr(take.manner, names[k]):.3g}" for k in strongest) + "."
