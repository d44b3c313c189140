"""How well does a model's speech encoder hear people that it has not met?

Probes learn phones from recorded speakers that the model was trained with, and read them from speakers held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffposetalk.errors import InputError
from diffposetalk.metrics import PhoneCounts, phone_counts
from diffposetalk.model.encoders import AnySpeechEncoder
from diffposetalk.model.frames import FRAME_SAMPLES
from diffposetalk.progress import Progress, labelled, over
from diffposetalk.speech.transcript.phones import SYMBOLS
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.workshop.corpus.shards import SpeakerInfo, load_shard, shard_summary
from diffposetalk.workshop.evaluate.hearing.inputs import Inputs, LogMels, encoder_inputs
from diffposetalk.workshop.evaluate.hearing.probe import fit_probe
from diffposetalk.workshop.evaluate.tables import table, verdict
from diffposetalk.workshop.train.lite.material import split_speakers

PER_SPEAKER_S = 30.0
"""Seconds of one speaker that a probe learns from at most."""
SEED = 0
"""Of the order in which speakers are chosen."""
FEWEST_STEPS = 2000
"""Held-out steps (20 ms) below which a language or source is left out of the table, but not of the JSON result."""
TARGETS = {"phones": 0.62, "bilabials_found": 0.75, "bilabials_right": 0.65}
"""What English speakers held out should reach."""
EARS = {"encoder": "speech encoder", "log_mels": "log-mels (floor)"}
"""What hears, as in the result -> as in the report."""


@dataclass(frozen=True)
class HeardClip:
    """A clip as the encoder and the log-mels give it, with its phones."""

    speaker: SpeakerInfo
    """Who speaks."""
    inputs: Mapping[str, Inputs]
    """What hears, as in `EARS` -> what a probe reads, ``2 T`` steps."""
    phones: np.ndarray
    """``(2 T,)`` int64 numbers of the phones said."""


def recorded_speakers(corpus: Path, names: Sequence[str], progress: Progress | None = None) -> dict[str, float]:
    """Return those speakers that were recorded, not synthesised, with the seconds of each."""
    seconds = {}
    for name in over(names, progress, "reading the corpus"):
        info, clips, _ = shard_summary(corpus, name)
        if info.source:
            seconds[name] = sum(clips)
    return seconds


def chosen_speakers(seconds: Mapping[str, float], hours: float) -> list[str]:
    """Choose speakers at random until together they give the hours, at most `PER_SPEAKER_S` each."""
    order = np.random.default_rng(SEED).permutation(sorted(seconds)).tolist()
    ends = np.cumsum([min(seconds[name], PER_SPEAKER_S) for name in order])
    return order[: int(np.searchsorted(ends, hours * 3600)) + 1]


def heard_clips(
    corpus: Path,
    speakers: Sequence[str],
    encoder: AnySpeechEncoder,
    longest_s: float = float("inf"),
    progress: Progress | None = None,
) -> Iterator[HeardClip]:
    """Yield the clips of speakers, up to some seconds of each."""
    log_mels = LogMels()
    for speaker in over(speakers, progress, "listening"):
        left_s = longest_s
        for clip in load_shard(corpus, speaker):
            n_frames = int(min(clip.duration, left_s) * 25 + 1e-6)
            if n_frames < 1:
                continue
            left_s -= n_frames / 25
            samples = clip.speech.samples[: n_frames * FRAME_SAMPLES]
            inputs = {"encoder": encoder_inputs(encoder, samples), "log_mels": log_mels.inputs(samples)}
            yield HeardClip(clip.speaker, inputs, phone_labels(clip.phones, 2 * n_frames))


def measure(
    training: Sequence[HeardClip], held_out: Sequence[HeardClip], progress: Progress | None = None
) -> dict[str, Any]:
    """Fit probes on some speakers and count what they hear of others.

    Returns:
        For each of `EARS`: ``all``, ``english``, ``languages`` and ``sources`` (by name). Each entry has the number of
        ``speakers`` and ``steps``, the shares that `PhoneCounts` describes, and of what numbers the last three are
        shares. ``targets_met`` says which of `TARGETS` the encoder reaches.
    """
    phones = torch.from_numpy(np.concatenate([clip.phones for clip in training]))
    result: dict[str, Any] = {}
    for ear, label in EARS.items():
        inputs = Inputs.joined([clip.inputs[ear] for clip in training])
        probe = fit_probe(inputs, phones, len(SYMBOLS), labelled(progress, label))
        counted = [
            (clip.speaker, phone_counts(probe.phones(clip.inputs[ear]).numpy(), clip.phones)) for clip in held_out
        ]
        result[ear] = _grouped(counted)
    english = result["encoder"]["english"]
    met = {f"{name}_at_least_{least}": english[name] >= least for name, least in TARGETS.items()} if english else {}
    return result | {"targets_met": met}


def _grouped(counted: Sequence[tuple[SpeakerInfo, PhoneCounts]]) -> dict[str, Any]:
    """Pool the counts of clips: all, English, each language, each source."""

    def row(chosen: Sequence[tuple[SpeakerInfo, PhoneCounts]]) -> dict[str, float]:
        counts = PhoneCounts.pooled(one for _, one in chosen)
        return {
            "speakers": len({info.speaker for info, _ in chosen}),
            "steps": counts.phones.total,
            **counts.shares,
            "bilabials_said": counts.bilabials_found.total,
            "bilabials_heard": counts.bilabials_right.total,
            "closures_heard": counts.false_closures.total,
        }

    def rows(attribute: str) -> dict[str, dict[str, float]]:
        names = sorted({getattr(info, attribute) for info, _ in counted})
        named = {name: row([one for one in counted if getattr(one[0], attribute) == name]) for name in names}
        return dict(sorted(named.items(), key=lambda item: -item[1]["steps"]))

    english = [one for one in counted if one[0].language.lower().split("-")[0] == "en"]
    return {
        "all": row(counted),
        "english": row(english) if english else None,
        "languages": rows("language"),
        "sources": rows("source"),
    }


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as tables with verdicts."""
    fitted = result["fitted"]
    lines = [
        f"{result['model']}: probes fitted on {fitted['speakers']} recorded speakers ({fitted['hours']:.2f} h), measured "
        f"on speakers held out of training (validation_share {result['validation_share']:g}, as the model's recipe "
        "must have had)",
    ]
    header = ["", "speakers", "steps", "phones", "without silence", "p b m found", "p b m right", "false closures"]
    for ear, label in EARS.items():
        groups = result[ear]
        named = {"English": groups["english"], "all languages": groups["all"]}
        languages = {name: row for name, row in groups["languages"].items() if row != groups["english"]}
        named |= {f"language {name or 'unknown'}": row for name, row in languages.items()}
        named |= {f"source {name}": row for name, row in groups["sources"].items()}
        rows = [
            [name, *list(row.values())[: len(header) - 1]]
            for name, row in named.items()
            if row and (row["steps"] >= FEWEST_STEPS or name == "all languages")
        ]
        lines += ["", table([label, *header[1:]], rows)]
    lines += [
        "",
        f"steps last 20 ms; languages and sources of fewer than {FEWEST_STEPS} steps are only in the result of --json",
        *(f"English: {name.replace('_', ' ')}: {verdict(met)}" for name, met in result["targets_met"].items()),
    ]
    return "\n".join(lines)


