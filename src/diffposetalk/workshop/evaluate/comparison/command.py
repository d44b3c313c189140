"""`diffposetalk evaluate MODEL... --data SET -o report/`, and the page of a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import check_output, check_run_folder
from diffposetalk.metrics.intervals import Interval
from diffposetalk.pages import require_libraries
from diffposetalk.progress import Progress
from diffposetalk.workshop.evaluate.comparison import leaderboard as board
from diffposetalk.workshop.evaluate.comparison.catalogue import MAIN, METRICS
from diffposetalk.workshop.evaluate.comparison.films import Film, film_clips
from diffposetalk.workshop.evaluate.comparison.report import write_report
from diffposetalk.workshop.evaluate.comparison.results import (
    TRUTH,
    Results,
    as_json,
    interval_text,
    number_text,
    results_of,
)
from diffposetalk.workshop.evaluate.comparison.run import compare
from diffposetalk.workshop.evaluate.protocol.contents import Protocol
from diffposetalk.workshop.evaluate.protocol.make import open_protocol
from diffposetalk.workshop.evaluate.protocol.selection import Selection
from diffposetalk.workshop.evaluate.systems.base import System
from diffposetalk.workshop.evaluate.systems.folder import open_folder
from diffposetalk.workshop.evaluate.systems.generated import TruthSystem, open_generator
from diffposetalk.workshop.evaluate.tables import table


def evaluate(
    systems: Sequence[str],
    data: Path | None = None,
    output: Path | None = None,
    clips: Path | None = None,
    films: bool = False,
    leaderboard: Path | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Compare systems and write the report; or make the page of a leaderboard.

    Args:
        systems: models by name or file, baselines, or folders of outputs; ``NAME=WHAT`` gives a name.
        data: protocol file, folder of clips, or corpus.
        output: folder of the report; with ``leaderboard``, the page.
        clips: folder of the clips, if they are not where the protocol says.
        films: whether some clips are filmed.
        leaderboard: leaderboard file of which a page is made; then there are no systems.
        options: sampling options of the models.
        progress: called after each clip of each system.

    Returns:
        As for `as_json`, with the written ``files`` and the ``costs``; of a leaderboard its ``page`` and ``lines``.

    Raises:
        UsageError: options contradict each other, or there is no such model.
        InputError: a clip or an output is missing, changed or does not fit; nothing is scored then.
    """
    if leaderboard is not None:
        if systems or data is not None or output is None:
            raise UsageError(
                "--leaderboard FILE -o PAGE.html makes a page of a leaderboard; leave out models and --data"
            )
        page = check_output(output, (".html", ".htm"))
        return {"page": str(page), "lines": board.write_page(leaderboard, page)}
    if not systems or data is None or output is None:
        missing = "a model or folder" if not systems else "--data SET" if data is None else "-o FOLDER"
        raise UsageError(
            f"a comparison needs {missing}: diffposetalk evaluate MODEL... --data SET -o FOLDER "
            "(`diffposetalk evaluate --help` lists the other measures)"
        )
    require_libraries()
    folder = check_run_folder(output)
    if not data.exists():
        raise UsageError(f"{data}: there is no such protocol file or folder of clips")
    material, notes = open_protocol(data, folder, Selection(), clips, progress)
    opened = [TruthSystem(), *(open_system(word, material.protocol, options) for word in systems)]
    folder.mkdir(parents=True, exist_ok=True)
    comparison = compare(material, opened, folder / "cache", progress)
    results = results_of(comparison, progress)
    notes += _notes(results)
    filmed: dict[str, Film] = {}
    if films:
        filmed, more = film_clips(material, opened, progress)
        notes += more
    files = write_report(results, folder, notes, filmed)
    costs = {
        system.name: {"made": system.made, "seconds": round(system.seconds, 2)}
        for system in comparison.systems
        if system.name != TRUTH
    }
    return as_json(results) | {"files": [str(file) for file in files], "costs": costs, "notes": notes}


def open_system(word: str, protocol: Protocol, options: Mapping[str, Any] | None = None) -> System:
    """Return the system that a word of the command line names: ``WHAT`` or ``NAME=WHAT``.

    Raises:
        UsageError, ModelError: there is no such model.
        InputError: a folder of outputs lacks clips.
    """
    name, equals, what = word.partition("=")
    if not equals or Path(word).exists():
        name, what = "", word
    if equals and not name and not Path(word).exists():
        raise UsageError(f"{word}: write NAME=MODEL")
    if Path(what).is_dir():
        return open_folder(Path(what), protocol, name)
    return open_generator(what, protocol.fps, options, name)


def report(result: dict[str, Any]) -> str:
    """Return the result of `evaluate` as text."""
    if "page" in result:
        return f"{result['page']}: page of {result['lines']} line{'s' * (result['lines'] != 1)}"
    names = [name for name in MAIN if name in result["metrics"]]
    header = ["system", *(f"{METRICS[name].title} {METRICS[name].unit}".strip() for name in names)]
    rows = []
    for system, values in result["systems"].items():
        rows.append([system, *(_text(values["figures"][name], METRICS[name].digits) for name in names)])
    costs = [
        f"{name}: {cost['seconds'] / cost['made']:.2f} s a clip for {cost['made']} clips"
        for name, cost in result["costs"].items()
        if cost["made"]
    ]
    protocol = result["protocol"]
    lines = [f"{protocol['name']}, protocol {protocol['hash']}: {len(protocol['clips'])} clips", table(header, rows)]
    return "\n".join([*lines, *result["notes"], *costs, *(f"wrote {file}" for file in result["files"])])


def _text(figure: dict[str, Any] | None, digits: int) -> str:
    if figure is None:
        return "–"
    low, high = (float("nan") if figure[end] is None else figure[end] for end in ("low", "high"))
    interval = interval_text(Interval(figure["value"], low, high, figure["n"]), digits)
    return number_text(figure["value"], digits) + (f" ({interval})" if interval else "")


def _notes(results: Results) -> list[str]:
    """Return what a reader must know to compare the systems."""
    notes = []
    protocol = results.comparison.protocol
    for system in results.comparison.systems:
        looks = results.looks[system.name]
        if not looks[0].same_mesh:
            notes.append(
                f"{system.name} is measured on another mesh than the truth: its lip gaps count as shares of the opening of the "
                "mouth in each clip, so amplitude and vertices are not compared."
            )
        if system.name != TRUTH and system.n_samples < len(protocol.seeds):
            notes.append(f"{system.name} has {system.n_samples} of {len(protocol.seeds)} samples for each clip.")
    return notes
