"""Answers of a study in one SQLite file. An answer is on the disk before `answer` returns, and counts once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.parsing import parsing
from diffposetalk.workshop.study.design import Page, page_from, pages_for
from diffposetalk.workshop.study.plan import FIVE, HUNDRED, Study

KIND = "file of answers"
"""Name of the files in messages."""
WAIT_S = 30.0
"""Longest wait for another rater's write, seconds."""
LEFT_S = 3600.0
"""A rater who has seen no new page for so long has left; the next one gets the same pages, so that orders stay balanced."""
EARLY = 0.9
"""Share of a page's longest video that must have passed before its answer is taken."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS study (identity TEXT NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS raters (
    token TEXT PRIMARY KEY, number INTEGER UNIQUE NOT NULL, row INTEGER NOT NULL, request TEXT UNIQUE NOT NULL,
    consented_at REAL NOT NULL, consent_sha256 TEXT NOT NULL, pages TEXT NOT NULL, finished_at REAL);
CREATE TABLE IF NOT EXISTS shown (rater INTEGER, page INTEGER, at REAL NOT NULL, PRIMARY KEY (rater, page));
CREATE TABLE IF NOT EXISTS answers (
    rater INTEGER, page INTEGER, question TEXT, slot INTEGER, clip TEXT NOT NULL, system TEXT NOT NULL,
    sound INTEGER NOT NULL, value REAL NOT NULL, seconds REAL NOT NULL, replays INTEGER NOT NULL,
    answered_at REAL NOT NULL, PRIMARY KEY (rater, page, question, slot));
"""


@dataclass(frozen=True)
class Rater:
    """A rater, and how far this rater is."""

    token: str
    """Secret part of the link to this rater's pages."""
    number: int
    row: int
    """Number by which `design.pages_for` chose the pages."""
    pages: tuple[Page, ...]
    next_page: int
    """Index of the first page without answer."""

    @property
    def finished(self) -> bool:
        """Whether every page has an answer."""
        return self.next_page >= len(self.pages)

    def code(self, study: Study) -> str:
        """Return the word by which a rater can prove to have finished."""
        return hashlib.sha256(f"{study.identity()} {self.token}".encode()).hexdigest()[:8].upper()


@dataclass(frozen=True)
class Answer:
    """One stored judgement of one video. In pairs the value is 1 (better), 0 (worse) or 0.5 (equal)."""

    rater: int
    page: int
    question: str
    slot: int
    """Place of the video on the page, from 0 (left)."""
    clip: str
    system: str
    sound: bool
    value: float
    seconds: float
    """From the display of the page to the answer."""
    replays: int
    """How often videos of the page were played again."""
    answered_at: float
    """Seconds since 1970."""


class RefusedError(Exception):
    """An answer cannot be taken. ``reason`` is the key of a text of the page."""

    def __init__(self, reason: str) -> None:
        """Store the reason."""
        super().__init__(reason)
        self.reason = reason


