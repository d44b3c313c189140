"""The report as one HTML page with its plots inside, and films beside it."""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files.atomic import check_output, write_atomically
from diffposetalk.workshop.corpus.report import measures, plots
from diffposetalk.workshop.corpus.report.measures import Check, Take
from diffposetalk.workshop.corpus.shards import SpeakerInfo, list_speakers, load_shard, shard_summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Progress = Callable[[float, float | None], None]
"""Called with steps done and steps in all."""
FILM_S = 6.0
"""Length of a film."""
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; color: #222; }
h1, h2 { font-weight: 600; } h2 { margin-top: 2em; } img { max-width: 100%; } p { max-width: 75ch; }
table { border-collapse: collapse; } td, th { padding: .15em .9em .15em 0; text-align: left; vertical-align: top; }
tr.bad td { color: #b3261e; font-weight: 600; } .note { color: #8a5a00; } figure { margin: 0 1em 1em 0; }
.films { display: flex; flex-wrap: wrap; } .films figure { width: 360px; } video { width: 100%; }
figcaption { font-size: 13px; color: #555; }
"""

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
    """What `write_report` wrote and found."""

    page: Path
    """The HTML page."""
    films: tuple[Path, ...]
    """mp4 files beside it."""
    checks: tuple[Check, ...]
    """What was held against the corpus; empty if it has no motion yet."""
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

    Hours, voices and languages are those of the whole corpus; everything that needs sound or motion is measured on some
    speakers, the same ones each time.

    Args:
        folder: the corpus.
        out: an `.html` file, or a folder that gets an `index.html`; films go beside the page under its name.
        n_speakers: speakers to measure.
        n_clips: clips to draw, of manners as different as can be found.
        n_films: clips to film; none where there is no OpenGL.
        progress: called with steps done and in all.

    Raises:
        InputError: there is no corpus in the folder, or a file of it is broken.
        UsageError: the page cannot go there, or a number is out of range.
        DiffPoseTalkError: matplotlib is not installed, or the disk refuses.
    """
    if n_speakers < 1 or n_clips < 0 or n_films < 0:
        raise UsageError("a report needs at least one speaker, and no negative number of clips or films")
    page = page_path(out)
    plots.new_figure(1, 1)  # fails now rather than after the work, if at all
    folder = Path(folder)
    names = list_speakers(folder)
    show = progress or (lambda _done, _total: None)
    chosen = sorted(np.random.default_rng(0).permutation(len(names))[:n_speakers].tolist())
    total = 2.0 * len(chosen) + 10 + n_clips + 4 * n_films
    summaries = [shard_summary(folder, name) for name in names]
    clips, takes = [], []
    openings: dict[str, np.ndarray] = {}
    for done, index in enumerate(chosen):
        show(2 * done, total)
        for clip in load_shard(folder, names[index]):
            clips.append(clip.phones)
            if clip.motion is not None and clip.manner is not None:
                if clip.motion.head not in openings:
                    openings[clip.motion.head] = measures.opening_by_channel(clip.motion.head)
                takes.append(measures.measure(clip, openings[clip.motion.head]))
    speakers = [(info, sum(seconds), len(seconds)) for info, seconds, _ in summaries]
    body = [_heading(folder, speakers, len(chosen))]
    notes: list[str] = []
    checks: tuple[Check, ...] = ()
    films: list[tuple[Take, Path]] = []
    if takes:
        checks = measures.check(takes)
        shown = most_different(takes, max(n_clips, n_films))
        films = _films(shown[:n_films], page, notes, lambda k: show(total - 4 * n_films + 4 * k, total))
        body += [_checks(checks), _film_section(films, notes)]
    else:
        notes.append("This corpus has no motion yet; make it with `diffposetalk corpus FOLDER --motion-anew`.")
        body += [f'<p class="note">{html.escape(note)}</p>' for note in notes]
    body += _section(
        "Voices",
        "Many voices, none of them much above the others; speakers of one voice differ by transforms.",
        plots.voices(speakers),
    )
    body += _section("Phones", "All phones occur; vowels last 50 to 200 ms, stops less.", plots.phones(clips))
    if takes:
        body += _motion_sections(takes)
        for take in shown[:n_clips]:
            body += _section(f"Clip {take.name}", f"{take.text} {_manner_words(take)}", plots.clip(take))
    write_atomically(page, _document(f"Corpus {folder.name}", body))
    show(total, total)
    return CorpusReport(page, tuple(path for _, path in films), checks, tuple(notes))


def page_path(out: str | Path) -> Path:
    """Return where the page goes: ``out`` itself, or `index.html` in the folder that ``out`` names (made if absent).

    Raises:
        UsageError: the parent is missing or read-only, or ``out`` is an existing file that is no page.
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

    found: list[tuple[Take, Path]] = []
    for k, take in enumerate(takes):
        show(k)
        path = page.with_name(f"{page.stem}-{take.name.replace('/', '-')}.mp4")
        fps = take.motion.fps
        first = round(max(0.0, next((p.start for p in take.phones if p.symbol != "sil"), 0.0) - 0.3) * fps)
        last = min(len(take.motion), first + round(FILM_S * fps))
        try:
            head = load_head(take.motion.head)
            speech = take.speech.slice(first / fps, last / fps)
            render_motion(take.motion.slice(first, last), head, path, speech, size=384)
        except DiffPoseTalkError as error:
            notes.append(f"No films: {error}")
            break
        found.append((take, path))
    return found


def _motion_sections(takes: Sequence[Take]) -> list[str]:
    counted = [(symbol, measures.count_closures(takes, symbol)) for symbol in "pbm"]
    words = ", ".join(
        f"{symbol} {found.share:.1%} of {found.n_pressed}" for symbol, found in counted if found.n_pressed
    )
    sections: list[str] = []
    for title, caption, draw in _MOTION_SECTIONS:
        sections += _section(title, caption.format(sealed=words), draw(takes))
    return sections


def _section(title: str, caption: str, figure: Figure) -> list[str]:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    data = base64.b64encode(buffer.getvalue()).decode()
    return [
        f"<h2>{html.escape(title)}</h2>",
        f"<p>{html.escape(caption)}</p>",
        f'<img alt="{html.escape(title)}" src="data:image/png;base64,{data}">',
    ]


def _heading(folder: Path, speakers: Sequence[tuple[SpeakerInfo, float, int]], n_measured: int) -> str:
    hours = sum(seconds for _, seconds, _ in speakers) / 3600
    try:
        recipe = json.loads((folder / "corpus.json").read_text())
    except (OSError, ValueError):
        recipe = {}
    rows: list[tuple[str, Any]] = [
        ("hours", f"{hours:.2f}"),
        ("clips", sum(n for *_, n in speakers)),
        ("speakers", len(speakers)),
        ("voices", len({info.voice for info, *_ in speakers})),
        ("languages", " ".join(sorted({info.language for info, *_ in speakers}))),
        ("recipe", ", ".join(f"{key} {value}" for key, value in recipe.items() if not isinstance(value, list))),
        ("measured on", f"{n_measured} speakers"),
    ]
    cells = "".join(f"<tr><th>{name}</th><td>{html.escape(str(value))}</td></tr>" for name, value in rows if value)
    return f"<h1>Corpus {html.escape(folder.name)}</h1><table>{cells}</table>"


def _checks(checks: Sequence[Check]) -> str:
    rows = "".join(
        f"<tr class={'good' if check.good else 'bad'}><td>{'&#10003;' if check.good else '&#10007;'}</td>"
        f"<td>{html.escape(check.what)}</td><td>{html.escape(check.found)}</td><td>{html.escape(check.wanted)}</td></tr>"
        for check in checks
    )
    return f"<h2>What should hold</h2><table><tr><th></th><th>what</th><th>found</th><th>wanted</th></tr>{rows}</table>"


def _film_section(films: Sequence[tuple[Take, Path]], notes: Sequence[str]) -> str:
    parts = [f'<p class="note">{html.escape(note)}</p>' for note in notes]
    parts += [
        f'<figure><video controls preload="metadata" src="{html.escape(path.name)}"></video>'
        f"<figcaption>{html.escape(take.name)}, {html.escape(take.speaker.voice)}. {html.escape(_manner_words(take))}"
        "</figcaption></figure>"
        for take, path in films
    ]
    return f'<h2>Films</h2><div class="films">{"".join(parts)}</div>' if parts else ""


def _manner_words(take: Take, n: int = 6) -> str:
    """Name the parameters in which a manner is most unlike the neutral one."""
    from diffposetalk.workshop.corpus.motion.manner import Manner

    difference = take.manner.vector() - Manner().vector()
    strongest = np.argsort(-np.abs(difference))[:n]
    names = list(Manner.ranges())
    return "Manner: " + ", ".join(f"{names[k]} {getattr(take.manner, names[k]):.3g}" for k in strongest) + "."


def _document(title: str, body: Sequence[str]) -> bytes:
    lines = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style></head>',
        "<body>",
        *body,
        "</body></html>",
    ]
    return "\n".join(lines).encode()
