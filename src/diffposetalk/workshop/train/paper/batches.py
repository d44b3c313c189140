"""Batches of a TFHP data set's items in an order that follows from a seed: batch k is the same whenever it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffposetalk.workshop.train.paper.pairs import DenoiserItems, SpeechPair, StyleItems, StylePair


@dataclass(frozen=True)
class SpeechBatch:
    """Two windows of ``B`` videos."""

    samples: Tensor
    """``(2, B, L * 640)`` sound, standardised over both windows of a video together."""
    identity: Tensor
    """``(2, B, L, I)`` normalised."""
    motion: Tensor
    """``(2, B, L, D)`` normalised motion vectors."""
    mean: Tensor
    """``(B,)`` of the sound."""
    std: Tensor
    """``(B,)`` of the sound."""
    videos: tuple[str, ...] = ()
    """Names of the videos."""

    def to(self, device: torch.device | str) -> SpeechBatch:
        """Return the batch on a device."""
        return _moved(self, device)


@dataclass(frozen=True)
class StyleBatch:
    """Two windows of ``B`` persons."""

    first: Tensor
    """``(B, L, D)`` normalised motion vectors."""
    second: Tensor
    """``(B, L, D)``."""
    videos: tuple[str, ...] = ()
    """Names of the videos."""

    def to(self, device: torch.device | str) -> StyleBatch:
        """Return the batch on a device."""
        return _moved(self, device)


def collate_speech(items: Sequence[SpeechPair], head_pose: bool = True) -> SpeechBatch:
    """Stack items; ``motion`` has the head's rotation where `head_pose` asks for it."""
    return SpeechBatch(
        samples=_stack([item.samples for item in items], axis=1),
        identity=_stack([item.coefficients.shape for item in items], axis=1),
        motion=_stack([item.coefficients.vector(head_pose) for item in items], axis=1),
        mean=torch.tensor([float(item.mean) for item in items]),
        std=torch.tensor([float(item.std) for item in items]),
        videos=tuple(item.video for item in items),
    )


def collate_style(items: Sequence[StylePair], head_pose: bool = True) -> StyleBatch:
    """Stack items; see `collate_speech`."""
    first, second = _stack([item.coefficients.vector(head_pose) for item in items], axis=1)
    return StyleBatch(first, second, tuple(item.video for item in items))


def batch_indices(n_items: int, n_batch: int, seed: int, k: int) -> np.ndarray:
    """Return which items batch ``k`` has: ``(n_batch,)``, a function of the arguments alone.

    Every epoch goes through the items in another order. A batch has no item twice if there are enough items; those
    left over at an epoch's end are then not used in it.
    """
    if n_batch <= n_items:
        epoch, place = divmod(k, n_items // n_batch)
        return np.random.default_rng([seed, epoch]).permutation(n_items)[place * n_batch : (place + 1) * n_batch]
    places = np.arange(k * n_batch, (k + 1) * n_batch)
    epochs = {
        epoch: np.random.default_rng([seed, epoch]).permutation(n_items)
        for epoch in {int(place) // n_items for place in places}
    }
    return np.array([epochs[int(place) // n_items][int(place) % n_items] for place in places])


class Batches(torch.utils.data.Dataset):
    """Batch after batch of items, without end; `iterate` reads them in worker processes.

    Args:
        items: what to draw from.
        n_batch: items in a batch.
        seed: same seed, same batches.
        head_pose: whether motion vectors have the head's rotation.
    """

    def __init__(self, items: DenoiserItems | StyleItems, n_batch: int, seed: int, head_pose: bool = True) -> None:
        self.items, self.n_batch, self.seed, self.head_pose = items, n_batch, seed, head_pose

    def __getitem__(self, k: int) -> Any:
        """Return batch ``k``: a `SpeechBatch` or a `StyleBatch`."""
        drawn = []
        for place, index in enumerate(batch_indices(len(self.items), self.n_batch, self.seed, k)):
            rng = np.random.default_rng([self.seed, k, place])
            drawn.append(self.items.item(int(index), _drawing(rng)))
        if isinstance(self.items, DenoiserItems):
            return collate_speech(drawn, self.head_pose)  # type: ignore[arg-type]
        return collate_style(drawn, self.head_pose)  # type: ignore[arg-type]

    def iterate(self, start: int, stop: int, n_workers: int = 0) -> Iterator[Any]:
        """Yield batches ``start`` to ``stop``, read ahead by ``n_workers`` processes (0: read as they are asked for)."""
        yield from torch.utils.data.DataLoader(
            self,
            batch_size=None,
            sampler=range(start, stop),
            num_workers=n_workers,
            collate_fn=_as_is,
            generator=torch.Generator(),  # or it would draw from the one that training depends on
        )


def _as_is(batch: Any) -> Any:
    return batch


def _drawing(rng: np.random.Generator) -> Callable[[int, int], int]:
    return lambda low, high: int(rng.integers(low, high))


def _stack(arrays: Sequence[np.ndarray], axis: int) -> Tensor:
    return torch.from_numpy(np.stack(arrays, axis=axis).astype(np.float32, copy=False))


def _moved(batch: Any, device: torch.device | str) -> Any:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    return type(batch)(
        **{name: value.to(device) if isinstance(value, Tensor) else value for name, value in values.items()}
    )