class Answers:
    """The file of answers. Several processes may use it at once."""

    def __init__(self, path: str | os.PathLike[str], study: Study, create: bool = True) -> None:
        """Open or make the file.

        Args:
            path: SQLite file.
            study: the study; the file must belong to it.
            create: whether to make the file if it is missing.

        Raises:
            InputError: the file is no SQLite file, or belongs to another study.
            UsageError: the file cannot be made or written.
        """
        self.path = Path(path)
        self.study = study
        if not self.path.exists():
            if not create:
                raise InputError(f"{path}: no such {KIND}; `diffposetalk study serve` makes it")
            if not self.path.parent.is_dir() or not os.access(self.path.parent, os.W_OK):
                raise UsageError(f"{path}: cannot make a file in this folder; name another with --answers")
        with parsing(path, KIND), self._open() as database:
            if create:
                database.execute("PRAGMA journal_mode=WAL")
                database.executescript(SCHEMA)
            self._check_identity(database, create)

    def _check_identity(self, database: sqlite3.Connection, create: bool) -> None:
        identity = self.study.identity()
        database.execute("BEGIN IMMEDIATE" if create else "BEGIN")
        row = database.execute("SELECT identity FROM study").fetchone()
        if row is None and create:
            database.execute("INSERT INTO study VALUES (?, ?)", (identity, time.time()))
        database.execute("COMMIT")
        if row is not None and row[0] != identity:
            raise InputError(f"{self.path}: holds the answers to another study; name another file with --answers")

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the database; a transaction that is not committed is undone."""
        database = sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous=FULL")
            yield database
        finally:
            database.close()

    def begin(self, request: str) -> Rater:
        """Add a rater who has agreed to the consent text.

        Args:
            request: unique word of the page that was sent; the same word gives the same rater.
        """
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            known = database.execute("SELECT token FROM raters WHERE request = ?", (request,)).fetchone()
            if known is None:
                (number,) = database.execute("SELECT COALESCE(MAX(number) + 1, 0) FROM raters").fetchone()
                token = secrets.token_urlsafe(16)
                row = self._free_row(database)
                pages = json.dumps([page.to_dict() for page in pages_for(self.study, row)])
                consent = hashlib.sha256(self.study.consent.encode()).hexdigest()
                values = (token, number, row, request, time.time(), consent, pages)
                database.execute("INSERT INTO raters VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", values)
            else:
                (token,) = known
            database.execute("COMMIT")
        rater = self.rater(token)
        assert rater is not None
        return rater

    def _free_row(self, database: sqlite3.Connection) -> int:
        """Return the row of the design that the fewest raters have; who has left for `LEFT_S` no longer counts."""
        taken = database.execute(
            "SELECT row, COUNT(*) FROM raters WHERE finished_at IS NOT NULL OR consented_at > :since"
            " OR number IN (SELECT rater FROM shown WHERE at > :since) GROUP BY row",
            {"since": time.time() - LEFT_S},
        )
        counts = dict(taken.fetchall())
        return min(range(self.study.raters), key=lambda row: (counts.get(row, 0), row))

    def rater(self, token: str) -> Rater | None:
        """Return the rater of a link; None if there is none."""
        with self._open() as database:
            row = database.execute("SELECT number, row, pages FROM raters WHERE token = ?", (token,)).fetchone()
            if row is None:
                return None
            number, design_row, pages = row
            return Rater(token, number, design_row, _pages(pages), _next_page(database, number))

    def show(self, rater: Rater, page: int) -> None:
        """Store when a page was first shown."""
        with self._open() as database:
            database.execute("INSERT OR IGNORE INTO shown VALUES (?, ?, ?)", (rater.number, page, time.time()))

    def answer(self, rater: Rater, page: int, values: dict[str, list[float]], replays: int = 0) -> None:
        """Store the answers to one page. If the page has answers already, nothing changes.

        Args:
            rater: the rater.
            page: index of the page.
            values: question -> one value for each video of the page.
            replays: how often its videos were played again.

        Raises:
            RefusedError: the page is not the rater's next one, an answer is missing or impossible, or it comes before
                the videos can have been played.
        """
        if not 0 <= page < len(rater.pages):
            raise RefusedError("wrong_page")
        rated_page = rater.pages[page]
        check_values(self.study, rated_page, values)
        now = time.time()
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            next_page = _next_page(database, rater.number)
            if page < next_page:
                return
            if page > next_page:
                raise RefusedError("wrong_page")
            shown = (rater.number, page)
            row = database.execute("SELECT at FROM shown WHERE rater = ? AND page = ?", shown).fetchone()
            seconds = now - row[0] if row else 0.0
            if seconds < EARLY * self.longest(rated_page):
                raise RefusedError("too_early")
            rows = [
                (
                    rater.number,
                    page,
                    question,
                    slot,
                    rated_page.clip,
                    system,
                    rated_page.sound,
                    value,
                    seconds,
                    replays,
                    now,
                )
                for question, row in values.items()
                for slot, (system, value) in enumerate(zip(rated_page.systems, row, strict=True))
            ]
            database.executemany(f"INSERT INTO answers VALUES ({','.join('?' * 11)})", rows)
            if page == len(rater.pages) - 1:
                database.execute("UPDATE raters SET finished_at = ? WHERE number = ?", (now, rater.number))
            database.execute("COMMIT")

    def longest(self, page: Page) -> float:
        """Return the duration of a page's longest video, seconds."""
        return max(self.study.videos[page.clip][system].seconds for system in page.systems)

    def all(self) -> list[Answer]:
        """Return every answer, ordered by rater and page."""
        with parsing(self.path, KIND), self._open() as database:
            columns = ", ".join(Answer.__dataclass_fields__)
            rows = database.execute(f"SELECT {columns} FROM answers ORDER BY rater, page, question, slot")
            return [self._checked(Answer(*row)) for row in rows]

    def _checked(self, answer: Answer) -> Answer:
        """Return a stored answer after a check: SQLite keeps any type in any column.

        Raises:
            InputError: a value has the wrong type, or names something that the study lacks.
        """
        whole = (answer.rater, answer.page, answer.slot, answer.sound, answer.replays)
        numbers = (answer.value, answer.seconds, answer.answered_at)
        known = answer.system in self.study.videos.get(answer.clip, {}) and answer.question in self.study.questions
        if not known or not all(type(value) is int for value in whole) or not all(map(_is_number, numbers)):
            raise InputError(f"{self.path}: an answer is damaged: {answer}")
        return replace(answer, sound=bool(answer.sound))

    def progress(self) -> dict[int, tuple[int, int]]:
        """Return, for each rater, the number of pages with answers and of all pages."""
        with parsing(self.path, KIND), self._open() as database:
            rows = database.execute("SELECT number, pages FROM raters ORDER BY number").fetchall()
            return {number: (_next_page(database, number), len(json.loads(pages))) for number, pages in rows}


def check_values(study: Study, page: Page, values: dict[str, list[float]]) -> None:
    """Check the answers to a page.

    Raises:
        RefusedError: a question has no answer, there is a question too many, or a value is not on the scale.
    """
    if set(values) != set(page.questions):
        raise RefusedError("incomplete")
    for row in values.values():
        if len(row) != len(page.systems) or not _on_scale(study, row):
            raise RefusedError("incomplete")


def _on_scale(study: Study, row: Sequence[float]) -> bool:
    if study.scale == FIVE:
        return all(value in (1, 2, 3, 4, 5) for value in row)
    if study.scale == HUNDRED:
        return all(0 <= value <= 100 and value == int(value) for value in row)
    return sorted(row) == [0, 1] or (study.ties and list(row) == [0.5, 0.5])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _pages(text: str) -> tuple[Page, ...]:
    return tuple(page_from(values) for values in json.loads(text))


def _next_page(database: sqlite3.Connection, number: int) -> int:
    (page,) = database.execute("SELECT COALESCE(MAX(page) + 1, 0) FROM answers WHERE rater = ?", (number,)).fetchone()
    return int(page)
