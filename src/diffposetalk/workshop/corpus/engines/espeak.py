"""espeak-ng through its C API (library and data from PyPI `espeakng-loader`), with phone events in IPA."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from diffposetalk.speech.transcript.phone_maps import from_ipa
from diffposetalk.speech.transcript.phones import Phone, fill_silence
from diffposetalk.workshop.corpus.engines.base import EngineOutput, Line, Voice, samples_from_int16

TIME_SHIFT = -0.016
"""Seconds to add to the event times: espeak-ng announces phones late (measured against forced alignment)."""

_CLOSURE_S = 0.044
"""Seconds before its event at which a voiceless stop's closure begins (least energy is 22 ms before the middle)."""

_SYNCHRONOUS = 2
"""Output mode of espeak-ng, as are the following numbers of its header `speak_lib.h`."""
_PHONEME_EVENTS_IN_IPA = 1 + 2
"""Option that asks for an event for each phone, named in IPA."""
_EVENT_END = 0
"""Type of the last event of a list."""
_EVENT_PHONEME = 7
"""Type of the event of a phone."""
_RATE = 1
"""Number of the parameter for words per minute."""
_PITCH = 3
"""Number of the parameter for pitch, 0 to 100."""
_RANGE = 4
"""Number of the parameter for the range of pitch, 0 to 100."""
_NORMAL_RATE = 165
"""Words per minute at a rate of 1."""

_LICENCE = "engine GPL-3+, program output free"
"""Terms of all voices."""

_ACCENTS = {"en-us": 4.0, "en": 2.0, "en-gb-scotland": 1.0, "en-gb-x-rp": 1.0, "en-gb-x-gbclan": 0.7, "en-029": 0.5}
"""Share of each English accent."""

_LANGUAGES = tuple("it es fr de fi cs ca pt pt-br nl pl sv es-419 ro hu id tr".split())  # noqa: SIM905
"""Codes of the other languages."""

_VARIANTS = (
    "",
    *"""
    m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt3 klatt4 klatt5 klatt6 adam Alex Alicia Andrea Andy
    anika Annie antonio aunty belinda benjamin boris caleb david Denis Diogo ed edward edward2 Gene Gene2
    grandma grandpa gustave Henrique Hugo ian iven iven2 iven3 iven4 Jacky john kaukovalta Lee linda Marco Mario
    marcelo max Michael michel miguel Mike mike2 norbert pablo paul pedro quincy Reed RicishayMax rob robert
    sandro shelby steph steph2 steph3 travis victor zac
""".split(),  # noqa: SIM905
)
"""Variants that sound like a person: without whisper, robot and effect voices."""


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Session:
    """The library has one global state: this object owns its callback and collects its samples and events."""

    def __init__(self, library: Any, sample_rate: int) -> None:
        self.library = library
        self.sample_rate = sample_rate
        self.blocks: list[np.ndarray] = []
        self.events: list[tuple[int, str]] = []
        self._callback = _Callback(self._receive)
        library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.blocks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        position = 0
        while events[position].type != _EVENT_END:
            event = events[position]
            if event.type == _EVENT_PHONEME:
                self.events.append((event.sample, bytes(event.id.string).decode("utf-8", "ignore")))
            position += 1
        return 0


@cache
def _session() -> _Session | None:
    """Return the initialised engine, or None if espeakng-loader is not installed."""
    try:
        import espeakng_loader
    except ImportError:
        return None
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError:
        return None
    library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
    sample_rate = library.espeak_Initialize(
        _SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), _PHONEME_EVENTS_IN_IPA
    )
    if sample_rate <= 0:
        return None
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return _Session(library, sample_rate)


