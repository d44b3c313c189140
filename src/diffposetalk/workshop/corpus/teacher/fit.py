"""Fit a teacher: phones from aligned English recordings, the lip gap from filmed people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.metrics.phones import PhoneCounts, phone_counts
from diffposetalk.progress import Progress
from diffposetalk.speech import SAMPLE_RATE, Speech
from diffposetalk.speech.transcript.phones import SYMBOLS
from diffposetalk.speech.transcript.timing import phone_labels
from diffposetalk.speech.whisper import WhisperEncoder
from diffposetalk.workshop.corpus.recordings.layouts import read_recordings
from diffposetalk.workshop.corpus.recordings.recording import Recording
from diffposetalk.workshop.corpus.recordings.speech import Unusable, phones_of
from diffposetalk.workshop.corpus.teacher import phones as phone_reader
from diffposetalk.workshop.corpus.teacher.footage import filmed_clips, load_gaps
from diffposetalk.workshop.corpus.teacher.lips import LipMap, fit_lips
from diffposetalk.workshop.corpus.teacher.phones import PhoneClassifier
from diffposetalk.workshop.corpus.teacher.teacher import Teacher, standardised

COMPONENTS = 96
"""Components of the Whisper features that the speech encoder learns."""
HIDDEN = 256
"""Width of the phone classifier."""
STEPS = 3000
"""Training steps of the phone classifier."""
BATCH = 1024
"""Features in a step."""
HELD_OUT = 10
"""One speaker of so many is kept aside to measure the classifier."""
GAP_MEAN, GAP_SPREAD = 0.216, 0.179
"""Mean and standard deviation of the lip gap that the articulation model gives a neutral speaker of English recordings."""


def fit_teacher(
    recordings: Sequence[Path], footage: Sequence[Path], whisper: WhisperEncoder, progress: Progress | None = None
) -> tuple[Teacher, dict[str, float]]:
    """Fit a teacher.

    Args:
        recordings: folders of speech; what is English and has text is aligned and teaches the phones.
        footage: folders of filmed speech with lip gaps, see `footage`; each folder is one person.
        whisper: the model whose features are read.
        progress: called with the recordings done, all recordings, and what is going on.

    Returns:
        The teacher; and the share of right phones, and of bilabials found and right, on speakers that were kept aside.

    Raises:
        InputError: no recording can be aligned, or a folder of footage has no lip gaps or no usable video.
    """
    listed = [each for folder in recordings for each in read_recordings(folder)]
    english = [each for each in listed if each.language[:2] == "en" and each.text]
    films = [(folder, load_gaps(folder)) for folder in footage]
    total = len(english) + sum(len(gaps) for _, gaps in films)
    features: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    kept_aside: list[bool] = []
    done = 0
    for recording in english:
        heard = _aligned_features(recording, whisper)
        if heard is not None:
            features.append(heard[0])
            labels.append(heard[1])
            kept_aside.append(int(hashlib.sha256(recording.speaker.encode()).hexdigest(), 16) % HELD_OUT == 0)
        done += 1
        if progress:
            progress(done, total, "listening")
    if not features or all(kept_aside):
        raise InputError("no English recording with text could be aligned; the teacher cannot learn phones")
    people = []
    for folder, gaps in films:
        clips = []
        for clip in filmed_clips(folder, gaps, whisper):
            clips.append(clip)
            done += 1
            if progress:
                progress(done, total, "watching")
        if not clips:
            raise InputError(f"{folder}: no video with lip gaps in most of its frames")
        people.append(clips)
    everything = np.concatenate([*features, *(feature for clips in people for feature, _ in clips)]).astype(np.float32)
    mean, scale = everything.mean(0), everything.std(0) + 1e-3
    projection = _components((everything - mean) / scale)
    standard = [standardised(each, mean, scale) for each in features]
    training = [index for index, aside in enumerate(kept_aside) if not aside]
    held_out = [index for index, aside in enumerate(kept_aside) if aside]
    classifier = _classifier([standard[k] for k in training], [labels[k] for k in training], progress)
    figures = phone_figures(classifier, [standard[k] for k in held_out], [labels[k] for k in held_out])
    weights = fit_lips(
        [([standardised(feature, mean, scale) for feature, _ in clips], [gap for _, gap in clips]) for clips in people]
    )
    return Teacher(mean, scale, projection, classifier, _on_scale(LipMap(weights, 0.0, 1.0), standard)), figures


def _on_scale(lips: LipMap, features: Sequence[np.ndarray]) -> LipMap:
    """Bring a map to the scale of the articulation model, by what it gives for standardised features of recordings."""
    gaps = np.concatenate([lips.gap(each) for each in features])
    spread = GAP_SPREAD / float(gaps.std())
    return LipMap(lips.weights, GAP_MEAN - spread * float(gaps.mean()), spread)


def phone_figures(
    classifier: PhoneClassifier, features: Sequence[np.ndarray], labels: Sequence[np.ndarray]
) -> dict[str, float]:
    """Measure a classifier: share of right phones, and of bilabial steps found and right; empty without clips."""
    if not features:
        return {}
    counts = PhoneCounts.pooled(
        phone_counts(classifier.log_probabilities(each).argmax(1), said) for each, said in zip(features, labels)
    )
    names = ("phones", "bilabials_found", "bilabials_right")
    return {name: float(np.nan_to_num(counts.shares[name])) for name in names}


def _aligned_features(recording: Recording, whisper: WhisperEncoder) -> tuple[np.ndarray, np.ndarray] | None:
    """Return features and phone numbers of a recording, or None where it cannot be aligned."""
    try:
        speech = Speech.load(recording.path, SAMPLE_RATE)
        phones = phones_of(recording, speech)
    except (Unusable, DiffPoseTalkError):
        return None
    features = whisper.features(speech.samples).astype(np.float16)
    return features, phone_labels(phones, len(features))


def _components(standardised: np.ndarray) -> np.ndarray:
    """Return the leading principal components ``(D, K)``; less important ones are scaled down, but not fully."""
    values, vectors = np.linalg.eigh(np.cov(standardised[::4].T))
    values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
    return (vectors / np.sqrt(values) * (values / values[0]) ** 0.25).astype(np.float32)


def _classifier(
    features: Sequence[np.ndarray], labels: Sequence[np.ndarray], progress: Progress | None
) -> PhoneClassifier:
    """Train the phone classifier."""
    import torch
    from torch import nn
    from torch.nn import functional

    torch.manual_seed(0)
    steps = np.concatenate([np.full(len(each), index) for index, each in enumerate(features)])
    first = np.concatenate([[0], np.cumsum([len(each) for each in features])])
    everything = np.concatenate(features).astype(np.float16)
    targets = torch.from_numpy(np.concatenate(labels))
    n_inputs = everything.shape[1] * len(phone_reader.CONTEXT)
    first_layer, last_layer = nn.Linear(n_inputs, HIDDEN), nn.Linear(HIDDEN, len(SYMBOLS))
    network = nn.Sequential(first_layer, nn.ReLU(), nn.Dropout(0.3), last_layer)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.05)
    rates = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        chosen = rng.integers(len(everything), size=BATCH)
        clip = steps[chosen]
        rows = [np.clip(chosen + away, first[clip], first[clip + 1] - 1) for away in phone_reader.CONTEXT]
        inputs = torch.from_numpy(np.concatenate([everything[row] for row in rows], axis=1)).float()
        loss = functional.cross_entropy(network(inputs), targets[chosen], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rates.step()
        if progress:
            progress(step + 1, STEPS, "learning phones")
    arrays = (first_layer.weight.T, first_layer.bias, last_layer.weight.T, last_layer.bias)
    return PhoneClassifier(*(array.detach().numpy().copy() for array in arrays))
