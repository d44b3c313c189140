"""What a study asks: its systems, clips, questions and scale."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations

from diffposetalk.config import from_dict
from diffposetalk.errors import InputError

FORMAT = 1
"""Version of the study file."""
REFERENCE, ANCHOR = "reference", "anchor"
"""Names of the hidden reference (the real recording) and of the hidden anchor (a video that must be judged worse)."""
PAIRS, HUNDRED, FIVE = "pairs", "0-100", "1-5"
SCALES = {
    PAIRS: "two videos side by side: which one is better",
    HUNDRED: "all systems of a clip on one page, each rated 0 to 100 (MUSHRA)",
    FIVE: "one video on a page, rated 1 to 5 (MOS)",
}
"""Scale -> what a page asks."""
LIPS, STYLE, NATURAL = "lips", "style", "natural"
QUESTION_NAMES = {LIPS: "lip sync", STYLE: "style likeness", NATURAL: "naturalness"}
"""Question -> its name in reports. Style likeness is that of the manner of speaking to a person who is shown."""
QUESTIONS = tuple(QUESTION_NAMES)
SOUNDS = {"on": (True,), "off": (False,), "both": (True, False)}
"""Choice of sound -> the values that pages have."""
ANCHORS = {
    "frozen": "the first picture of the reference, with its sound",
    "other-sound": "the reference with the sound of another clip",
    "shifted": "the reference with its sound half a second late",
}
"""Anchors that can be made from the reference."""
SOUND_ANCHORS = ("other-sound", "shifted")
"""Anchors that differ from the reference in lip sync alone."""
MOST_ON_PAGE = 12
"""Most videos that one page rates, as in ITU-R BS.1534."""
MOST_RATERS = 1000
"""Most raters that can be planned; more may come."""
MOST_SECONDS = 3600.0
"""Longest video."""
SHA256 = re.compile("[0-9a-f]{64}")
PLACE = "study"
"""Begins the messages about a study's values."""
FEWEST_CHECKS = 2
"""A rater who was checked less often cannot be trusted, and is dropped."""


@dataclass(frozen=True)
class Video:
    """One video of a study."""

    sha256: str
    """Of the file in the study; also its name there."""
    source_sha256: str
    """Of the file that it was made from."""
    seconds: float
    """Duration."""


@dataclass(frozen=True)
class Aspect:
    """What one block of pages asks."""

    questions: tuple[str, ...]
    """Asked together on each page."""
    sound: bool
    """Whether the videos have sound."""


