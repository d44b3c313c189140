"""The phone inventory of the self-made corpus and how each phone looks on a face.

Every synthesis engine names its sounds in its own way; `phone_maps` brings them to this one inventory: ARPAbet in
lower case, `sil`, schwa `ax`, the monophthongs `e` and `o` and the front rounded vowels `ue` and `oe` of other
languages, the velar fricative `x`, the trill `rr`, the palatal nasal `ny` and the glottal stop `q`.

The features are graded (0 to 1) so that the articulation model can use them as targets and the training losses as
labels. They describe the lips, jaw and front of the tongue: what a viewer sees. Where one filmed talker (GRID corpus,
talker s1) says a phone at least 40 times, its openness is moved from the textbook's value toward what that talker shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from diffposetalk.errors import InputError

VISUAL_CLASSES = ("sil", "bil", "lab", "round", "open", "spread", "cor", "back")
"""Classes of phones that look alike: silence, p b m, f v, rounded, open, spread, made with the tongue's tip or its back."""


@dataclass(frozen=True, slots=True)
class Phone:
    """One sound with its place in time."""

    symbol: str
    """One of `SYMBOLS`."""
    start: float
    """Seconds from the start of the speech."""
    end: float
    """Seconds from the start of the speech; above `start`."""
    stress: int = 0
    """Lexical stress of the syllable's vowel: 0 none, 1 primary, 2 secondary; 0 for consonants."""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    @property
    def features(self) -> PhoneFeatures:
        """How the phone looks; see `PhoneFeatures`."""
        return FEATURES[self.symbol]


@dataclass(frozen=True, slots=True)
class PhoneFeatures:
    """Articulatory features of one phone. Graded ones run from 0 (none) to 1 (full)."""

    symbol: str
    """The phone's name."""
    visual: str
    """One of `VISUAL_CLASSES`."""
    vowel: bool = False
    """True for vowels and diphthongs."""
    voiced: bool = False
    """True where the vocal folds vibrate."""
    openness: float = 0.0
    """Lip aperture a relaxed speaker aims at: 0 sealed, 1 as in "father"."""
    jaw: float = 0.0
    """Jaw lowering aimed at, same scale; below `openness` where the lips do more of the opening."""
    rounded: float = 0.0
    """Lip rounding and protrusion: 1 as in "too"."""
    spread: float = 0.0
    """Lip corners drawn apart: 1 as in "see"."""
    bilabial: bool = False
    """p b m: the lips must meet."""
    labiodental: bool = False
    """f v: the lower lip must meet the upper teeth."""
    sibilant: bool = False
    """s z sh zh ch jh: the teeth must nearly meet."""
    dental: bool = False
    """th dh: the tongue tip shows between the teeth."""
    tongue_tip: float = 0.0
    """Tongue tip raised to teeth or ridge: 1 contact (t d n l)."""
    tongue_back: float = 0.0
    """Tongue back raised to the palate or drawn back: 1 contact (k g ng)."""
    tongue_front: float = 0.0
    """Tongue body pushed forward and up: 1 as in "see"."""
    nasal: bool = False
    """m n ng ny."""
    stop: bool = False
    """Full closure with a release burst (p b t d k g q ch jh)."""
    glide: str | None = None
    """For diphthongs, the symbol of the target that the second half moves to."""


_VOWELS = """
aa  open    0.88 0.85 0.00 0.05 0.00 0.50
ae  open    0.78 0.75 0.00 0.40 0.50 0.00
ah  open    0.65 0.65 0.00 0.05 0.10 0.20
ax  open    0.46 0.42 0.00 0.05 0.20 0.20
ao  round   0.66 0.60 0.55 0.00 0.00 0.60
aw  open    0.92 0.85 0.05 0.05 0.20 0.30 uh
ay  open    0.92 0.85 0.00 0.10 0.10 0.30 ih
eh  spread  0.56 0.58 0.00 0.45 0.60 0.00
e   spread  0.45 0.45 0.00 0.60 0.80 0.00
er  round   0.36 0.36 0.35 0.00 0.30 0.40
ey  spread  0.50 0.52 0.00 0.55 0.70 0.00 iy
ih  spread  0.40 0.38 0.00 0.45 0.75 0.00
iy  spread  0.33 0.25 0.00 1.00 1.00 0.00
o   round   0.50 0.50 0.75 0.00 0.00 0.70
ow  round   0.55 0.52 0.70 0.00 0.00 0.60 uw
oy  round   0.65 0.65 0.75 0.00 0.00 0.60 ih
uh  round   0.38 0.35 0.60 0.00 0.00 0.60
uw  round   0.32 0.20 1.00 0.00 0.00 0.80
ue  round   0.25 0.20 0.95 0.00 0.90 0.00
oe  round   0.45 0.45 0.75 0.00 0.70 0.00
"""
"""The vowels: symbol, visual class, lips (`openness`), jaw, rounded, spread, tongue front, tongue back, and glide."""


