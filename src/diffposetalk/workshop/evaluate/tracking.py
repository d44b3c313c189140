"""Is video tracked rightly? Our motion of some clips against independent tracks of the same clips, clip by clip."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError
from diffposetalk.files.npz import read_npz
from diffposetalk.files.parsing import parsing
from diffposetalk.geometry.curves import at_times
from diffposetalk.geometry.rotations import pitch_yaw_roll
from diffposetalk.media import VIDEOS
from diffposetalk.metrics import blink_frames
from diffposetalk.progress import Progress, over
from diffposetalk.track import Track
from diffposetalk.track.fit import OPEN_SHARE, SHUT
from diffposetalk.track.landmarks import CHIN, FOREHEAD, LIP_PAIRS, lid_opening, lip_aperture

TURN_R, APERTURE_R, JAW_R, BLINKS, ERROR_PERCENT = 0.95, 0.85, 0.80, 0.80, 3.0
"""What is asked for."""
LEAST_TURN_DEG = 3.0
"""A turn of a smaller range is not judged."""
CHANNELS = ("mouthSmile", "browInnerUp", "browOuterUp", "browDown", "mouthPucker")
"""Reported beside."""
NEAR_S = 0.12
"""Blinks as near as this are the same."""
BLINK = (0.5, 0.25)
"""Closure at which a blink begins and below which the next may, of ours and of the reference's scores."""


@dataclass(frozen=True)
class Reference:
    """An independent track: MediaPipe's own scores and head matrices, or of the same layout."""

    times: np.ndarray
    scores: dict[str, np.ndarray] = field(repr=False)
    """``(T,)`` by ARKit name."""
    rotation: np.ndarray = field(repr=False)
    """``(T, 3, 3)`` head to camera."""
    aperture: np.ndarray = field(repr=False)
    """``(T,)`` inner-lip gap over the face's height."""
    seen: np.ndarray = field(repr=False)

    @staticmethod
    def load(path: Path) -> Reference:
        """Read `names, blendshapes, matrix, landmark_idx, landmarks_px, time, detected` of an npz file.

        Raises:
            InputError: it is no such file.
        """
        values = read_npz(path, "track to compare with")
        with parsing(path, "track to compare with"):
            names = [str(name) for name in values["names"]]
            points = np.full((len(values["time"]), 478, 2), np.nan)
            points[:, values["landmark_idx"].astype(int)] = values["landmarks_px"][..., :2]
            if not np.isfinite(points[:, [FOREHEAD, CHIN, *LIP_PAIRS[2]]]).any():
                raise InputError(f"{path}: the track has no lips")
            return Reference(
                values["time"].astype(np.float64),
                dict(zip(names, values["blendshapes"].astype(np.float64).T)),
                values["matrix"][:, :3, :3].astype(np.float64),
                lip_aperture(points),
                values["detected"].astype(bool),
            )


def compare(ours: Track, reference: Reference) -> dict[str, Any]:
    """Compare a track with an independent one of the same clip, at the reference's frames.

    Returns:
        `yaw_r`, `pitch_r`, `roll_r` and their ranges in degrees, `aperture_r`, `jaw_r`, `blinks` (ours, theirs, both),
        `error_percent`, correlations of `CHANNELS`, `missed`: names of what is not as good as asked for.
    """
    inside = (reference.times >= ours.face.times[0] - 1e-6) & (reference.times <= ours.face.times[-1] + 1e-6)
    inside &= reference.seen & np.isfinite(reference.aperture)
    times = reference.times[inside]
    fitted, model = ours.fit, ours.fit.model
    weights = dict(zip(model.names, at_times(ours.face.times, fitted.weights, times).T))
    result: dict[str, Any] = {"frames": int(inside.sum()), "error_percent": ours.quality.error_percent}
    turns = np.rad2deg(at_times(ours.face.times, pitch_yaw_roll(fitted.pose.rotation), times))
    theirs = np.rad2deg(pitch_yaw_roll(reference.rotation[inside]))
    for axis, name in ((1, "yaw"), (0, "pitch"), (2, "roll")):
        result[f"{name}_r"] = correlation(turns[:, axis], theirs[:, axis])
        result[f"{name}_range_deg"] = float(np.ptp(theirs[:, axis]))
    whole = np.full((len(ours.face), 478, 3), np.nan)
    whole[:, model.indices] = model.place(fitted.weights)
    aperture = at_times(ours.face.times, lip_gap(whole), times)
    result["aperture_r"] = correlation(aperture, reference.aperture[inside])
    scores = {name: values[inside] for name, values in reference.scores.items()}
    result["jaw_r"] = correlation(weights["jawOpen" if model.hinge is None else "jaw_x"], scores["jawOpen"])
    real_lids = _both(scores, "eyeBlink")
    if model.hinge is None:
        for name in CHANNELS:
            result[f"{name}_r"] = correlation(_both(weights, name), _both(scores, name))
        lids = _both(weights, "eyeBlink")
    else:
        lids = at_times(ours.face.times, closure(whole), times)
    mine, real = blink_frames(lids, *BLINK), blink_frames(real_lids, *BLINK)
    same = np.array([[one_blink(a, b, times, lids, real_lids) for b in real] for a in mine]).reshape(
        len(mine), len(real)
    )
    hits, right = int(same.any(0).sum()), int(same.any(1).sum())
    result["blinks"] = {"ours": len(mine), "theirs": len(real), "found": hits, "right": right}
    result["blink_r"] = correlation(lids, real_lids)
    result["missed"] = list(_missed(result))
    return result