class Espeak:
    """The espeak-ng engine: English accents and other languages, times some eighty voice variants.

    The library's wave generator goes on from where the line before ended: a line has the same samples only after the
    same lines in the same process (`workshop.corpus.build` gives every speaker a process of its own).
    """

    name = "espeak"

    def voices(self) -> list[Voice]:
        """Return English accents with every variant, and other languages with every fifth."""
        if _session() is None:
            return []
        voices = []
        for accent, share in _ACCENTS.items():
            voices += [
                Voice("espeak", f"espeak:{accent}:{variant}", "en", share, False, _LICENCE) for variant in _VARIANTS
            ]
        for number, language in enumerate(_LANGUAGES):
            voices += [
                Voice("espeak", f"espeak:{language}:{variant}", language[:2], 1.0, False, _LICENCE)
                for variant in _VARIANTS[number % 5 :: 5]
            ]
        return voices

    def speak(self, voice: Voice, lines: Sequence[Line]) -> list[EngineOutput | None]:
        """Speak lines; all voices follow rate and pitch."""
        return [self._speak_line(voice, line) for line in lines]

    def _speak_line(self, voice: Voice, line: Line) -> EngineOutput | None:
        session = _session()
        if session is None:
            return None
        _, language, variant = voice.name.split(":", 2)
        library = session.library
        if library.espeak_SetVoiceByName(f"{language}+{variant}".rstrip("+").encode()) != 0:
            return None
        library.espeak_SetParameter(_RATE, int(np.clip(round(_NORMAL_RATE * line.rate), 80, 400)), 0)
        library.espeak_SetParameter(_PITCH, int(np.clip(round(50 + 80 * np.log2(line.pitch)), 5, 95)), 0)
        library.espeak_SetParameter(_RANGE, 50, 0)
        session.blocks, session.events = [], []
        text = line.text.encode("utf-8")
        status = library.espeak_Synth(text, len(text) + 1, 0, 0, 0, 1, None, None)
        library.espeak_Synchronize()
        if status != 0 or not session.blocks:
            return None
        pcm = np.concatenate(session.blocks)
        phones = _with_closures(_read_events(session.events, len(pcm), session.sample_rate))
        shifted = [Phone(p.symbol, p.start + TIME_SHIFT, p.end + TIME_SHIFT, p.stress) for p in phones]
        return EngineOutput(
            samples_from_int16(pcm), session.sample_rate, fill_silence(shifted, len(pcm) / session.sample_rate)
        )


def _read_events(events: Sequence[tuple[int, str]], n_samples: int, sample_rate: int) -> list[Phone]:
    """Turn events `(sample, IPA)` into phones, each lasting until the next event.

    A mark of stress stands before its vowel's or syllable's first phone and is kept for the next vowel. Unnamed
    events below 60 ms are joints inside a word, given to the phone that follows; longer ones are pauses.
    """
    joint = int(0.06 * sample_rate)
    named: list[tuple[int, str]] = []
    for position, (sample, label) in enumerate(events):
        following = events[position + 1][0] if position + 1 < len(events) else n_samples
        if not label and following - sample < joint:
            if position + 1 < len(events) and events[position + 1][1]:
                events = [*events[: position + 1], (sample, events[position + 1][1]), *events[position + 2 :]]
            continue
        named.append((sample, label))
    events = named
    phones: list[Phone] = []
    stress = 0
    for position, (sample, label) in enumerate(events):
        following = events[position + 1][0] if position + 1 < len(events) else n_samples
        stress = 1 if "ˈ" in label else 2 if "ˌ" in label else stress
        read = from_ipa(label, sample / sample_rate, max(following, sample) / sample_rate, stress)
        if any(p.stress for p in read):
            stress = 0
        phones += read
    return phones


def _with_closures(phones: list[Phone]) -> list[Phone]:
    """Begin voiceless stops at their closure: espeak-ng's event marks little more than the burst.

    The closure is taken from the phone before, of which at least half remains.
    """
    moved = list(phones)
    for position in range(1, len(moved)):
        phone, before = moved[position], moved[position - 1]
        if phone.features.stop and not phone.features.voiced and phone.symbol != "q":
            start = phone.start - min(_CLOSURE_S, 0.5 * before.duration)
            moved[position - 1] = Phone(before.symbol, before.start, start, before.stress)
            moved[position] = Phone(phone.symbol, start, phone.end, phone.stress)
    return [phone for phone in moved if phone.end > phone.start]
