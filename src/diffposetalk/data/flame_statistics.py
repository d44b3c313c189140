"""Statistics of FLAME coefficients: the file ``stats_train.npz`` beside a TFHP data set."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffposetalk.data.coefficients import FIXED_WIDTHS, NAMES, Coefficients
from diffposetalk.data.running_statistics import RunningStatistics
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.files.npz import read_npz, write_npz
from diffposetalk.motion import IdentitySpace, MotionSpace, flame_channels
from diffposetalk.progress import Progress

MEASURES = ("mean", "std", "max", "min")
"""Entries of the file for each column group: ``shape_mean`` ... ``pose_min``."""
TRAINING_EPS = 1e-9
"""Added to the standard deviation in training (not at inference), as the released code does."""


@dataclass(frozen=True)
class Statistics:
    """Mean, standard deviation and range of each coefficient, by the file's names: ``statistics["exp_mean"]``."""

    values: Mapping[str, np.ndarray]
    """``(I,)``, ``(E,)`` or ``(6,)`` float32 by name."""
    where: str = "statistics"
    """The file, for errors."""

    def __post_init__(self) -> None:
        """Check names, widths and numbers; standard deviations must not be negative."""
        keys = [f"{name}_{measure}" for name in NAMES for measure in MEASURES]
        missing = [key for key in keys if key not in self.values]
        if missing:
            raise InputError(f"{self.where}: not a statistics file, it lacks {', '.join(missing)}")
        values = {}
        for key in keys:
            value = np.asarray(self.values[key])
            group = key.partition("_")[0]
            width = FIXED_WIDTHS.get(group, np.size(self.values[f"{group}_mean"]))
            if value.dtype.kind not in "fiu" or value.shape != (width,):
                raise InputError(f"{self.where}: {key} must be ({width},) numbers, got {value.dtype} {value.shape}")
            if not np.isfinite(value).all():
                raise InputError(f"{self.where}: {key} holds numbers that are not finite")
            if key.endswith("_std") and (value < 0).any():
                raise InputError(
                    f"{self.where}: {key} must not be negative; make the file anew: diffposetalk dataset stats"
                )
            values[key] = value.astype(np.float32)
        object.__setattr__(self, "values", values)

    @property
    def still(self) -> tuple[str, ...]:
        """Names of the coefficients whose standard deviation is exactly 0, such as "exp 3" (jaw y and z are not used)."""
        used = {"pose": 4}
        return tuple(
            f"{name} {index}"
            for name in NAMES
            for index in np.flatnonzero(self.values[f"{name}_std"][: used.get(name)] == 0).tolist()
        )

    def divisor(self, name: str) -> np.ndarray:
        """Return the standard deviation of a group to divide by: `TRAINING_EPS` where it is 0, as the released training has it.

        A coefficient that keeps its mean is then 0 when normalised, and comes back as its mean.
        """
        std = self.values[f"{name}_std"]
        return np.where(std > 0, std, np.float32(TRAINING_EPS))

    def __getitem__(self, key: str) -> np.ndarray:
        return self.values[key]

    @property
    def widths(self) -> dict[str, int]:
        """Width of each coefficient group."""
        return {name: len(self.values[f"{name}_mean"]) for name in NAMES}

    def normalise(self, coefficients: Coefficients, eps: float = TRAINING_EPS) -> Coefficients:
        """Return ``(values - mean) / (std + eps)``.

        Raises:
            InputError: the coefficients have other widths.
        """
        standardised = {}
        for name in NAMES:
            values, mean = getattr(coefficients, name), self.values[f"{name}_mean"]
            if values.shape[-1] != len(mean):
                raise InputError(f"{self.where}: {name}_mean has {len(mean)} numbers, the data {values.shape[-1]}")
            std = self.values[f"{name}_std"]
            standardised[name] = (values - mean) / (std + np.float32(eps) if eps else self.divisor(name))
        return Coefficients(**standardised)

    def motion_space(self, head_pose: bool = True) -> MotionSpace:
        """Return the space of motion vectors with these means and standard deviations, with or without the head's rotation."""
        pose = slice(0, 4) if head_pose else slice(3, 4)
        mean = np.concatenate([self["exp_mean"], self["pose_mean"][pose]])
        std = np.concatenate([self.divisor("exp"), self.divisor("pose")[pose]])
        channels = flame_channels(self.widths["exp"], head_pose)
        rest = tuple(float(value) for value in self["pose_mean"][4:])
        return MotionSpace("flame", 25.0, channels, mean, std, rest)  # type: ignore[arg-type]

    def identity_space(self) -> IdentitySpace:
        """Return the space of normalised identity coefficients."""
        return IdentitySpace(self["shape_mean"], self.divisor("shape"))

    @staticmethod
    def load(path: str | Path) -> Statistics:
        """Read a statistics file.

        Raises:
            InputError: the file is missing or no npz file, or a value is missing, of the wrong width or not usable.
        """
        statistics = Statistics(read_npz(path, "statistics file"), str(path))
        if statistics.still:
            channels = ", ".join(statistics.still[:8]) + (", ..." if len(statistics.still) > 8 else "")
            warnings.warn(
                f"{path}: the standard deviation of {len(statistics.still)} coefficients is 0 ({channels}); "
                "they always get their mean",
                DiffPoseTalkWarning,
                stacklevel=2,
            )
        return statistics

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        write_npz(path, self.values, compressed=False)

    @staticmethod
    def of(parts: Iterable[Coefficients], progress: Progress | None = None, where: str = "statistics") -> Statistics:
        """Measure coefficients piece by piece, in float64.

        Args:
            parts: such as ``(reader.coefficients(video) for video in reader.split("train"))``.
            progress: called with the number of parts done.
            where: named in errors.

        Returns:
            Each coefficient's mean and standard deviation over all frames (of the population), largest and smallest
            value. A coefficient that never moves gets the standard deviation 1, so that it is 0 when normalised.

        Raises:
            InputError: there are no frames.

        Source: the released script takes a mean of standard deviations within windows instead, which is 0 for a constant
        identity.
        """
        moments = {name: RunningStatistics() for name in NAMES}
        for done, part in enumerate(parts, 1):
            for name in NAMES:
                moments[name].add(getattr(part, name))
            if progress:
                progress(done)
        if moments["exp"].n_rows == 0:
            raise InputError(f"{where}: no frames to measure")
        values = {}
        for name, column in moments.items():
            values[f"{name}_mean"] = column.mean
            values[f"{name}_std"] = np.where(column.high > column.low, column.std, 1.0)
            values[f"{name}_max"], values[f"{name}_min"] = column.high, column.low
        return Statistics(values, where)
