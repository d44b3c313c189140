"""Count the answers of a study: drop careless raters, then measure preferences or ratings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.workshop.study.answers import Answer, Answers
from diffposetalk.workshop.study.plan import ANCHOR, PAIRS, REFERENCE, Study
from diffposetalk.workshop.study.study_file import open_study
from diffposetalk.workshop.study.tally.checks import Verdict, chance, judge, rule
from diffposetalk.workshop.study.tally.preferences import Preference, Strength, preferences, strengths
from diffposetalk.workshop.study.tally.ratings import Difference, Rating, differences, ratings


@dataclass(frozen=True)
class Tally:
    """Figures of a study."""

    study: Study
    raters: int
    """Raters who agreed to the consent text."""
    finished: int
    """Raters who answered every page."""
    verdicts: tuple[Verdict, ...]
    """One for each rater who gave an answer."""
    rule: str
    """By which raters were dropped."""
    chance: float
    """Probability that the rule keeps somebody who answers at random."""
    answers: tuple[Answer, ...]
    """All answers, also of dropped raters. Raters are numbered from 1 through all files."""
    preferences: tuple[Preference, ...] = ()
    strengths: tuple[Strength, ...] = ()
    ratings: tuple[Rating, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def left_share(self) -> float:
        """Share of choices for the left video among all pairs without tie; 0.5 without a habit, NaN without pairs."""
        if self.study.scale != PAIRS:
            return math.nan
        raters = {verdict.rater for verdict in self.verdicts if verdict.kept}
        values = [row.value for row in self.answers if row.slot == 0 and row.value != 0.5 and row.rater in raters]
        return sum(values) / len(values) if values else math.nan

    @property
    def kept(self) -> int:
        """Number of raters whose answers count."""
        return sum(verdict.kept for verdict in self.verdicts)


def tally(path: Path, files: Sequence[Path], most_failed: float = 0.25, seed: int = 0) -> Tally:
    """Count the answers of a study.

    Args:
        path: study file.
        files: SQLite files of answers to it, one for each host.
        most_failed: largest share of failed checks of a rater who is kept.
        seed: of the resampling.

    Raises:
        InputError: a file cannot be read, belongs to another study, is named twice, or there is no answer.
        DiffPoseTalkError: `choix` is not installed.
    """
    study = open_study(path).study
    if len({file.resolve() for file in files}) < len(files):
        raise InputError("--answers names the same file twice, so that its answers would count twice")
    answers: list[Answer] = []
    done: list[tuple[int, int]] = []
    for file in files:
        store = Answers(file, study, create=False)
        answers += [replace(answer, rater=answer.rater + len(done) + 1) for answer in store.all()]
        done += store.progress().values()
    if not answers:
        raise InputError(f"{files[0]}: nobody has answered a page yet")
    finished = sum(answered == pages for answered, pages in done)
    return count(study, answers, len(done), finished, most_failed, seed)


def count(
    study: Study, answers: Sequence[Answer], n_raters: int, n_finished: int, most_failed: float = 0.25, seed: int = 0
) -> Tally:
    """Return the figures for answers of raters who are numbered through; arguments as for `tally`."""
    verdicts = judge(study, answers, most_failed)
    result = Tally(
        study, n_raters, n_finished, tuple(verdicts), rule(study, most_failed), chance(study, verdicts, most_failed),
        tuple(answers),
    )  # fmt: skip
    raters = {verdict.rater for verdict in verdicts if verdict.kept}
    groups: dict[tuple[str, bool], list[Answer]] = {}
    for answer in answers:
        if answer.rater in raters:
            groups.setdefault((answer.question, answer.sound), []).append(answer)
    ordered = [
        groups[question, sound]
        for question in study.questions
        for sound in (True, False)
        if (question, sound) in groups
    ]
    if study.scale == PAIRS:
        _require_choix()
        judged = (*study.systems, REFERENCE)
        return replace(
            result,
            preferences=tuple(row for group in ordered for row in preferences(group, judged, seed)),
            strengths=tuple(row for group in ordered for row in strengths(group, judged, seed)),
        )
    everything = (REFERENCE, *study.systems, ANCHOR)
    return replace(
        result,
        ratings=tuple(row for group in ordered for row in ratings(group, everything, seed)),
        differences=tuple(row for group in ordered for row in differences(group, (*study.systems, REFERENCE), seed)),
    )


def _require_choix() -> None:
    try:
        import choix  # noqa: F401
    except ImportError:
        raise DiffPoseTalkError("counting pairs needs choix: pip install 'diffposetalk[study]'") from None