@dataclass(frozen=True)
class Study:
    """A study, without its videos' content."""

    title: str
    consent: str
    """Text that a rater agrees to; paragraphs are separated by empty lines."""
    scale: str
    """Key of `SCALES`."""
    questions: tuple[str, ...]
    """Some of `QUESTIONS`."""
    systems: tuple[str, ...]
    """Names of the systems, without `REFERENCE` and `ANCHOR`."""
    clips: tuple[str, ...]
    """Names of the clips."""
    videos: dict[str, dict[str, Video]]
    """Clip -> system, `REFERENCE` or `ANCHOR` -> video."""
    anchor: str
    """How the anchor was made: key of `ANCHORS`, or "given"."""
    sound: str = "on"
    """Key of `SOUNDS`."""
    ties: bool = True
    """Whether a pair may be judged equal."""
    against: str | None = None
    """In pairs: the system that all others are compared with; None: every pair."""
    raters: int = 24
    """Planned number of raters."""
    pages: int | None = None
    """Pages for each rater; None: all."""
    seed: int = 0
    """Decides which clip and system has which row of the balanced order."""
    style_videos: dict[str, Video] | None = None
    """Clip -> video that shows the manner of speaking; None: the reference of the clip."""
    strings: dict[str, str] | None = None
    """Texts of the page that replace the English ones."""

    def aspects(self) -> tuple[Aspect, ...]:
        """Return the blocks of pages. Ratings from 1 to 5 ask all questions on a page, other scales one."""
        together = [self.questions] if self.scale == FIVE else [(question,) for question in self.questions]
        blocks = []
        for questions in together:
            for sound in SOUNDS[self.sound]:
                own = tuple(question for question in questions if sound or question != LIPS)
                if own:
                    blocks.append(Aspect(own, sound))
        return tuple(blocks)

    def conditions(self, aspect: Aspect) -> tuple[tuple[str, ...], ...]:
        """Return the groups of systems that are judged on one page, without the check pages of pairs."""
        judged = (*self.systems, REFERENCE)
        everything = (*judged, ANCHOR) if self.anchored(aspect) else judged
        if self.scale == FIVE:
            return tuple((name,) for name in everything)
        if self.scale == HUNDRED:
            return (everything,)
        return tuple(pair for pair in combinations(judged, 2) if self.against is None or self.against in pair)

    def anchored(self, aspect: Aspect) -> bool:
        """Return whether the anchor appears. A wrong sound cannot be judged without sound."""
        return self.anchor not in SOUND_ANCHORS or (aspect.sound and LIPS in aspect.questions)

    def shows_style(self, questions: tuple[str, ...]) -> bool:
        """Return whether a page shows the muted video of the manner of speaking."""
        return STYLE in questions

    def shows_reference(self, questions: tuple[str, ...]) -> bool:
        """Return whether a page shows the real recording under its name, as ratings from 0 to 100 do."""
        return self.scale == HUNDRED and not self.shows_style(questions)

    def style_video(self, clip: str) -> Video:
        """Return the video that shows the manner of speaking of a clip's speaker."""
        return self.style_videos[clip] if self.style_videos else self.videos[clip][REFERENCE]

    def all_videos(self) -> Iterator[Video]:
        """Yield every video; equal files more than once."""
        for row in self.videos.values():
            yield from row.values()
        yield from (self.style_videos or {}).values()

    def checks(self, question: str) -> bool:
        """Return whether the anchor must be judged worse on this question."""
        return self.anchor not in SOUND_ANCHORS or question == LIPS

    def to_json(self) -> str:
        """Return the study as JSON text; equal studies give equal texts."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True, ensure_ascii=False)

    def identity(self) -> str:
        """Return the SHA-256 of the study; answers carry it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def read_study(text: bytes | str) -> Study:
    """Read a study from JSON.

    Raises:
        InputError: the study is of another version, or contradicts itself; also if it has no consent text.
        UsageError: a value is missing, unknown or of the wrong type.
        Exception: the text is no JSON; call this inside `parsing`.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise InputError("the study is not one JSON object")
    version = values.pop("format", None)
    if version != FORMAT:
        raise InputError(f"the study has format {version!r}, this version reads {FORMAT}")
    study = from_dict(Study, values, PLACE)
    for wrong, what in _faults(study):
        if wrong:
            raise InputError(f"{PLACE}: {what}; make the study again")
    return study


def _faults(study: Study) -> Iterator[tuple[bool, str]]:
    """Yield what could be wrong with a study, and whether it is."""
    systems = {*study.systems, REFERENCE, ANCHOR}
    yield not study.consent.strip(), "it has no consent text"
    for name, value, known in (
        ("scale", study.scale, SCALES),
        ("sound", study.sound, SOUNDS),
        ("anchor", study.anchor, (*ANCHORS, "given")),
        ("against", study.against, (None, *systems)),
    ):
        yield value not in known, f"its {name} is {value!r}, which is unknown"
    for name, items, most in (
        ("questions", study.questions, 3),
        ("systems", study.systems, 50),
        ("clips", study.clips, 1000),
    ):
        yield not 1 <= len(set(items)) == len(items) <= most, f"its {name} must be 1 to {most} different ones"
    yield not set(study.questions) <= set(QUESTIONS), "it asks an unknown question"
    yield not study.aspects(), "lip sync without sound is all that it asks"
    yield len(systems) != len(study.systems) + 2, f"a system is called {REFERENCE} or {ANCHOR}"
    yield not 1 <= study.raters <= MOST_RATERS, f"its raters must be 1 to {MOST_RATERS}"
    yield study.pages is not None and study.pages < 1, "its pages must be at least 1"
    yield set(study.videos) != set(study.clips), "its videos are not those of its clips"
    yield any(set(row) != systems for row in study.videos.values()), "a clip lacks the video of a system"
    yield study.style_videos is not None and set(study.style_videos) != set(study.clips), "a clip lacks its style video"
    yield not all(SHA256.fullmatch(video.sha256) for video in study.all_videos()), "the SHA-256 of a video is none"
    yield (
        not all(0 <= video.seconds <= MOST_SECONDS for video in study.all_videos()),
        "the length of a video is impossible",
    )