def lip_gap(points: np.ndarray) -> np.ndarray:
    """Return the mean gap of the inner lips' middle ``(T,)`` of landmarks ``(T, 478, 3)``, in their unit."""
    upper, lower = (points[:, [pair[side] for pair in LIP_PAIRS[1:4]]] for side in (0, 1))
    return np.linalg.norm(upper - lower, axis=-1).mean(-1)


def closure(points: np.ndarray) -> np.ndarray:
    """Return how far the lids of landmarks ``(T, 478, 3)`` are shut, ``(T,)``: 0 as usual, 1 shut; for heads without eyeBlink."""
    opening = np.stack([lid_opening(points, side) for side in ("left", "right")])
    usual = np.percentile(opening, OPEN_SHARE, axis=1, keepdims=True)
    return np.clip(1 - (opening - SHUT) / (usual - SHUT), 0, 1).mean(0)


def _missed(result: dict[str, Any]) -> list[str]:
    bad = [
        name
        for name in ("yaw", "pitch", "roll")
        if result[f"{name}_range_deg"] > LEAST_TURN_DEG and not result[f"{name}_r"] >= TURN_R
    ]
    bad += ["aperture"] if not result["aperture_r"] >= APERTURE_R else []
    bad += ["jaw"] if not result["jaw_r"] >= JAW_R else []
    blinks = result["blinks"]
    if blinks["found"] < BLINKS * blinks["theirs"] or blinks["right"] < BLINKS * blinks["ours"]:
        bad.append("blinks")
    return bad + (["error"] if result["error_percent"] > ERROR_PERCENT else [])


def one_blink(ours: int, theirs: int, times: np.ndarray, lids: np.ndarray, real_lids: np.ndarray) -> bool:
    """Tell whether two frames of closure belong together: near in time, or neither eye opened in between."""
    if abs(times[ours] - times[theirs]) <= NEAR_S:
        return True
    between_them = slice(min(ours, theirs), max(ours, theirs) + 1)
    return bool(min(lids[between_them].min(), real_lids[between_them].min()) >= BLINK[1])


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's r; 0 where one of them stays the same."""
    if len(a) < 2 or a.std() < 1e-9 or b.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _both(curves: dict[str, np.ndarray], name: str) -> np.ndarray:
    return curves[name] if name in curves else (curves[f"{name}Left"] + curves[f"{name}Right"]) / 2


def row(name: str, result: dict[str, Any]) -> str:
    """Return a line of the table."""
    turns = " ".join(
        f"{result[f'{axis}_r']:5.2f} ({result[f'{axis}_range_deg']:4.1f})" for axis in ("yaw", "pitch", "roll")
    )
    blinks = result["blinks"]
    channels = " ".join(f"{result[f'{each}_r']:5.2f}" if f"{each}_r" in result else "    -" for each in CHANNELS)
    return (
        f"{name[:20]:20s} {turns} {result['aperture_r']:6.2f} {result['jaw_r']:6.2f} "
        f"{blinks['found']:3d}/{blinks['theirs']:<3d}{blinks['right']:3d}/{blinks['ours']:<3d} "
        f"{result['error_percent']:6.2f} {channels} {result.get('fps', 0):5.0f}  {', '.join(result['missed']) or 'ok'}"
    )


HEADER = (
    f"{'clip':20s} {'yaw r (deg)':>12s} {'pitch r':>12s} {'roll r':>12s} lips r  jaw r found  right  err %  "
    "smile inner outer  down pucker fps  not as asked"
)


def evaluate(
    recordings: Path,
    landmarker: Path | None = None,
    head: str = "anny",
    only: str = "",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Track every clip that has an independent track, and compare.

    Args:
        recordings: folder with ``clips`` (videos) and ``tracks`` (npz files of the same names).
        landmarker: MediaPipe's face_landmarker.task.
        head: head to fit: anny, or a FLAME file.
        only: clips whose name contains this.
        progress: called after each clip.

    Raises:
        InputError: there is no clip with a track.
    """
    from diffposetalk.head import load_head
    from diffposetalk.track import track

    tracks = {path.stem: path for path in sorted((recordings / "tracks").glob("*.npz"))}
    clips = [path for path in sorted((recordings / "clips").glob("*")) if path.suffix.lower() in VIDEOS]
    clips = [path for path in clips if path.stem in tracks and only in path.name]
    if not clips:
        raise InputError(f"{recordings}: no video in clips/ that has a track in tracks/")
    model = load_head(head)
    rows: dict[str, Any] = {}
    for path in over(clips, progress, "tracking"):
        started = time.monotonic()
        ours = track(path, model, landmarker)
        seconds = time.monotonic() - started
        rows[path.stem] = compare(ours, Reference.load(tracks[path.stem]))
        rows[path.stem] |= {"seconds": seconds, "fps": len(ours.face) / seconds}
    return {"clips": rows, "exit_code": int(any(values["missed"] for values in rows.values()))}


def report(result: Mapping[str, Any]) -> str:
    """Lay the result out as a table, a line for each clip."""
    return "\n".join([HEADER, *(row(name, values) for name, values in result["clips"].items())])
