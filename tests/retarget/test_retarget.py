"""Motion from head to head: what comes back, what the lips do, and in what time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.errors import DiffPoseTalkWarning, ModelError, UsageError
from diffposetalk.geometry.landmarks import Landmarks
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.head.flame.free import FreeFlame
from diffposetalk.head.flame.head import FlameHead
from diffposetalk.head.flame.landmarks import mediapipe_of
from diffposetalk.head.shapes.head import TargetsHead
from diffposetalk.motion import Motion
from diffposetalk.retarget import prior as prior_module
from diffposetalk.retarget.controls import Controls
from diffposetalk.retarget.correspondence import neutral_of
from diffposetalk.retarget.prior import NamePrior
from diffposetalk.retarget.solve import Correspondence, Options, Residual, retarget, to_arkit
from diffposetalk.retarget.surfaces import Warp, similarity

if TYPE_CHECKING:
    from diffposetalk.generate.talker import Talker
    from diffposetalk.speech import Speech

ICT_INNER_LIPS = (5533, 5517)
"""ICT-FaceKit's vertices in the middle of the upper and lower inner lip."""


@pytest.fixture(scope="module")
def lam(shared: Path) -> TargetsHead:
    """51 ARKit shapes on FLAME's vertices."""
    with np.load(shared / "heads" / "flame2023_open_part.npz") as file:
        arrays = {name: file[name] for name in ("faces", "lmk_face_idx", "lmk_b_coords", "landmark_indices")}
    marks = mediapipe_of(arrays, arrays["faces"], "the head")
    with np.load(shared / "heads" / "lam_flame_arkit51.npz") as file:
        return TargetsHead.of("lam", file["base"], arrays["faces"], file["names"].tolist(), file["deltas"], marks)


@pytest.fixture(scope="module")
def ict(shared: Path) -> TargetsHead:
    with np.load(shared / "heads" / "ict_facekit_compact.npz") as file:
        deltas = file["expressions_i16"] * file["expressions_scale"]
        return TargetsHead.of("ict", file["neutral"], file["faces"], file["expression_names"].tolist(), deltas)


@pytest.fixture(params=["lam", "ict"])
def avatar(request: pytest.FixtureRequest) -> TargetsHead:
    """Each of these two heads."""
    head: TargetsHead = request.getfixturevalue(request.param)
    return head


@pytest.fixture(scope="module")
def motion() -> Motion:
    """Four seconds of made-up talk: syllables, closures, rounding, smiles, blinks, brows, gaze and a turning head."""
    time = np.arange(100) / 25
    rng = np.random.default_rng(0)
    weights = np.zeros((100, 52), np.float32)

    def put(values: np.ndarray, *names: str) -> None:
        for name in names:
            weights[:, INDEX[name]] += np.clip(values, 0, 1)

    syllables = np.clip(np.sin(2 * np.pi * 2.1 * time + np.sin(3 * time)), 0, 1)
    put(0.75 * syllables, "jawOpen")
    put(0.3 * syllables * (np.sin(5 * time) > 0), "mouthClose")
    put(0.5 * syllables, "mouthLowerDownLeft", "mouthLowerDownRight")
    put(0.3 * syllables * np.sin(2 * time) ** 2, "mouthUpperUpLeft", "mouthUpperUpRight")
    put(0.6 * np.sin(4 * time), "mouthFunnel")
    put(0.5 * np.sin(4 * time + 2), "mouthPucker")
    put(0.5 * np.sin(1.7 * time), "mouthSmileLeft")
    put(0.4 * np.sin(1.7 * time), "mouthSmileRight")
    put(0.4 * np.sin(1.7 * time + 3), "mouthStretchLeft", "mouthStretchRight", "mouthFrownLeft")
    put(0.4 * np.sin(3 * time + 1), "mouthRollLower", "mouthPressLeft", "mouthPressRight")
    put(np.exp(-(((time % 1.6) - 0.8) ** 2) / 0.004), "eyeBlinkLeft", "eyeBlinkRight")
    put(0.7 * np.sin(1.3 * time), "browInnerUp", "browOuterUpLeft")
    put(0.5 * np.sin(1.3 * time + 3), "browDownLeft", "browDownRight", "eyeSquintLeft", "noseSneerRight")
    put(0.4 * np.sin(2.2 * time), "eyeLookInLeft", "eyeLookOutRight", "jawLeft", "cheekPuff")
    return Motion(weights, CHANNELS, 0.2 * rng.standard_normal((1, 3)) * np.sin(time)[:, None], 25.0)


