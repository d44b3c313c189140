"""The speech encoders by onnxruntime: the arithmetic of `model.speech_encoder` and `model.whisper_speech`.

The compact encoder streams: each convolution keeps the end of its input, so nothing is computed twice, however short the
pieces are. Log-mels and their running mean are computed by numpy (`model.onnx.mels`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.model.configs import ScriptedConfig, SpeechEncoderConfig, WhisperSpeechConfig
from diffposetalk.model.frames import FRAME_SAMPLES, LOOKAHEAD, MELS_PER_FRAME, OVERLAP, SILENCE, chunks, filled_up
from diffposetalk.model.onnx.graph import Graph, StoredWeights, Weights
from diffposetalk.model.onnx.mels import MelState, log_mels, normalised
from diffposetalk.model.onnx.session import run, session
from diffposetalk.speech.whisper import (
    CHUNK_FRAMES,
    LARGEST_FEATURE,
    OVERLAP_FRAMES,
    WhisperEncoder,
    features_of_width,
    whisper_folder,
)

FRAMES_AT_ONCE = 100
"""Motion frames of a file that are encoded at a time."""


@dataclass(frozen=True)
class SpeechState:
    """What the compact encoder keeps between two pieces of speech: arrays and numbers."""

    before: np.ndarray
    """``(OVERLAP,)`` the last samples."""
    mels: MelState
    """The running normalisation."""
    convolutions: tuple[np.ndarray, ...]
    """The end of each convolution's input."""
    n_early: int
    """Frames to come that belong to the time before the speech."""


class _Scripted(StoredWeights):
    """What known phones add to the features; the weights of `model.speech_encoder.ScriptEncoder`."""

    def __init__(self, config: ScriptedConfig, arrays: Mapping[str, np.ndarray], weights: Weights) -> None:
        super().__init__(arrays)
        n_phones, dim = config.n_phones, config.dim
        self.n_phones, self.dim = n_phones, dim
        if n_phones:
            self._entry = _convolution(weights, "script.entry", n_phones, dim, 7)
            self._exit = _convolution(weights, "script.exit", dim, dim, 8)

    @property
    def takes_phones(self) -> bool:
        """Whether the encoder was trained with the phones of transcripts."""
        return self.n_phones > 0

    def script_graph(self) -> bytes:
        """Return the graph ``phones (2 F, n_phones) -> added (F, dim)``."""
        graph = Graph("script")
        x = graph.input("phones", "S", self.n_phones)
        x = graph.node("Gelu", same_convolution(graph, x, self._entry, self.n_phones, 7))
        graph.output(halving_convolution(graph, x, self._exit, self.dim, 8), "added", "F", self.dim)
        return graph.to_bytes()

    @cached_property
    def _script(self) -> Any:
        return session(self.script_graph())

    def added_by_phones(self, phones: np.ndarray) -> np.ndarray:
        """Return what phones ``(2 F,)``, 50 a second, add to the features ``(F, dim)``.

        Raises:
            UsageError: the encoder was not trained with phones.
        """
        if not self.takes_phones:
            raise UsageError("the model's speech encoder takes no transcript; use a model that was trained with phones")
        return run(self._script, {"phones": np.eye(self.n_phones)[phones]})[0]


