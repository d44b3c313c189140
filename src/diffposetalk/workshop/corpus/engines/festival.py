"""festival 2.5, run as a program: English, Italian, Finnish, Czech and Catalan voices with their segment times."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from diffposetalk.speech.transcript import phone_maps
from diffposetalk.speech.transcript.phones import Phone, fill_silence
from diffposetalk.workshop.corpus.engines.base import EngineOutput, Line, Voice, samples_from_int16

_TIME_SHIFTS: dict[str, float] = {}
"""Seconds to add to the phone times, by voice (measured against forced alignment and closures)."""

_VOICES = (
    ("en", "BSD-like (CMU)", "kal_diphone ked_diphone cmu_us_slt_arctic_hts"),
    ("it", "GPL-2+", "lp_diphone pc_diphone"),
    ("fi", "LGPL-2.1+", "suo_fi_lj_diphone hy_fi_mv_diphone"),
    ("cs", "voice free for any use, engine GPL", "czech_dita czech_krb czech_machac czech_ph"),
    ("ca", "LGPL-3", "upc_ca_ona_hts"),
)
"""Language, licence, and the names of its voices."""

_TABLES = {"it": phone_maps.ITALIAN, "fi": phone_maps.FINNISH, "cs": phone_maps.CZECH, "ca": phone_maps.CATALAN}

_ENCODINGS = {"cs": "iso-8859-2"}

# Scales the intonation model's mean (`int_lr_params`, where the voice has one) by the factor; 1.0 leaves it.
_PRELUDE = """
(voice_{voice})
(define (dpt_pitch factor)
  (if (boundp 'int_lr_params)
    (set! int_lr_params
      (mapcar (lambda (entry)
        (if (string-equal (car entry) "target_f0_mean") (list (car entry) (* factor (cadr entry))) entry))
        dpt_lr_params))))
(set! dpt_lr_params (if (boundp 'int_lr_params) int_lr_params nil))
(set! dpt_stretch (Parameter.get 'Duration_Stretch))
(if (not (number? dpt_stretch)) (set! dpt_stretch 1.0))
(define (dpt_say text stretch pitch name)
  (Parameter.set 'Duration_Stretch (* dpt_stretch stretch))
  (dpt_pitch pitch)
  (let ((utt (SynthText text)) (out nil))
    (utt.save.wave utt (string-append name ".wav") 'riff)
    (set! out (fopen (string-append name ".lab") "w"))
    (mapcar (lambda (s) (format out "%s %f %s\\n" (item.name s) (item.feat s "end")
                                (item.feat s "R:SylStructure.parent.stress")))
            (utt.relation.items utt 'Segment))
    (fclose out)))
"""


@cache
def _installed() -> frozenset[str]:
    """Return the names of festival's installed voices, empty without festival."""
    program = shutil.which("festival")
    if program is None:
        return frozenset()
    try:
        answer = subprocess.run(
            [program, "-b", '(format t "%l" (voice.list))'], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return frozenset()
    return frozenset(answer.stdout.decode("latin-1").strip().strip("()").split())


class Festival:
    """The festival engine; one process speaks all lines of a call."""

    name = "festival"

    def voices(self) -> list[Voice]:
        """Return the voices of our table that `(voice.list)` names."""
        installed = _installed()
        return [
            Voice("festival", f"festival:{name}", language, 1.0, True, licence)
            for language, licence, names in _VOICES
            for name in names.split()
            if name in installed
        ]

    def speak(self, voice: Voice, lines: Sequence[Line]) -> list[EngineOutput | None]:
        """Speak lines; all voices follow ``rate``; those with a linear-regression intonation follow ``pitch``."""
        name = voice.name.split(":", 1)[1]
        with tempfile.TemporaryDirectory(prefix="festival-") as folder:
            script = [_PRELUDE.format(voice=name)]
            for i, line in enumerate(lines):
                text = line.text.replace("\\", " ").replace('"', " ")
                script.append(
                    f'(unwind-protect (dpt_say "{text}" {1 / line.rate:.4f} {line.pitch:.4f} "{folder}/{i}") nil)'
                )
            encoding = _ENCODINGS.get(voice.language, "latin-1")
            path = Path(folder) / "lines.scm"
            path.write_bytes("\n".join(script).encode(encoding, "ignore"))
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    ["festival", "-b", str(path)],
                    capture_output=True,
                    timeout=30 + 10 * len(lines),
                    check=False,
                    cwd=folder,
                )
            return [self._read(Path(folder) / str(i), name, voice.language) for i in range(len(lines))]

    @staticmethod
    def _read(stem: Path, name: str, language: str) -> EngineOutput | None:
        """Read one line's sound and labels; None if festival did not finish them."""
        try:
            with wave.open(f"{stem}.wav") as sound:
                sample_rate = sound.getframerate()
                pcm = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
            labels = stem.with_suffix(".lab").read_text(encoding="latin-1").splitlines()
        except (OSError, EOFError, wave.Error):
            return None
        if not labels or len(pcm) < sample_rate // 5:
            return None
        shift = _TIME_SHIFTS.get(name, 0.0)
        phones: list[Phone] = []
        start = 0.0
        for row in labels:
            label, end_text, stress_text = [*row.split(), "0", "0"][:3]
            end = float(end_text)
            if language == "en":
                phones += phone_maps.from_radio(label, start, end, int(stress_text) if stress_text.isdigit() else 0)
            else:
                stress = 1 if label.endswith("1") or (stress_text == "1" and language != "it") else 0
                name_only = label.replace(":", "") if language == "fi" else label
                phones += phone_maps.from_table(_TABLES[language], name_only, start, end, stress)
            start = end
        shifted = [Phone(p.symbol, p.start + shift, p.end + shift, p.stress) for p in phones]
        return EngineOutput(samples_from_int16(pcm), sample_rate, fill_silence(shifted, len(pcm) / sample_rate))