def evaluate(
    recordings: Path,
    model: str = "lite",
    hours: float = 2.0,
    validation_share: float = 0.08,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure how well a model's speech encoder hears recorded speakers held out of its training.

    Args:
        recordings: corpus with recorded speakers, made by `diffposetalk corpus --recordings`.
        model: whose speech encoder is measured, by name or file.
        hours: speech that the probes learn from at most.
        validation_share: share of the corpus's speakers that was held out when the model was trained.
        progress: called while speech is read and while probes are fitted.

    Raises:
        InputError: there is no corpus, or it has no recorded speakers to learn from or to measure on.
    """
    from diffposetalk.generate.pretrained import model_path
    from diffposetalk.model.checkpoint import load_model

    encoder = load_model(model_path(model)).speech_encoder
    training, held_out = (
        recorded_speakers(recordings, names, progress) for names in split_speakers(recordings, validation_share)
    )
    for speakers, purpose in ((training, "learn from"), (held_out, "measure on")):
        if not speakers:
            raise InputError(
                f"{recordings}: no recorded speakers to {purpose}; make a corpus of recordings of more people "
                "(`diffposetalk corpus --recordings`)"
            )
    chosen = chosen_speakers(training, hours)
    heard = list(heard_clips(recordings, chosen, encoder, PER_SPEAKER_S, progress))
    unmet = list(heard_clips(recordings, sorted(held_out), encoder, progress=progress))
    if not heard or not unmet:
        raise InputError(f"{recordings}: its recorded speakers say nothing; make the corpus anew")
    fitted = {"speakers": len(chosen), "hours": sum(len(clip.phones) for clip in heard) / 50 / 3600}
    return {
        "model": str(model),
        "validation_share": validation_share,
        "fitted": fitted,
        **measure(heard, unmet, progress),
    }
