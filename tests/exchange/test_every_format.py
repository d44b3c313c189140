"""What every row of the table of formats must do: keep motion or refuse it, and never drop it without a word."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import DiffPoseTalkWarning, InputError
from diffposetalk.exchange import FORMATS, Format, Scene, export, load_motion
from diffposetalk.exchange.angles import rotation_of
from diffposetalk.exchange.formats import HEAD_ANGLES
from diffposetalk.exchange.prepare import Prepared
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.flame.free import FreeFlame
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.motion import Motion

WRITTEN = [row for row in FORMATS.values() if row.writer]
TURN = 0.2
"""Radians that the head is turned by."""


def content(row: Format, motion: Motion, scene: Scene, folder: Path) -> dict[str, bytes]:
    """Return all files that the writer of a format makes, by name, without the residual of a conversion."""
    folder.mkdir()
    path = folder / f"a{row.suffixes[0]}"
    if row.folder:
        path.mkdir()
    ready, _ = Prepared(motion, scene).motion_for(row)
    row.write(ready, path, scene)
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def installed(row: Format) -> Format:
    if row.needs:
        pytest.importorskip(row.needs)
    return row


@pytest.fixture(scope="module")
def flame(free_flame: FreeFlame, free_flame_head: FlameHead) -> tuple[FlameHead, Motion]:
    """A free head of FLAME's format, and motion of it that opens the mouth and looks aside."""
    weights = np.zeros((6, 52), np.float32)
    weights[:, INDEX["jawOpen"]] = np.linspace(0, 0.7, 6)
    weights[:, INDEX["mouthPucker"]] = np.linspace(0, 0.8, 6)
    weights[:, [INDEX["eyeLookInLeft"], INDEX["eyeLookOutRight"]]] = 0.5
    return free_flame_head, free_flame.coefficients(Motion(weights, CHANNELS, np.zeros((6, 3)), 25.0))


def at_rest(motion: Motion) -> Motion:
    """The same channels and joints, all 0."""
    poses = {name: getattr(motion, name) for name in ("jaw_pose", "eye_pose")}
    zeros = {name: np.zeros_like(pose) for name, pose in poses.items() if pose is not None}
    return replace(motion, expression=np.zeros_like(motion.expression), **zeros)


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_flame_motion_is_refused_or_arrives(row: Format, flame: tuple[FlameHead, Motion], tmp_path: Path) -> None:
    """The files differ from those of the head at rest, which are the same each time."""
    head, motion = flame
    scene = Scene(head)
    try:
        moving = content(installed(row), motion, scene, tmp_path / "moving")
    except InputError as error:
        assert "\n" not in str(error)
        return
    still = content(row, at_rest(motion), scene, tmp_path / "still")
    assert still == content(row, at_rest(motion), scene, tmp_path / "again")
    assert moving != still, f"{row.name} writes FLAME motion as the head at rest; should its row say arkit=True?"
    if row.reader:
        again = load_motion(export(motion, tmp_path / f"b{row.suffixes[0]}", row.name, scene).path)
        assert np.abs(again.expression[-1]).max() > 0.2


@pytest.mark.parametrize("row", [row for row in WRITTEN if row.arkit], ids=lambda row: row.name)
def test_a_row_that_forgets_arkit_is_refused(row: Format, flame: tuple[FlameHead, Motion], tmp_path: Path) -> None:
    head, motion = flame
    with pytest.raises(InputError, match=r"^the motion is for the head flame and has none of ARKit's channels.*$"):
        content(replace(installed(row), arkit=False), motion, Scene(head), tmp_path / "a")


def turned(angle: str, by: float) -> Motion:
    """Three frames; the head turns from rest."""
    angles = np.zeros((3, 3))
    angles[:, HEAD_ANGLES.index(angle)] = np.linspace(0, by, 3)
    return Motion(np.zeros((3, 52)), CHANNELS, rotation_of(angles), 25.0)


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_the_head_turns_or_a_warning_says_why_not(row: Format, head: AnnyHead, tmp_path: Path) -> None:
    """Also: the row declares exactly the angles that its files hold."""
    scene = Scene(head)
    still = content(installed(row), turned("yaw", 0), scene, tmp_path / "still")
    for angle in HEAD_ANGLES:
        motion = turned(angle, TURN)
        arrives = content(row, motion, scene, tmp_path / angle) != still
        assert arrives == (angle in row.head_rotation), f"{angle} of {row.name}"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            done = export(motion, tmp_path / f"{angle}_a{row.suffixes[0]}", row.name, scene)
        lines = [str(warning.message) for warning in caught if warning.category is DiffPoseTalkWarning]
        assert len(lines) == (not arrives and not row.mouth_only), lines
        assert not lines or (str(done.path) in lines[0] and f"{angle} up to 11 degrees" in lines[0])
        if row.reader:
            again = load_motion(done.path).head_pose
            assert np.abs(again - motion.head_pose * arrives).max() < 1e-3


def test_formats_for_the_mouth_alone() -> None:
    """Their users do not expect the head; others that leave angles out, such as faces of ARKit channels, warn."""
    without = {row.name: row for row in WRITTEN if len(row.head_rotation) < len(HEAD_ANGLES)}
    mouths = {"visemes", "rhubarb", "rhubarb-json", "rhubarb-xml", "rhubarb-dat"}
    assert {name for name, row in without.items() if row.mouth_only} == mouths
    assert without.keys() - mouths == {"nim", "azure"}
    assert not any(row.mouth_only for row in WRITTEN if row.head_rotation)


@pytest.mark.parametrize("row", [row for row in WRITTEN if len(row.head_rotation) < 3], ids=lambda row: row.name)
def test_a_head_almost_at_rest_is_no_warning(row: Format, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DiffPoseTalkWarning)
        for angle in HEAD_ANGLES:
            export(turned(angle, np.deg2rad(0.9)), tmp_path / f"a{row.suffixes[0]}", row.name)


def test_formats_of_one_ending_share_a_reader() -> None:
    """`load_motion` selects the reader by the ending alone."""
    for suffix in {suffix for row in FORMATS.values() for suffix in row.suffixes}:
        readers = {row.reader for row in FORMATS.values() if suffix in row.suffixes and row.reader}
        assert len(readers) <= 1, f"{suffix} files have the readers {readers}: let one of them read all, by content"