def _vowel(row: str) -> PhoneFeatures:
    """Return the features of a row of `_VOWELS`."""
    symbol, visual, *grades = row.split()
    glide = grades.pop() if len(grades) > 6 else None
    lips, jaw, rounded, spread, front, back = map(float, grades)
    return PhoneFeatures(
        symbol, visual, True, True, lips, jaw, rounded, spread, tongue_front=front, tongue_back=back, glide=glide
    )


# fmt: off
_INVENTORY = (
    PhoneFeatures("sil", "sil"),
    *map(_vowel, _VOWELS.strip().splitlines()),
    # bilabial and labiodental
    PhoneFeatures("p", "bil", jaw=0.15, bilabial=True, stop=True),
    PhoneFeatures("b", "bil", voiced=True, jaw=0.17, bilabial=True, stop=True),
    PhoneFeatures("m", "bil", voiced=True, jaw=0.16, bilabial=True, nasal=True),
    PhoneFeatures("f", "lab", openness=0.10, jaw=0.12, labiodental=True, spread=0.10),
    PhoneFeatures("v", "lab", voiced=True, openness=0.15, jaw=0.16, labiodental=True, spread=0.10),
    PhoneFeatures("w", "round", voiced=True, openness=0.06, jaw=0.12, rounded=1.0, tongue_back=0.7),
    # coronal
    PhoneFeatures("t", "cor", openness=0.34, jaw=0.12, tongue_tip=1.0, stop=True, spread=0.15),
    PhoneFeatures("d", "cor", voiced=True, openness=0.23, jaw=0.16, tongue_tip=1.0, stop=True, spread=0.15),
    PhoneFeatures("n", "cor", voiced=True, openness=0.16, jaw=0.18, tongue_tip=1.0, nasal=True, spread=0.10),
    PhoneFeatures("l", "cor", voiced=True, openness=0.32, jaw=0.28, tongue_tip=1.0, spread=0.10),
    PhoneFeatures("r", "round", voiced=True, openness=0.12, jaw=0.17, rounded=0.45, tongue_tip=0.4, tongue_back=0.4),
    PhoneFeatures("rr", "cor", voiced=True, openness=0.35, jaw=0.28, tongue_tip=0.9, spread=0.10),
    PhoneFeatures("s", "cor", openness=0.30, jaw=0.03, sibilant=True, tongue_tip=0.8, spread=0.45),
    PhoneFeatures("z", "cor", voiced=True, openness=0.22, jaw=0.04, sibilant=True, tongue_tip=0.8, spread=0.45),
    PhoneFeatures("sh", "cor", openness=0.25, jaw=0.05, sibilant=True, rounded=0.55, tongue_tip=0.6, tongue_front=0.5),
    PhoneFeatures(
        "zh", "cor", voiced=True, openness=0.25, jaw=0.05, sibilant=True, rounded=0.55, tongue_tip=0.6, tongue_front=0.5
    ),
    PhoneFeatures(
        "ch", "cor", openness=0.25, jaw=0.05, sibilant=True, rounded=0.50, tongue_tip=0.9, tongue_front=0.5, stop=True
    ),
    PhoneFeatures(
        "jh",
        "cor",
        voiced=True,
        openness=0.25,
        jaw=0.06,
        sibilant=True,
        rounded=0.50,
        tongue_tip=0.9,
        tongue_front=0.5,
        stop=True,
    ),
    PhoneFeatures("th", "cor", openness=0.18, jaw=0.15, dental=True, tongue_tip=1.0),
    PhoneFeatures("dh", "cor", voiced=True, openness=0.20, jaw=0.16, dental=True, tongue_tip=1.0),
    # palatal, velar, glottal
    PhoneFeatures("y", "spread", voiced=True, openness=0.28, jaw=0.18, spread=0.75, tongue_front=1.0),
    PhoneFeatures(
        "ny", "cor", voiced=True, openness=0.28, jaw=0.18, spread=0.40, tongue_tip=0.6, tongue_front=0.9, nasal=True
    ),
    PhoneFeatures("k", "back", openness=0.36, jaw=0.25, tongue_back=1.0, stop=True),
    PhoneFeatures("g", "back", voiced=True, openness=0.33, jaw=0.27, tongue_back=1.0, stop=True),
    PhoneFeatures("ng", "back", voiced=True, openness=0.35, jaw=0.27, tongue_back=1.0, nasal=True),
    PhoneFeatures("x", "back", openness=0.40, jaw=0.30, tongue_back=0.9),
    PhoneFeatures("hh", "back", openness=0.50, jaw=0.40, tongue_back=0.1),
    PhoneFeatures("q", "back", openness=0.35, jaw=0.35, stop=True),
)
# fmt: on

