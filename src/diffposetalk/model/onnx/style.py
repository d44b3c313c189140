"""The style encoder by onnxruntime: the arithmetic of `model.style_encoder.StyleEncoder`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from diffposetalk.model.configs import StyleEncoderConfig
from diffposetalk.model.onnx.graph import Graph, StoredWeights, Weights
from diffposetalk.model.onnx.session import run, session


class OnnxStyleEncoder(StoredWeights):
    """A style encoder, run by onnxruntime."""

    def __init__(
        self, config: StyleEncoderConfig, arrays: Mapping[str, np.ndarray], where: object = "the style encoder"
    ) -> None:
        """Take the weights; the session is made when it is first used.

        Raises:
            ModelError: a weight is missing, surplus or misshapen.
        """
        super().__init__(arrays)
        self.config = config
        weights, dim, hidden = Weights(arrays, where), config.dim, config.dim * config.feed_forward_factor

        def norm(name: str) -> tuple[np.ndarray, np.ndarray]:
            return weights.take(f"{name}.weight", dim), weights.take(f"{name}.bias", dim)

        self._projection = weights.linear("projection", config.motion_dim, dim)
        self._layers: list[dict[str, Any]] = [
            {
                **{
                    part: weights.linear(f"blocks.{k}.attention.{part}", dim, dim)
                    for part in ("query", "key", "value", "out")
                },
                "forward": weights.linear(f"blocks.{k}.feed_forward.0", dim, hidden),
                "back": weights.linear(f"blocks.{k}.feed_forward.3", hidden, dim),
                "norms": [norm(f"blocks.{k}.norms.{number}") for number in range(2)],
            }
            for k in range(config.n_layers)
        ]
        self._norm = self._out = None
        if config.pooling == "statistics":
            self._norm, wide = norm("norm"), 2 * dim
            sizes = {"out.0": (wide + 3 * config.motion_dim, wide), "out.2": (wide, dim)}
            self._out = [weights.linear(name, *size) for name, size in sizes.items()]
        weights.check_all_taken()

    def graph(self) -> bytes:
        """Return the graph ``motion (N, T, D), code (T, dim) -> style (N, dim)``."""
        graph, config = Graph("style_encoder"), self.config
        motion = graph.input("motion", "N", "T", config.motion_dim)
        x = graph.add(graph.linear(motion, self._projection), graph.input("code", "T", config.dim))
        for layer in self._layers:
            x = self._block(graph, x, layer)
        if self._norm is None or self._out is None:
            graph.output(self._mean(graph, x), "style", "N", config.dim)
            return graph.to_bytes()
        x = graph.layer_norm(x, *self._norm)
        steps = graph.node("Sub", graph.slice(motion, 1, 1), graph.slice(motion, 1, 0, -1))
        speed = graph.node("Log", graph.add(self._mean(graph, graph.node("Abs", steps)), graph.constant([0.01])))
        pooled = (self._mean(graph, x), self._log_spread(graph, x))
        summary = (self._mean(graph, motion), self._log_spread(graph, motion), speed)
        vector = graph.linear(graph.concat(*pooled, *summary, axis=1), self._out[0])
        vector = graph.linear(graph.node("Gelu", vector), self._out[1])
        length = graph.node("Sqrt", graph.node("ReduceSum", graph.node("Mul", vector, vector), graph.integers(1)))
        length = graph.node("Max", length, graph.constant([1e-12]))
        style = graph.node("Mul", graph.node("Div", vector, length), graph.constant([config.dim**0.5]))
        graph.output(style, "style", "N", config.dim)
        return graph.to_bytes()

    def _block(self, graph: Graph, x: str, layer: dict[str, Any]) -> str:
        norms = [lambda value, pair=pair: graph.layer_norm(value, *pair) for pair in layer["norms"]]
        if self.config.pre_norm:
            x = graph.add(x, self._attention(graph, norms[0](x), layer))
            return graph.add(x, self._feed_forward(graph, norms[1](x), layer))
        x = norms[0](graph.add(x, self._attention(graph, x, layer)))
        return norms[1](graph.add(x, self._feed_forward(graph, x, layer)))

    def _attention(self, graph: Graph, x: str, layer: dict[str, Any]) -> str:
        dim, n_heads = self.config.dim, self.config.n_heads
        scale = np.float32((dim // n_heads) ** -0.5)
        queries = graph.linear(x, (scale * layer["query"][0], scale * layer["query"][1]))
        keys, values = graph.linear(x, layer["key"]), graph.linear(x, layer["value"])
        return graph.linear(graph.attention(queries, keys, values, n_heads, dim), layer["out"])

    def _feed_forward(self, graph: Graph, x: str, layer: dict[str, Any]) -> str:
        return graph.linear(graph.node("Gelu", graph.linear(x, layer["forward"])), layer["back"])

    def _mean(self, graph: Graph, x: str) -> str:
        return graph.node("ReduceMean", x, graph.integers(1), keepdims=0)

    def _log_spread(self, graph: Graph, x: str) -> str:
        away = graph.node("Sub", x, graph.node("ReduceMean", x, graph.integers(1), keepdims=1))
        variance = graph.node("Max", self._mean(graph, graph.node("Mul", away, away)), graph.constant([1e-8]))
        return graph.node("Log", graph.add(graph.node("Sqrt", variance), graph.constant([0.05])))

    @cached_property
    def _session(self) -> Any:
        return session(self.graph())

    def styles(self, windows: np.ndarray) -> np.ndarray:
        """Return the styles ``(N, dim)`` of windows of normalised motion ``(N, T, D)``."""
        n_frames = windows.shape[1]
        places = np.arange(n_frames) if self.config.positions == "frames" else np.full(n_frames, n_frames)
        return run(self._session, {"motion": windows, "code": sinusoid(places, self.config.dim)})[0]


def sinusoid(places: np.ndarray, dim: int) -> np.ndarray:
    """Return the sinusoidal code ``(T, dim)`` of places ``(T,)``, as `model.layers.sinusoid` does."""
    frequency = np.exp(np.arange(0, dim, 2, dtype=np.float32) * np.float32(-np.log(10000.0) / dim))
    angle = places[:, None].astype(np.float32) * frequency
    return np.stack([np.sin(angle), np.cos(angle)], -1).reshape(len(places), dim)
