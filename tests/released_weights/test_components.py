"""The small parts, against the authors' code: positional codes, masks, mirrored ends, resampling."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from diffposetalk.model.layers import alignment_mask, sinusoid
from diffposetalk.model.pretrained_speech import pad_to_frames, resample_linear


@pytest.fixture(scope="module")
def data(reference: Path) -> dict[str, np.ndarray]:
    with np.load(reference / "components.npz") as file:
        return dict(file)


def test_positional_table(data: dict[str, np.ndarray]) -> None:
    table = data["pe_table"].reshape(-1, data["pe_table"].shape[-1])
    ours = sinusoid(torch.arange(len(table)), table.shape[1])
    np.testing.assert_allclose(ours, table, atol=2e-5)  # sines of large angles, in single precision
    row = sinusoid(torch.tensor(data["pe_in"].shape[1]), data["pe_in"].shape[2]).numpy()
    np.testing.assert_allclose(data["pe_in"] + row, data["pe_out"], atol=1e-5)  # one row for all positions


def test_masks(data: dict[str, np.ndarray]) -> None:
    keys = [key for key in data if re.fullmatch(r"mask_fw1_ex\d+", key)]
    assert keys
    for key in keys:
        width = 1 + int(key.rpartition("ex")[2])
        mask = alignment_mask(len(data[key]), width)
        assert mask is not None
        np.testing.assert_array_equal(mask[1:], data[key].astype(bool))


def test_mirrored_ends(data: dict[str, np.ndarray]) -> None:
    keys = [key for key in data if key.startswith("pad_in_")]
    assert keys
    for key in keys:
        np.testing.assert_array_equal(pad_to_frames(torch.from_numpy(data[key])), data[key.replace("in", "out")])


def test_resampling(data: dict[str, np.ndarray]) -> None:
    keys = [key for key in data if re.fullmatch(r"interp_out_\d+", key)]
    assert keys
    features = torch.from_numpy(data["interp_in"])
    for key in keys:
        expected, n = data[key], int(key.rpartition("_")[2])
        by_time = features if features.shape[1] == 21 else features.transpose(1, 2)
        ours = resample_linear(by_time, n).numpy()
        np.testing.assert_allclose(ours if ours.shape == expected.shape else ours.swapaxes(1, 2), expected, atol=1e-6)