FEATURES: dict[str, PhoneFeatures] = {features.symbol: features for features in _INVENTORY}
"""Features of every phone, by symbol."""

SYMBOLS: tuple[str, ...] = tuple(FEATURES)
"""All symbols; the position is the phone's number in label arrays. `sil` is 0."""

SYMBOL_INDEX: dict[str, int] = {symbol: index for index, symbol in enumerate(SYMBOLS)}
"""Number of each symbol."""

SILENCE = SYMBOL_INDEX["sil"]
"""Number of the phone that means silence."""

VISUAL_INDEX: dict[str, int] = {name: index for index, name in enumerate(VISUAL_CLASSES)}
"""Number of each visual class."""


def check_phones(phones: Sequence[Phone], duration: float | None = None, tolerance: float = 1e-3) -> None:
    """Refuse phones that overlap, run backwards or lie outside the speech.

    Args:
        phones: in time order.
        duration: length of the speech in seconds, or None to leave the end unchecked.
        tolerance: seconds by which ends may disagree.

    Raises:
        InputError: naming the first phone that is wrong.
    """
    previous_end = 0.0
    for position, phone in enumerate(phones):
        where = f"phone {position} ({phone.symbol}, {phone.start:.3f}-{phone.end:.3f} s)"
        if phone.symbol not in FEATURES:
            raise InputError(f"{where}: unknown symbol; known: {' '.join(SYMBOLS)}")
        if not phone.end > phone.start:
            raise InputError(f"{where}: ends before it starts")
        if phone.start < previous_end - tolerance:
            raise InputError(f"{where}: starts before the previous phone ends at {previous_end:.3f} s")
        previous_end = phone.end
    if duration is not None and previous_end > duration + tolerance:
        raise InputError(f"phones end at {previous_end:.3f} s, after the speech ({duration:.3f} s)")


def shift_phones(phones: Iterable[Phone], offset: float = 0.0, scale: float = 1.0) -> tuple[Phone, ...]:
    """Return the phones at times `scale * t + offset` (seconds)."""
    return tuple(Phone(p.symbol, p.start * scale + offset, p.end * scale + offset, p.stress) for p in phones)


def fill_silence(phones: Sequence[Phone], duration: float, shortest: float = 1e-3) -> tuple[Phone, ...]:
    """Tile `[0, duration]`: clip phones to it, put `sil` into gaps and join neighbouring silences.

    Args:
        phones: in time order; small overlaps are cut at the later phone's start.
        duration: seconds.
        shortest: phones and gaps below this many seconds are dropped (the neighbour takes the time).

    Returns:
        Phones covering the whole span without gaps.
    """
    spans: list[list] = []
    for phone in phones:
        start = min(max(phone.start, 0.0), duration)
        end = min(phone.end, duration)
        if end - start < shortest:
            continue
        if spans and start < spans[-1][2]:
            spans[-1][2] = start
            if spans[-1][2] - spans[-1][1] < shortest:
                start = spans.pop()[1]
        spans.append([phone.symbol, start, end, phone.stress])
    tiled: list[list] = []
    clock = 0.0
    for symbol, start, end, stress in spans:
        if start - clock >= shortest:
            tiled.append(["sil", clock, start, 0])
        else:
            start = clock
        tiled.append([symbol, start, end, stress])
        clock = end
    if duration - clock >= shortest or not tiled:
        tiled.append(["sil", clock, duration, 0])
    else:
        tiled[-1][2] = duration
    joined: list[list] = []
    for span in tiled:
        if joined and span[0] == "sil" and joined[-1][0] == "sil":
            joined[-1][2] = span[2]
        else:
            joined.append(span)
    return tuple(Phone(symbol, start, end, stress) for symbol, start, end, stress in joined)
