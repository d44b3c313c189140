"""flite 2.x through its shared libraries: clustergen voices rms, slt, awb and the diphone voice kal16."""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Sequence
from functools import cache

import numpy as np

from diffposetalk.speech.transcript.phone_maps import from_radio
from diffposetalk.speech.transcript.phones import Phone, fill_silence
from diffposetalk.workshop.corpus.engines.base import EngineOutput, Line, Voice, samples_from_int16

TIME_SHIFT = -0.005
"""Seconds to add to flite's phone times (measured against forced alignment)."""

_SHARES = {"rms": 1.0, "slt": 1.0, "awb": 1.0, "kal16": 0.35}
"""Share of each voice."""


class _Wave(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("n_samples", ctypes.c_int),
        ("n_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    ]


class _VoiceStruct(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("features", ctypes.c_void_p)]


@cache
def _library() -> ctypes.CDLL | None:
    """Return libflite with argument types declared, or None where it is not installed."""
    try:
        library = ctypes.CDLL("libflite.so.1", mode=ctypes.RTLD_GLOBAL)
        for part in ("libflite_cmulex.so.1", "libflite_usenglish.so.1"):
            ctypes.CDLL(part, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None
    library.flite_init()
    declarations = {
        "flite_synth_text": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_void_p]),
        "utt_wave": (ctypes.POINTER(_Wave), [ctypes.c_void_p]),
        "utt_relation": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
        "relation_head": (ctypes.c_void_p, [ctypes.c_void_p]),
        "item_next": (ctypes.c_void_p, [ctypes.c_void_p]),
        "ffeature_string": (ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_char_p]),
        "ffeature_float": (ctypes.c_float, [ctypes.c_void_p, ctypes.c_char_p]),
        "feat_set_float": (None, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_float]),
        "delete_utterance": (None, [ctypes.c_void_p]),
    }
    for function, (result, arguments) in declarations.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    return library


@cache
def _voice_pointer(name: str) -> int | None:
    """Return the registered flite voice, or None where its library is missing."""
    if _library() is None:
        return None
    try:
        voice_library = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
    except OSError:
        return None
    register = getattr(voice_library, f"register_cmu_us_{name}")
    register.restype = ctypes.c_void_p
    register.argtypes = [ctypes.c_char_p]
    return register(None)


class Flite:
    """The flite engine; phone times come from its Segment relation."""

    name = "flite"

    def voices(self) -> list[Voice]:
        """Return the CMU voices whose libraries load."""
        return [
            Voice("flite", f"flite:{name}", "en", share, True, "BSD-like (CMU)")
            for name, share in _SHARES.items()
            if _voice_pointer(name) is not None
        ]

    def speak(self, voice: Voice, lines: Sequence[Line]) -> list[EngineOutput | None]:
        """Speak lines; `rate` is obeyed, `pitch` only by the diphone voice."""
        return [self._speak_line(voice.name.split(":", 1)[1], line) for line in lines]

    def _speak_line(self, name: str, line: Line) -> EngineOutput | None:
        library, pointer = _library(), _voice_pointer(name)
        if library is None or pointer is None:
            return None
        ctypes.CDLL(None).srand(zlib.crc32(line.text.encode()))  # the excitation noise: same line, same samples
        features = ctypes.cast(pointer, ctypes.POINTER(_VoiceStruct)).contents.features
        library.feat_set_float(features, b"duration_stretch", 1.0 / line.rate)
        if name == "kal16":
            library.feat_set_float(features, b"int_f0_target_mean", 100.0 * line.pitch)
        utterance = library.flite_synth_text(line.text.encode("ascii", "ignore"), pointer)
        if not utterance:
            return None
        try:
            wave = library.utt_wave(utterance).contents
            pcm = np.ctypeslib.as_array(wave.samples, shape=(wave.n_samples,)).copy()
            sample_rate = wave.sample_rate
            phones: list[Phone] = []
            start = 0.0
            item = library.relation_head(library.utt_relation(utterance, b"Segment"))
            while item:
                label = library.ffeature_string(item, b"name").decode()
                end = library.ffeature_float(item, b"end")
                stress = library.ffeature_string(item, b"R:SylStructure.parent.stress").decode()
                phones.extend(from_radio(label, start, end, int(stress) if stress.isdigit() else 0))
                start = end
                item = library.item_next(item)
        finally:
            library.delete_utterance(utterance)
        shifted = [Phone(p.symbol, p.start + TIME_SHIFT, p.end + TIME_SHIFT, p.stress) for p in phones]
        return EngineOutput(samples_from_int16(pcm), sample_rate, fill_silence(shifted, len(pcm) / sample_rate))
