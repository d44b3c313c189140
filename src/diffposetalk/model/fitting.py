"""Whether a configuration and the weights beside it belong together, checked before a network is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

Shape = Sequence[int]
COUNTS = ("n_layers", "num_hidden_layers", "num_adapter_layers", "num_feat_extract_layers", "n_blocks")
"""Names of settings that count layers; each layer has weights of its own."""
LARGEST_SETTING = 100_000
"""No setting of a network is larger than this, or than the number of values in its weights."""


def check_sizes(config: Any, shapes: Mapping[str, Shape], where: str | Path) -> None:
    """Refuse settings that no network with such weights has, before their size costs time or memory.

    Args:
        config: the settings as plain tables.
        shapes: of the weights.
        where: the file, for errors.

    Raises:
        ModelError: a setting is too large; the message names it.
    """
    n_values = sum(math.prod(shape) for shape in shapes.values())
    for name, number in _numbers(config, ""):
        largest = len(shapes) if name.rpartition(".")[2] in COUNTS else max(n_values, LARGEST_SETTING)
        if not -largest <= number <= largest:
            raise ModelError(
                f"{where}: its setting {name} is {number:.6g}, more than its {len(shapes)} weights "
                f"({n_values} values) can belong to"
            )


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Yield every number in nested tables and lists with its dotted name."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _numbers(item, f"{name}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item, name)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield name, value


def _without_values() -> Any:
    """Return a context in which weights get a shape and no memory, while small tables are computed as always.

    In `torch.device("meta")` the tables, and what is drawn at random, would be computed symbolically. For that torch
    loads its compiler, which takes longer than all other imports together.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    memory = (torch.empty, torch.zeros, torch.ones, torch.full)

    class WithoutValues(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            named = kwargs or {}
            if function in (torch.rand, torch.randn):
                return torch.empty(*args, **(named | {"device": "meta"}))
            if function in memory:
                return function(*args, **(named | {"device": "meta"}))
            without = args and isinstance(args[0], torch.Tensor) and args[0].is_meta
            if without and function in (torch.Tensor.mul, torch.Tensor.normal_):
                return args[0]  # of the same shape
            return function(*args, **named)

    return WithoutValues()


def check_shapes(
    build: Callable[[], Mapping[str, nn.Module]], shapes: Mapping[str, Mapping[str, Shape]], where: str | Path
) -> None:
    """Compare the weights of networks with those of a file; nothing of their size is allocated.

    Args:
        build: makes the networks by name.
        shapes: of the file's weights, by network and by name.
        where: the file, for errors.

    Raises:
        ModelError: a weight is missing, surplus or misshapen; the message names the file and the key.
    """
    with _without_values():
        networks = build()
    for name, network in networks.items():
        expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        compare_shapes(expected, shapes.get(name, {}), where)


def compare_shapes(expected: Mapping[str, Shape], given: Mapping[str, Shape], where: str | Path) -> None:
    """Compare weights by name and shape, strictly.

    Raises:
        ModelError: a weight is missing, surplus or misshapen; the message names the file and the key.
    """
    for key in (*sorted(expected.keys() - given.keys()), *sorted(given.keys() - expected.keys())):
        raise ModelError(f"{where}: the weight {key!r} is {'missing' if key in expected else 'not of this network'}")
    for key, shape in given.items():
        if tuple(shape) != tuple(expected[key]):
            raise ModelError(f"{where}: the weight {key!r} is {tuple(shape)}, expected {tuple(expected[key])}")