def on_arkit(motion: Motion) -> np.ndarray:
    """Weights `(T, 52)` by name, absent channels 0."""
    return np.stack(
        [motion.channel(name) if name in motion.expression_names else np.zeros(len(motion)) for name in CHANNELS], 1
    )


def opening(head: AnnyHead | TargetsHead, motion: Motion, lips: tuple[int, int] | None = None) -> np.ndarray:
    """Distance of the inner lips' middles over time, metres."""
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    vertices = np.concatenate(list(head.iter_vertices(still)))
    if lips is not None:
        return np.linalg.norm(vertices[:, lips[0]] - vertices[:, lips[1]], axis=-1)
    rows = getattr(head, "mediapipe_indices", np.arange(478)).tolist()
    upper, lower = (head.landmarks.of(vertices)[:, rows.index(number)] for number in (13, 14))
    return np.linalg.norm(upper - lower, axis=-1)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    ranks = (np.argsort(np.argsort(each)) for each in (a, b))
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.mark.parametrize("options", [Options(), Options(by_name=0.0)], ids=["by name", "by points alone"])
def test_the_same_head_gives_the_same_weights(anny: AnnyHead, motion: Motion, options: Options) -> None:
    if not options.by_name:
        options = Options(1e-6, 0.0, 0.0, 0.0, 0.0)
    found, residual = retarget(motion, anny, anny, options=options)
    assert np.abs(found.expression - motion.expression).max() < 0.01
    assert np.array_equal(found.head_pose, motion.head_pose) and found.fps == motion.fps and found.head == "anny"
    assert residual.worst_mm < 0.1


def test_there_and_back_on_flames_vertices(anny: AnnyHead, lam: TargetsHead, motion: Motion) -> None:
    """Every used weight within 0.05; the tongue's is absent there."""
    there, residual = retarget(motion, anny, lam)
    back, _ = retarget(there, lam, anny)
    off = np.abs(back.expression - motion.expression).max(0)
    assert off.max() < 0.05, dict(zip(np.array(CHANNELS)[off > 0.05], off[off > 0.05]))
    assert rank_correlation(opening(anny, motion), opening(lam, there)) > 0.98
    assert residual.mean_mm < residual.moved_mm and set(residual.regions_mm) == {"lips", "eyelids", "brows", "face"}


def test_openness_keeps_its_order_on_ict(anny: AnnyHead, ict: TargetsHead, motion: Motion) -> None:
    there, _ = retarget(motion, anny, ict)
    assert set(there.expression_names) == set(ict.expression_names)
    assert rank_correlation(opening(anny, motion), opening(ict, there, ICT_INNER_LIPS)) > 0.98
    back, _ = retarget(there, ict, anny)
    assert np.abs(back.expression - motion.expression).max() < 0.05


def test_speech_on_ict_opens_the_mouth_in_a_better_order_than_copied_weights(
    anny: AnnyHead, ict: TargetsHead, talker: Talker, speech: Speech
) -> None:
    motion = talker.generate(speech)
    there, _ = retarget(motion, anny, ict)
    ours, copied = (
        rank_correlation(opening(anny, motion), opening(ict, moved, ICT_INNER_LIPS))
        for moved in (there, replace(motion, head="ict"))
    )
    assert ours > copied