class OnnxSpeechEncoder(_Scripted):
    """The compact speech encoder, run by onnxruntime."""

    def __init__(
        self, config: SpeechEncoderConfig, arrays: Mapping[str, np.ndarray], where: object = "the speech encoder"
    ) -> None:
        """Take the weights; the session is made when it is first used.

        Raises:
            ModelError: a weight is missing, surplus or misshapen.
        """
        self.config, weights = config, Weights(arrays, where)
        super().__init__(config, arrays, weights)
        width = config.width
        self.prior = weights.take("prior", config.n_mels)
        entry, bias = _convolution(weights, "entry", config.n_mels, width, 5)
        self._entry_map = (np.pad(entry, ((0, config.n_mels), (0, 0))), bias)  # a sixth tap of weight 0: whole pairs
        self._blocks = [
            (
                (weights.take(f"blocks.{k}.norm.weight", width), weights.take(f"blocks.{k}.norm.bias", width)),
                _convolution(weights, f"blocks.{k}.convolution", width, width, 5),
                _convolution(weights, f"blocks.{k}.mix", width, width, 1),
            )
            for k in range(len(config.dilations))
        ]
        self._exit_map = _convolution(weights, "exit", width, config.dim, 4)
        weights.check_all_taken()

    @property
    def _state_shapes(self) -> list[tuple[int, int]]:
        width = self.config.width
        blocks = [(4 * dilation, width) for dilation in self.config.dilations]
        return [(MELS_PER_FRAME, self.config.n_mels), *blocks, (2, width)]

    def graph(self) -> bytes:
        """Return the graph of the convolutions.

        Inputs: ``mels (4 F, n_mels)`` and ``before0, before1, ...``, the ends of the inputs so far. Outputs:
        ``features (F, dim)`` and ``after0, after1, ...``.
        """
        graph, config = Graph("speech_encoder"), self.config
        shapes = self._state_shapes
        earlier = [graph.input(f"before{k}", *shape) for k, shape in enumerate(shapes)]
        x = graph.concat(earlier[0], graph.input("mels", "M", config.n_mels), axis=0)
        afters = [graph.slice(x, 0, -MELS_PER_FRAME)]
        pairs = graph.reshape(x, -1, 2 * config.n_mels)
        shifted = [graph.slice(pairs, 0, k, k - 2 if k < 2 else 2**62) for k in range(3)]
        x = graph.node("Gelu", graph.linear(graph.concat(*shifted, axis=1), self._entry_map))
        for before, (dilation, ahead), (norm, convolution, mix) in zip(earlier[1:], config.blocks, self._blocks):
            whole = graph.concat(before, x, axis=0)
            afters.append(graph.slice(whole, 0, -4 * dilation))
            even = graph.layer_norm(whole, *norm)
            ends = [(k - 4) * dilation if k < 4 else 2**62 for k in range(5)]
            taps = [graph.slice(even, 0, k * dilation, end) for k, end in enumerate(ends)]
            y = graph.node("Gelu", graph.linear(graph.concat(*taps, axis=1), convolution))
            stays = graph.slice(whole, 0, 4 * dilation - ahead, -ahead if ahead else 2**62)
            x = graph.add(stays, graph.linear(y, mix))
        whole = graph.concat(earlier[-1], graph.node("Gelu", x), axis=0)
        afters.append(graph.slice(whole, 0, -2))
        pairs = graph.reshape(whole, -1, 2 * config.width)
        x = graph.concat(graph.slice(pairs, 0, 0, -1), graph.slice(pairs, 0, 1), axis=1)
        graph.output(graph.linear(x, self._exit_map), "features", "F", config.dim)
        for k, (after, shape) in enumerate(zip(afters, shapes)):
            graph.output(after, f"after{k}", *shape)
        return graph.to_bytes()

    @cached_property
    def _convolutions(self) -> Any:
        return session(self.graph())

    def _convolved(self, mels: np.ndarray, states: tuple[np.ndarray, ...]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Return the features of normalised log-mels ``(4 F, n_mels)`` and the next states."""
        earlier = {f"before{k}": state for k, state in enumerate(states)}
        features, *afters = run(self._convolutions, {"mels": mels, **earlier})
        return features, tuple(afters)

    @cached_property
    def _silent(self) -> tuple[np.ndarray, ...]:
        """States of the convolutions after silence as long as the encoder's memory."""
        states = tuple(np.zeros(shape, np.float32) for shape in self._state_shapes)
        return self._convolved(self._silence(self.config.memory), states)[1]

    def _silence(self, n_frames: int) -> np.ndarray:
        return np.full((n_frames * MELS_PER_FRAME, self.config.n_mels), SILENCE, np.float32)

    def start(self) -> SpeechState:
        """Return the state before any speech: silence."""
        return SpeechState(np.zeros(OVERLAP, np.float32), MelState.start(self.prior), self._silent, LOOKAHEAD)

    def advance(self, samples: np.ndarray, state: SpeechState) -> tuple[np.ndarray, SpeechState]:
        """Encode the next samples ``(640 n,)``; return ``(t, dim)`` features that nothing to come can change, and the state."""
        mels, mean = normalised(log_mels(samples, state.before, self.config.n_mels), state.mels, self.config.memory_s)
        before = np.concatenate([state.before, samples])[-OVERLAP:]
        features, convolutions = self._convolved(mels, state.convolutions)
        n_skipped = min(state.n_early, len(features))
        return features[n_skipped:], SpeechState(before, mean, convolutions, state.n_early - n_skipped)

    def finish(self, state: SpeechState) -> np.ndarray:
        """Return the features that are left, as if silence followed: ``(LOOKAHEAD, dim)`` or fewer."""
        return self._convolved(self._silence(LOOKAHEAD), state.convolutions)[0][state.n_early :]

    def encoded(self, surrounded: np.ndarray) -> np.ndarray:
        """Return features ``(T, dim)`` of normalised log-mels with their surroundings.

        Args:
            surrounded: ``(4 (memory + T + LOOKAHEAD), n_mels)``, real past and future or silence.
        """
        states = tuple(np.zeros(shape, np.float32) for shape in self._state_shapes)
        return self._convolved(surrounded, states)[0][self.config.memory + LOOKAHEAD :]

    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[np.ndarray]:
        """Encode speech of any length piece by piece; see `SpeechNetwork`."""
        state, waiting, n_waiting = self.start(), list[np.ndarray](), 0
        for block in filled_up(blocks, multiple * FRAME_SAMPLES, replicate):
            waiting.append(block)
            n_waiting += len(block)
            n = n_waiting // (FRAMES_AT_ONCE * FRAME_SAMPLES) * FRAMES_AT_ONCE * FRAME_SAMPLES
            if n:
                samples = np.concatenate(waiting)
                features, state = self.advance(samples[:n], state)
                waiting, n_waiting = [samples[n:]], n_waiting - n
                yield features
        if n_waiting:
            features, state = self.advance(np.concatenate(waiting), state)
            yield features
        yield self.finish(state)


class OnnxWhisperSpeechEncoder(_Scripted):
    """The speech encoder of the model `base`: Whisper by ctranslate2, the small network after it by onnxruntime."""

    def __init__(
        self, config: WhisperSpeechConfig, arrays: Mapping[str, np.ndarray], where: object = "the speech encoder"
    ) -> None:
        """Take the weights; the arguments and errors are those of `OnnxSpeechEncoder`."""
        self.config, weights = config, Weights(arrays, where)
        super().__init__(config, arrays, weights)
        self._mean, self._scale = weights.take("mean", config.n_features), weights.take("scale", config.n_features)
        self._projection = weights.take("projection", config.n_features, config.components)
        self._entry_map = _convolution(weights, "entry", config.components, config.width, 5)
        self._blocks = [_convolution(weights, f"blocks.{k}", config.width, config.width, 5) for k in range(2)]
        self._exit_map = _convolution(weights, "exit", config.width, config.dim, 4)
        weights.check_all_taken()
        self._whisper: WhisperEncoder | None = None

    def load_whisper(self, folder: str | Path | None = None) -> None:
        """Load the Whisper model; see `WhisperSpeechEncoder.load_whisper`."""
        self._whisper = WhisperEncoder(whisper_folder(folder))

    def graph(self) -> bytes:
        """Return the graph ``components (2 F, K) -> features (F, dim)``."""
        graph, config = Graph("speech_encoder"), self.config
        x = graph.input("components", "S", config.components)
        x = graph.node("Gelu", same_convolution(graph, x, self._entry_map, config.components, 5))
        for block in self._blocks:
            x = graph.add(x, graph.node("Gelu", same_convolution(graph, x, block, config.width, 5)))
        graph.output(halving_convolution(graph, x, self._exit_map, config.width, 4), "features", "F", config.dim)
        return graph.to_bytes()

    @cached_property
    def _convolutions(self) -> Any:
        return session(self.graph())

    def components(self, samples: np.ndarray) -> np.ndarray:
        """Listen to speech ``(n,)`` at 16 kHz; return components ``(N, K)``, 50 a second.

        Raises:
            UsageError: the Whisper model has features of another width.
        """
        if self._whisper is None:
            self.load_whisper()
        assert self._whisper is not None
        heard = features_of_width(self._whisper, samples, self.config.n_features)
        standard = np.clip((heard - self._mean) / self._scale, -LARGEST_FEATURE, LARGEST_FEATURE)
        return standard @ self._projection

    def stream(self, blocks: Iterable[np.ndarray], multiple: int = 1, replicate: bool = False) -> Iterator[np.ndarray]:
        """Encode speech of any length in overlapping chunks; see `SpeechNetwork`."""
        for chunk in chunks(blocks, CHUNK_FRAMES, OVERLAP_FRAMES, multiple):
            components = self.components(chunk.filled(replicate))
            more = np.repeat(components[-1:], max(0, 2 * chunk.n_frames - len(components)), 0)
            components = np.concatenate([components, more])[: 2 * chunk.n_frames]
            yield run(self._convolutions, {"components": components})[0][chunk.counted]


# --------------------------------------------------------------------------------------------------
# Convolutions over time of ``(T, channels)`` as products with one matrix


def _convolution(weights: Weights, name: str, n_in: int, n_out: int, taps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a convolution as the matrix ``(taps n_in, n_out)`` of its taps one after another, and its bias."""
    kernel = weights.take(f"{name}.weight", n_out, n_in, taps)
    return kernel.transpose(2, 1, 0).reshape(taps * n_in, n_out), weights.take(f"{name}.bias", n_out)


def same_convolution(graph: Graph, x: str, layer: tuple[np.ndarray, np.ndarray], width: int, taps: int) -> str:
    """Add a convolution of an odd number of taps with zeros around: ``(T, width) -> (T, n_out)``."""
    reach = taps // 2
    edge = graph.constant(np.zeros((reach, width)))
    padded = graph.concat(edge, x, edge, axis=0)
    ends = [k - taps + 1 if k < taps - 1 else 2**62 for k in range(taps)]
    return graph.linear(graph.concat(*(graph.slice(padded, 0, k, end) for k, end in enumerate(ends)), axis=1), layer)


def halving_convolution(graph: Graph, x: str, layer: tuple[np.ndarray, np.ndarray], width: int, taps: int) -> str:
    """Add a convolution of an even number of taps and stride 2 with zeros around: ``(2 F, width) -> (F, n_out)``."""
    edge = graph.constant(np.zeros((taps // 2 - 1, width)))
    pairs = graph.reshape(graph.concat(edge, x, edge, axis=0), -1, 2 * width)
    n_pairs = taps // 2
    ends = [k - n_pairs + 1 if k < n_pairs - 1 else 2**62 for k in range(n_pairs)]
    return graph.linear(graph.concat(*(graph.slice(pairs, 0, k, end) for k, end in enumerate(ends)), axis=1), layer)
