"""The denoiser by onnxruntime: the arithmetic of `model.denoiser.Denoiser`, for sampling.

Two graphs: `prepare` computes what the noise steps of a window share, `step` predicts. Under an alignment mask of width 1 a
motion frame sees its own speech frame alone, so its cross-attention is a linear map of that frame's features; the matrices of
all maps on the way are multiplied once, when the graph is made. The condition token attends to the features themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from diffposetalk.errors import ModelError, UsageError
from diffposetalk.model.configs import DenoiserConfig
from diffposetalk.model.networks import Given, WindowInput, in_single_precision
from diffposetalk.model.onnx.graph import Graph, StoredWeights, Weights
from diffposetalk.model.onnx.session import at_the_same_time, row_groups, run, session

Linear = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Conditions:
    """What the noise steps of a window share: inputs of the graph `step` by name, rows ``K B``, set after set."""

    values: dict[str, np.ndarray]
    n_sets: int


class DenoiserGraphs:
    """Makes the graphs of a denoiser from its weights."""

    def __init__(
        self, config: DenoiserConfig, arrays: Mapping[str, np.ndarray], where: object = "the denoiser"
    ) -> None:
        """Check the weights.

        Raises:
            ModelError: a weight is missing, surplus or misshapen, or the alignment mask is wider than one frame.
        """
        if config.align_width != 1:
            raise ModelError(
                f"{where}: onnxruntime runs models with an alignment mask of width 1 only; this needs torch"
            )
        self.config, weights = config, Weights(arrays, where)
        dim, d, views = config.dim, config.motion_dim, 1 + len(config.noisy_scales)
        self.positions = weights.take("positions", 1 + config.context + config.window, dim)
        self.step_embedding = [weights.linear(f"step_embedding.{k}", dim, dim) for k in (0, 2)]
        self.person = weights.linear("person_projection", max(config.style_dim + config.identity_dim, 1), dim)
        self.motion = weights.linear("motion_projection", views * d + config.valid_indicator, dim)
        self.speech: Linear = (np.eye(dim, dtype=np.float32), np.zeros(dim, np.float32))
        if config.speech_dim != dim:
            self.speech = weights.linear("speech_projection", config.speech_dim, dim)
        self.layers = [self._layer(weights, f"blocks.{k}") for k in range(config.n_layers)]
        self.final_norm = self._norm(weights, "final_norm") if config.pre_norm else None
        self.out = [weights.linear("out", dim, d)] if not config.out_hidden else []
        if config.out_hidden:
            self.out = [weights.linear("out.0", dim, config.out_hidden), weights.linear("out.2", config.out_hidden, d)]
        self.filter = weights.linear("filter_weights", dim, views * d) if config.noisy_scales else None
        n_filter = views * d if config.noisy_scales else 0
        self.modulation: list[Linear] = []
        if config.modulated:
            sizes = {"modulation.0": dim, "modulation.2": 2 * dim + n_filter}
            self.modulation = [weights.linear(name, dim, size) for name, size in sizes.items()]
        self.scales: list[Linear] = []
        if config.folded_speech:
            self.scales = [weights.linear("scales.0", 2, dim), weights.linear("scales.2", dim, dim)]
        self.null_speech = weights.take("null_speech", config.speech_dim) if "speech" in config.droppable else None
        self.null_style = weights.take("null_style", config.style_dim) if "style" in config.droppable else None
        self.start_motion = weights.take("start_motion", config.context, d)
        self.start_speech = weights.take("start_speech", config.context, config.speech_dim)
        weights.check_all_taken()

    def _norm(self, weights: Weights, name: str) -> tuple[np.ndarray, np.ndarray]:
        return weights.take(f"{name}.weight", self.config.dim), weights.take(f"{name}.bias", self.config.dim)

    def _layer(self, weights: Weights, name: str) -> dict[str, Any]:
        dim, hidden = self.config.dim, self.config.dim * self.config.feed_forward_factor
        layer: dict[str, Any] = {
            f"{short}_{part}": weights.linear(f"{name}.{kind}.{part}", dim, dim)
            for short, kind in (("own", "attention"), ("cross", "cross_attention"))
            for part in ("query", "key", "value", "out")
        }
        layer["forward"] = weights.linear(f"{name}.feed_forward.0", dim, hidden)
        layer["back"] = weights.linear(f"{name}.feed_forward.3", hidden, dim)
        layer["norms"] = [self._norm(weights, f"{name}.norms.{k}") for k in range(3)]
        return layer

    # ----------------------------------------------------------------------------------------------

    def prepare(self) -> bytes:
        """Return the graph that computes what the noise steps share; see `add_prepare`."""
        graph, config = Graph("prepare"), self.config
        for name, value in self.add_prepare(graph).items():
            width = config.dim
            graph.output(value, name, "R", width) if name == "person" else graph.output(value, name, "R", "T", width)
        return graph.to_bytes()

    def add_prepare(self, graph: Graph) -> dict[str, str]:
        """Add inputs ``frames (R, P + L, speech_dim)``, ``who (R, style + identity)``, ``previous (R, P, D)``; and nodes.

        Where guidance is folded, ``scales (R, 2)`` is an input, too.

        Returns:
            Values by the names of `add_step`'s inputs.
        """
        config = self.config
        frames = graph.input("frames", "R", config.context + config.window, config.speech_dim)
        who = graph.input("who", "R", max(config.style_dim + config.identity_dim, 1))
        previous = graph.input("previous", "R", config.context, config.motion_dim)
        maps = [chained(self.speech, layer["cross_value"], layer["cross_out"]) for layer in self.layers]
        joined = (np.concatenate([matrix for matrix, _ in maps], 1), np.concatenate([bias for _, bias in maps]))
        owns = graph.split(graph.linear(frames, joined), *[config.dim] * config.n_layers)
        owns[-1] = graph.slice(owns[-1], 1, config.context)
        person = graph.linear(who, self.person)
        if self.scales:
            more = graph.node("Sub", graph.input("scales", "R", 2), graph.constant([1.0]))
            first, last = self.scales
            person = graph.add(person, graph.linear(graph.node("Gelu", graph.linear(more, first)), last))
        whole, bias = self.motion
        d = config.motion_dim
        rest = whole[d + config.valid_indicator :].reshape(-1, d, config.dim).sum(0)  # every view of it is the same
        return {
            "person": person,
            "context": graph.linear(previous, (whole[:d] + rest, bias)),
            **{f"own{k}": own for k, own in enumerate(owns)},
        }

    def step(self) -> bytes:
        """Return the graph of a noise step; see `add_step`."""
        graph, config = Graph("step"), self.config
        shapes: dict[str, tuple[int | str, ...]] = {
            "frames": ("R", config.context + config.window, config.speech_dim),
            "person": ("R", config.dim),
            "context": ("R", config.context, config.dim),
        }
        for k in range(config.n_layers):
            n = config.window + (0 if k == config.n_layers - 1 else config.context)
            shapes[f"own{k}"] = ("R", n, config.dim)
        values = {name: graph.input(name, *shape) for name, shape in shapes.items()}
        self.add_step(graph, values)
        return graph.to_bytes()

    def whole(self) -> bytes:
        """Return one graph of both parts, for other programs."""
        graph = Graph("denoiser")
        values = self.add_prepare(graph)
        self.add_step(graph, {"frames": "frames", **values})
        return graph.to_bytes()

    def add_step(self, graph: Graph, nodes: dict[str, str]) -> None:
        """Add inputs ``x_n (R, L, D)``, ``noise_step (1,)``, ``valid (R, L, 1)``, the nodes, and the output ``x_0``."""
        config = self.config
        dim, d, n_views = config.dim, config.motion_dim, 1 + len(config.noisy_scales)
        x_n = graph.input("x_n", "R", config.window, d)
        step = self._step_code(graph, graph.input("noise_step", 1))
        whole, bias = self.motion
        valid = None
        if config.valid_indicator:
            valid = graph.linear(graph.input("valid", "R", config.window, 1), (whole[d : d + 1], None))
            whole = np.concatenate([whole[:d], whole[d + 1 :]])
        views, flat = graph.reshape(x_n, 0, 1, config.window, d), x_n
        if config.noisy_scales:
            means = graph.constant(running_means(config.window, config.noisy_scales))
            views = graph.concat(views, graph.node("MatMul", means, views), axis=1)
            flat = graph.reshape(graph.node("Transpose", views, perm=(0, 2, 1, 3)), 0, config.window, n_views * d)
        frames = graph.linear(flat, (whole, bias))
        frames = frames if valid is None else graph.add(frames, valid)
        leading = graph.add(nodes["person"], step)
        tokens = graph.concat(graph.reshape(leading, 0, 1, dim), nodes["context"], frames, axis=1)
        tokens = graph.add(tokens, graph.constant(self.positions))
        for k, layer in enumerate(self.layers):
            tokens = self._block(graph, tokens, layer, nodes[f"own{k}"], nodes["frames"], k == config.n_layers - 1)
        if self.final_norm is not None:
            tokens = graph.layer_norm(tokens, *self.final_norm)
        shares = None if self.filter is None else graph.linear(step, self.filter)
        if self.modulation:
            first, last = self.modulation
            changes = graph.linear(graph.node("Gelu", graph.linear(leading, first)), last)
            sizes = (dim, dim) if shares is None else (dim, dim, n_views * d)
            scale, shift, *more = graph.split(changes, *sizes)
            scale = graph.add(graph.reshape(scale, 0, 1, dim), graph.constant([1.0]))
            tokens = graph.add(graph.node("Mul", tokens, scale), graph.reshape(shift, 0, 1, dim))
            shares = None if shares is None else graph.add(more[0], shares)
        clean = graph.linear(tokens, self.out[0])
        if len(self.out) > 1:
            clean = graph.linear(graph.node("Gelu", clean), self.out[1])
        if shares is not None:
            weighted = graph.node("Mul", graph.reshape(shares, -1, n_views, 1, d), views)
            clean = graph.add(clean, graph.node("ReduceSum", weighted, graph.integers(1), keepdims=0))
        graph.output(clean, "x_0", "R", config.window, d)

    def _step_code(self, graph: Graph, noise_step: str) -> str:
        """Return the embedded noise step ``(1, dim)``."""
        dim = self.config.dim
        frequency = np.exp(np.arange(0, dim, 2, dtype=np.float32) * np.float32(-np.log(10000.0) / dim))
        angle = graph.node("Mul", noise_step, graph.constant(frequency[None]))
        waves = [graph.reshape(graph.node(kind, angle), 1, dim // 2, 1) for kind in ("Sin", "Cos")]
        code = graph.reshape(graph.concat(*waves, axis=2), 1, dim)
        first, second = self.step_embedding
        return graph.linear(graph.node("Gelu", graph.linear(code, first)), second)

    def _block(self, graph: Graph, x: str, layer: dict[str, Any], own: str, frames: str, last: bool) -> str:
        """Add a decoder block; the last one computes the window's tokens alone."""
        config = self.config
        norms = [lambda value, pair=pair: graph.layer_norm(value, *pair) for pair in layer["norms"]]
        residual = graph.slice(x, 1, 1 + config.context) if last else x
        inner = norms[0](x) if config.pre_norm else x
        attended = self._self_attention(graph, inner, layer, last)
        if config.pre_norm:
            x = graph.add(residual, attended)
            x = graph.add(x, own if last else self._cross(graph, x, layer, own, frames, norms[1]))
            return graph.add(x, self._feed_forward(graph, norms[2](x), layer))
        x = norms[0](graph.add(residual, attended))
        x = norms[1](graph.add(x, own if last else self._cross(graph, x, layer, own, frames, lambda value: value)))
        return norms[2](graph.add(x, self._feed_forward(graph, x, layer)))

    def _self_attention(self, graph: Graph, x: str, layer: dict[str, Any], last: bool) -> str:
        config, dim = self.config, self.config.dim
        scale = np.float32((dim // config.n_heads) ** -0.5)
        parts = [tuple(scale * each for each in layer["own_query"]), layer["own_key"], layer["own_value"]]
        if last:
            queries = graph.linear(graph.slice(x, 1, 1 + config.context), parts[0])
            parts = parts[1:]
        joined = (np.concatenate([matrix for matrix, _ in parts], 1), np.concatenate([bias for _, bias in parts]))
        pieces = graph.split(graph.linear(x, joined), *[dim] * len(parts))
        queries, keys, values = (queries, *pieces) if last else pieces
        return graph.linear(graph.attention(queries, keys, values, config.n_heads, dim), layer["own_out"])

    def _cross(self, graph: Graph, x: str, layer: dict[str, Any], own: str, frames: str, norm: Any) -> str:
        """Let the condition token attend to the speech features; join its result with that of the frames.

        A key's score is the query against ``W_key features + bias``: the same as ``W_key^T query`` against the features, and
        the bias changes no softmax. The values' matrix is applied after the mean for the same reason: one row instead of all.
        """
        dim, n_heads = self.config.dim, self.config.n_heads
        width, n_features = dim // n_heads, self.config.speech_dim
        scale = np.float32(width**-0.5)
        query = tuple(scale * each for each in layer["cross_query"])
        token = graph.linear(norm(graph.slice(x, 1, 0, 1)), query)
        token = graph.node("Transpose", graph.reshape(token, 0, 1, n_heads, width), perm=(0, 2, 1, 3))
        key, _ = chained(self.speech, layer["cross_key"])
        value, value_bias = chained(self.speech, layer["cross_value"])
        by_head = graph.constant(key.reshape(n_features, n_heads, width).transpose(1, 2, 0))
        queries = graph.reshape(graph.node("MatMul", token, by_head), 0, n_heads, n_features)
        scores = graph.node("MatMul", queries, graph.node("Transpose", frames, perm=(0, 2, 1)))
        mean = graph.node("MatMul", graph.node("Softmax", scores, axis=-1), frames)
        values = graph.constant(value.reshape(n_features, n_heads, width).transpose(1, 0, 2))
        mixed = graph.node("MatMul", graph.reshape(mean, 0, n_heads, 1, n_features), values)
        mixed = graph.add(graph.reshape(mixed, 0, 1, dim), graph.constant(value_bias))
        return graph.concat(graph.linear(mixed, layer["cross_out"]), own, axis=1)

    def _feed_forward(self, graph: Graph, x: str, layer: dict[str, Any]) -> str:
        return graph.linear(graph.node("Gelu", graph.linear(x, layer["forward"])), layer["back"])


class OnnxDenoiser(StoredWeights):
    """A denoiser for sampling, run by onnxruntime."""

    def __init__(
        self, config: DenoiserConfig, arrays: Mapping[str, np.ndarray], where: object = "the denoiser"
    ) -> None:
        """Take the weights; the sessions are made when they are first used.

        Raises:
            ModelError: see `DenoiserGraphs`.
        """
        super().__init__(arrays)
        self.config = config
        self.graphs = DenoiserGraphs(config, arrays, where)

    def shortened(self, window: int) -> OnnxDenoiser:
        """Return a denoiser for windows of fewer frames, with the same weights."""
        n_tokens = 1 + self.config.context + window
        arrays = {**self._arrays, "positions": self._arrays["positions"][:n_tokens]}
        return OnnxDenoiser(replace(self.config, window=window), arrays)

    @cached_property
    def _prepare(self) -> Any:
        return session(self.graphs.prepare())

    @cached_property
    def _step(self) -> Any:
        return session(self.graphs.step())

    def array(self, values: Any) -> np.ndarray:
        """Return numbers as an array."""
        return in_single_precision(values)

    def prepare_sets(self, inputs: WindowInput, sets: Sequence[Given]) -> _Conditions:
        """Compute what the noise steps of a window share; see `DenoisingNetwork`."""
        config, graphs, n = self.config, self.graphs, len(inputs.speech)
        for name, null, present in zip(("speech", "style"), (graphs.null_speech, graphs.null_style), zip(*sets)):
            if null is None and not all(present) and (name == "speech" or config.style_dim):
                raise UsageError(f"this model always takes its {name}: it cannot be left out or guided by")

        def rows(value: np.ndarray) -> np.ndarray:
            return np.broadcast_to(value, (n, *value.shape[-2:])).astype(np.float32)

        before = graphs.start_speech if inputs.previous_speech is None else inputs.previous_speech
        previous = rows(graphs.start_motion if inputs.previous_motion is None else inputs.previous_motion)
        valid = np.ones((n, config.window)) if inputs.valid is None else inputs.valid
        variants = {}
        for speech_given in {speech for speech, _ in sets}:
            speech = inputs.speech if speech_given else np.broadcast_to(graphs.null_speech, inputs.speech.shape)  # type: ignore[arg-type]
            variants[speech_given] = np.concatenate([rows(before), rows(speech)], 1)
        frames = np.concatenate([variants[speech] for speech, _ in sets])
        who = np.concatenate([self._who(inputs, style_given) for _, style_given in sets])
        k = len(sets)
        arrays = {"frames": frames, "who": who, "previous": np.tile(previous, (k, 1, 1))}
        if config.folded_speech:
            arrays["scales"] = np.tile(np.ones((n, 2)) if inputs.scales is None else inputs.scales, (k, 1))
        prepared = run(self._prepare, arrays)
        values = {"frames": frames, **dict(zip([out.name for out in self._prepare.get_outputs()], prepared))}
        if config.valid_indicator:
            values["valid"] = np.tile(valid[..., None].astype(np.float32), (k, 1, 1))
        return _Conditions(values, k)

    def _who(self, inputs: WindowInput, style_given: bool) -> np.ndarray:
        """Return identity and style of each sample, ``(B, identity + style)``."""
        config, n = self.config, len(inputs.speech)
        parts = []
        if config.identity_dim:
            parts.append(np.zeros((n, config.identity_dim)) if inputs.identity is None else inputs.identity)
        if config.style_dim:
            style = inputs.style if style_given and inputs.style is not None else self.graphs.null_style
            if style is None:
                raise UsageError("this model always takes its style: it cannot be left out or guided by")
            parts.append(np.broadcast_to(style, (n, config.style_dim)))
        return np.concatenate(parts, 1) if parts else np.zeros((n, 1))

    def predict_sets(self, x_n: np.ndarray, noise_step: int, conditions: _Conditions) -> np.ndarray:
        """Predict the window for each set of conditions: ``(B, L, D) -> (K, B, L, D)``."""
        k = conditions.n_sets
        x = np.tile(x_n, (k, 1, 1))
        step = np.array([noise_step], np.float32)

        def predicted(group: slice) -> np.ndarray:
            part = {name: value[group] for name, value in conditions.values.items()}
            return run(self._step, {"x_n": x[group], "noise_step": step, **part})[0]

        groups = row_groups(len(x))
        rows = at_the_same_time([lambda group=group: predicted(group) for group in groups])  # type: ignore[misc]
        return np.concatenate(rows).reshape(k, *x_n.shape)


def chained(*layers: Linear) -> Linear:
    """Return one linear layer that does what several do one after another; computed in double precision."""
    matrix, bias = (each.astype(np.float64) for each in layers[0])
    for after, more in layers[1:]:
        matrix, bias = matrix @ after, bias @ after + more
    return matrix.astype(np.float32), bias.astype(np.float32)


def running_means(n_frames: int, widths: Sequence[float]) -> np.ndarray:
    """Return Gaussian averages over time, ``(K, n_frames, n_frames)``, as `model.denoiser.running_means` does."""
    frame = np.arange(n_frames, dtype=np.float32)
    distance = frame[:, None] - frame[None, :]
    kernels = np.stack([np.exp(-0.5 * (distance / width) ** 2) for width in widths])
    return (kernels / kernels.sum(-1, keepdims=True)).astype(np.float32)