def test_scaled_names_bring_the_lips_nearer_and_the_way_back_undoes_the_scale(
    anny: AnnyHead, motion: Motion, avatar: TargetsHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = Correspondence.between(anny, avatar)
    there = NamePrior.between(anny, Controls.of(avatar, points.target), points)
    other_way = points.swapped()
    back = NamePrior.between(avatar, Controls.of(anny, other_way.target), other_way)
    gains, inverse = (dict(zip(prior.names, prior.gains)) for prior in (there, back))
    common = [channel for channel, gain in gains.items() if gain and channel in inverse]
    assert np.array([gains[channel] * inverse[channel] for channel in common]) == pytest.approx(1)
    assert min(gains[channel] for channel in common) < 0.9
    scaled = retarget(motion, anny, avatar, points)[1].regions_mm["lips"]
    monkeypatch.setattr(prior_module, "MAX_GAIN", 1.0)
    assert scaled < 0.985 * retarget(motion, anny, avatar, points)[1].regions_mm["lips"]


def test_landmarks_of_one_head_lie_on_the_same_lip_of_the_other(anny: AnnyHead, ict: TargetsHead) -> None:
    """The jaw moves all lower points of the lips, and hardly the upper ones."""
    for points in (Correspondence.between(anny, ict), Correspondence.between(ict, anny).swapped()):
        upper, lower = np.array(points.contacts).T
        column = ict.expression_names.index("jawOpen")
        moved = Controls.of(ict, points.target).basis_mm[column, :, 1]
        assert moved[upper].min() > -10 and moved[lower].max() < -20


def parting_mm(head: AnnyHead | TargetsHead, motion: Motion, points: Landmarks, pairs: np.ndarray) -> np.ndarray:
    """How far upper and lower lip are apart beyond rest, `(T,)` mm: the widest of the pairs."""
    still = replace(motion, head_pose=np.zeros_like(motion.head_pose))
    moved = points.of(np.concatenate(list(head.iter_vertices(still)))) - points.of(neutral_of(head))
    return 1e3 * (moved[:, pairs[:, 0], 1] - moved[:, pairs[:, 1], 1]).max(1)


def test_lips_that_touch_on_the_source_touch_on_the_target(
    anny: AnnyHead, motion: Motion, avatar: TargetsHead, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffposetalk.retarget import contact as module

    points = Correspondence.between(anny, avatar)
    pairs = np.array(points.contacts)
    assert len(pairs) >= 6
    shut = points.scale * parting_mm(anny, motion, points.source, pairs) < 0.3
    assert shut.sum() > 15
    there, _ = retarget(motion, anny, avatar, points)
    slit = parting_mm(avatar, there, points.target, pairs)[shut]
    assert slit.max() < 1.2 and np.median(slit) < 0.7
    if avatar.name == "lam":
        monkeypatch.setattr(module, "CONTACT", 0.0)
        without, _ = retarget(motion, anny, avatar, points)
        assert parting_mm(avatar, without, points.target, pairs)[shut].max() > 2 * slit.max()


def test_flame_to_arkit(anny: AnnyHead, free_flame: FreeFlame, free_flame_head: FlameHead, motion: Motion) -> None:
    """Coefficients that were made of ARKit weights give these back; what one channel hides in another is bounded."""
    found, residual = to_arkit(free_flame.coefficients(motion), free_flame_head, anny)
    off = np.abs(found.expression - motion.expression)
    assert found.expression_names == CHANNELS and found.head == "anny"
    assert off.mean() < 0.01 and np.percentile(off, 99) < 0.1 and off.max() < 0.3
    assert off[:, INDEX["jawOpen"]].max() < 0.07 and off[:, INDEX["eyeBlinkLeft"]].max() < 0.03
    assert residual.mean_mm < 0.06 < residual.moved_mm
    assert np.array_equal(found.head_pose, motion.head_pose)


def test_arkit_to_flame_and_back(anny: AnnyHead, free_flame_head: FlameHead, motion: Motion) -> None:
    there, residual = retarget(motion, anny, free_flame_head)
    assert there.head == "flame" and there.jaw_pose is not None and there.eye_pose is not None
    assert there.jaw_pose[:, 0].max() > 0.2 and np.abs(there.eye_pose).max() > 0.05
    assert residual.mean_mm < 0.05
    back, _ = to_arkit(there, free_flame_head, anny)
    assert np.abs(back.expression - motion.expression).max() < 0.1


def test_a_turned_jaw_is_jaw_channels(anny: AnnyHead, free_flame_head: FlameHead) -> None:
    jaw = np.zeros((4, 3), np.float32)
    jaw[1, 0], jaw[2, 1], jaw[3, 1] = 0.2, 0.1, -0.1
    turned = Motion(np.zeros((4, 1)), ("exp_00",), np.zeros((4, 3)), 25.0, "flame", jaw_pose=jaw)
    found, _ = to_arkit(turned, free_flame_head, anny)
    assert found.expression[0].max() < 0.01
    assert found.channel("jawOpen").argmax() == 1 and found.channel("jawOpen")[1] > 0.3
    assert found.channel("jawLeft").argmax() == 2 and found.channel("jawRight").argmax() == 3


def test_arkit_motions_are_not_solved_for() -> None:
    part = Motion(np.full((2, 1), 0.5), ("jawOpen",), np.zeros((2, 3)), 30.0, "lam")
    found, residual = to_arkit(part)
    assert found.expression_names == CHANNELS and found.channel("jawOpen")[0] == 0.5 and residual.worst_mm == 0


def test_correspondence_without_common_landmarks(free_flame_head: FlameHead, anny: AnnyHead) -> None:
    """FLAME's 68 landmarks serve as well; with the eyes alone a warning says what that means."""
    few = replace(free_flame_head, mediapipe=None, _converted={})
    found = Correspondence.between(few, anny)
    off = found.source.of(neutral_of(few)) - found.target.of(neutral_of(anny))
    assert np.linalg.norm(off, axis=1).max() < 1e-3 and abs(found.scale - 1) < 1e-3
    with pytest.warns(DiffPoseTalkWarning, match="landmark_embedding"):
        Correspondence.between(replace(few, points=None, _converted={}), anny)
    blank = TargetsHead.of("blank", anny.neutral("skin")[:3], np.array([[0, 1, 2]]), ["a"], np.ones((1, 3, 3)))
    with pytest.raises(ModelError, match="in common"):
        Correspondence.between(anny, blank)


def test_similarity_and_warp() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((20, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    scale, rotation, shift = similarity(points, 2 * points @ turn.T + [1, 2, 3])
    assert scale == pytest.approx(2) and np.allclose(rotation, turn) and np.allclose(shift, [1, 2, 3])
    bent = points + 0.1 * np.sin(points)
    assert np.allclose(Warp.fit(points, bent, 0.0)(points), bent, atol=1e-6)
    assert np.allclose(Warp.none()(points), points)


def test_residuals_of_nothing_and_wrong_options() -> None:
    assert Residual.of(np.zeros((0, 5)), ("lips",) * 5, np.zeros((0, 5))).to_dict()["mean_mm"] == 0
    with pytest.raises(UsageError, match="ridge must be 0 or more"):
        Options(ridge=-1.0)


def test_long_motions_are_solved_in_stretches(
    anny: AnnyHead, free_flame_head: FlameHead, motion: Motion, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffposetalk.retarget import solve as module

    part = motion.slice(0, 30)
    points = Correspondence.between(anny, free_flame_head)
    whole, residual = retarget(part, anny, free_flame_head, points)
    monkeypatch.setattr(module, "STRETCH", 11)
    monkeypatch.setattr(module, "AROUND", 5)
    pieces, same = retarget(part, anny, free_flame_head, points)
    assert np.abs(pieces.expression - whole.expression).max() < 0.02
    assert same.mean_mm == pytest.approx(residual.mean_mm, abs=1e-3)


def test_no_frames(anny: AnnyHead, free_flame_head: FlameHead, motion: Motion) -> None:
    assert len(retarget(motion.slice(0, 0), anny, free_flame_head)[0]) == 0


def test_command(tmp_path: Path, free_flame: FreeFlame, motion: Motion, capsys: pytest.CaptureFixture[str]) -> None:
    from diffposetalk.cli import run

    motion.slice(0, 10).save(tmp_path / "talk.npz")
    there, back = str(tmp_path / "there.npz"), str(tmp_path / "back.npz")
    assert run(["retarget", str(tmp_path / "talk.npz"), "--head", str(free_flame.path), "-o", there]) == 0
    assert "mm" in capsys.readouterr().out
    assert run(["retarget", there, "--from-head", str(free_flame.path), "-o", back, "--json"]) == 0
    assert '"mean_mm"' in capsys.readouterr().out
    assert np.abs(Motion.load(back).expression - motion.expression[:10]).max() < 0.1
    arrays = {"exp": Motion.load(there).expression, "pose": np.zeros((10, 6), np.float32)}
    np.savez(tmp_path / "tracked.npz", **arrays)
    assert run(["retarget", str(tmp_path / "tracked.npz"), "--from-head", str(free_flame.path), "-o", back]) == 0
    replace(motion, head="avatar").save(tmp_path / "other.npz")
    assert run(["retarget", str(tmp_path / "other.npz"), "-o", back]) == 2
    assert "other.npz: is for the head 'avatar'; name that head's file with --from-head" in capsys.readouterr().err
    assert run(["retarget", there, "--from-head", "nobody", "-o", back]) == 2
    assert "unknown head 'nobody'" in capsys.readouterr().err
    assert run(["retarget", str(tmp_path / "talk.npz"), "--from-head", str(free_flame.path), "-o", back]) == 1
    assert "does not fit" in capsys.readouterr().err
