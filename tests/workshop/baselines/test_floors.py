"""The floors: least squares against numpy, shapes of phones, and Rhubarb by a stand-in for its program."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.speech import Speech
from diffposetalk.speech.transcript.phones import SYMBOL_INDEX
from diffposetalk.workshop.baselines.floors.phonemes import likeliest_path
from diffposetalk.workshop.baselines.floors.rhubarb import installed, rhubarb
from diffposetalk.workshop.baselines.floors.ridge import ridge, with_neighbours
from diffposetalk.workshop.baselines.floors.shapes import NAMES, SHAPE_OF_PHONE, motion_of_shapes, shapes_of_cues

STAND_IN = """#!/bin/sh
while [ "$1" != "--output" ]; do shift; done
cat > "$2" <<END
{output}
END
"""


def test_ridge_finds_a_linear_map() -> None:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((5, 2))
    pairs = [(inputs, inputs @ weights) for inputs in rng.standard_normal((3, 40, 5))]
    assert np.allclose(ridge(pairs, 1e-9), weights, atol=1e-5)
    assert np.abs(ridge(pairs, 1.0)).sum() < np.abs(weights).sum()
    with pytest.raises(InputError, match="at least one clip"):
        ridge([])


def test_neighbours_are_those_around() -> None:
    joined = with_neighbours(np.arange(4.0)[:, None], 1, 2)
    assert joined.tolist() == [[0, 0, 1, 2, 1], [0, 1, 2, 3, 1], [1, 2, 3, 3, 1], [2, 3, 3, 3, 1]]


def test_the_likeliest_path_does_not_flicker() -> None:
    scores = np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9], [0.1, 0.9]]))
    assert likeliest_path(scores, 0.0).tolist() == [0, 1, 0, 1, 1, 1]
    assert likeliest_path(scores, 1.5).tolist() == [0, 0, 0, 1, 1, 1]


def test_phones_look_as_rhubarb_says() -> None:
    def shape(symbol: str) -> str:
        return NAMES[SHAPE_OF_PHONE[SYMBOL_INDEX[symbol]]]

    shapes = {symbol: shape(symbol) for symbol in ("p", "m", "f", "aa", "uw", "l", "s", "k", "sil", "eh", "ao")}
    assert shapes == {"p": "A", "m": "A", "f": "G", "aa": "D", "uw": "F", "l": "H", "s": "B", "k": "B", "sil": "X",
                      "eh": "C", "ao": "E"}  # fmt: skip


def test_shapes_become_motion() -> None:
    numbers = np.array([NAMES.index(name) for name in "XXXXXXXXDDDDDDDDDDDDDDDDAAAAAAAAAAAA"])
    motion = motion_of_shapes(numbers)
    jaw = motion.channel("jawOpen")
    assert len(motion) == 18 and motion.fps == 25.0
    assert jaw[0] == 0 and jaw[7:10].max() == pytest.approx(0.42, abs=0.02) and jaw[-1] < 0.05
    assert motion.channel("mouthPressLeft")[-1] > 0.3
    assert not motion.head_pose.any()


def test_cues_become_steps() -> None:
    numbers = shapes_of_cues([(0.0, 0.04, "A"), (0.04, 0.1, "D")], 6)
    assert "".join(NAMES[number] for number in numbers) == "AADDDX"


def stand_in(folder: Path, output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "rhubarb"
    program.write_text(STAND_IN.format(output=output))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_rhubarbs_cues_are_read(tmp_path: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch) -> None:
    cues = '{"metadata": {}, "mouthCues": [{"start": 0.0, "end": 1.0, "value": "X"}, {"start": 1.0, "end": 2.0, "value": "D"}]}'
    stand_in(tmp_path, cues, monkeypatch)
    motion = rhubarb(speech)
    assert len(motion) == 50
    assert motion.channel("jawOpen")[:20].max() < 0.01 and motion.channel("jawOpen")[30:].min() > 0.4


@pytest.mark.parametrize("output", ["", '{"mouthCues": [{"start": 0, "end": 1, "value": "Q"}]}', '{"cues": []}'])
def test_damaged_output_of_rhubarb_is_refused(
    output: str, tmp_path: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, output, monkeypatch)
    with pytest.raises(InputError, match=r"shapes\.json"):
        rhubarb(speech)


def test_absent_rhubarb_is_named(speech: Speech, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DiffPoseTalkError, match="not installed"):
        rhubarb(speech)


@pytest.mark.skipif(not installed(), reason="Rhubarb Lip Sync is not installed")
def test_rhubarb_itself(speech: Speech) -> None:
    motion = rhubarb(speech)
    assert len(motion) == 50 and motion.channel("jawOpen").max() > 0.05
