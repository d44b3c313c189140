"""Describe files: model, style, motion, sound or video. Without a file: the bundled model and this machine.

diffposetalk info
diffposetalk info talk.npz talk.wav
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli.files import reads
from diffposetalk.errors import InputError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(parser.add_argument("files", metavar="FILE", nargs="*", help="model, style, motion, sound or video"))


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Describe every file; return the result for `--json`."""
    described = [_describe(Path(file)) for file in args.files] or [_installation()]
    for about in described:
        console.table(
            [row for name, value in about.items() if value not in (None, False) for row in _rows(name, value)]
        )
        if about is not described[-1]:
            console.say("")
    return {"files": described} if args.files else described[0]


def _describe(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise InputError(f"{path}: no such file")
    suffix = path.suffix.lower()
    from diffposetalk.exchange import suffixes as motions

    if suffix == ".safetensors":
        return {"file": str(path), **_tensors(path)}
    if suffix in motions(reading=True):
        return {"file": str(path), **_motion(path)}
    from diffposetalk.media import probe

    return {"file": str(path), "kind": "sound or video", **asdict(probe(path))}


def _motion(path: Path) -> dict[str, Any]:
    import numpy as np

    from diffposetalk.exchange import load_motion

    motion = load_motion(path)
    turn_deg = np.rad2deg(np.abs(motion.head_pose).max(axis=0, initial=0.0))
    return {
        "kind": "motion",
        "head": motion.head,
        "frames": len(motion),
        "fps": motion.fps,
        "seconds": round(motion.duration, 3),
        "expression_channels": len(motion.expression_names),
        "largest_pitch_yaw_roll_deg": [round(float(angle), 1) for angle in turn_deg],
        "jaw_pose": motion.jaw_pose is not None,
        "eye_pose": motion.eye_pose is not None,
    }


def _tensors(path: Path) -> dict[str, Any]:
    from diffposetalk.files.parsing import parsing
    from diffposetalk.files.tensor_files import header_lines, header_table, read_header
    from diffposetalk.style import Style

    header, shapes = read_header(path, "safetensors file")
    kind = header.get("kind", "")
    if kind == "diffposetalk.style":
        style = Style.load(path)
        return {"kind": "style", "source": style.source, "encoder": style.encoder, "dim": len(style.vector)}
    with parsing(path, "model file"):
        if kind == "diffposetalk.style_encoder":
            config, space = (header_table(path, header, key) for key in ("config", "motion_space"))
            return {
                "kind": "style encoder",
                "dim": config["dim"],
                "head": space["head"],
                "channels": len(space["channels"]),
            }
        if kind == "diffposetalk.model":
            tables = {key: header_table(path, header, key) for key in ("config", "motion_space", "presets")}
            about = _model(tables, list(shapes.values()))
            sources = list(header_lines(path, header, "sources"))
            return {"kind": "model", "bytes": path.stat().st_size, **about, "sources": sources}
        if kind == "diffposetalk.baseline":
            config, space = (header_table(path, header, key) for key in ("config", "motion_space"))
            return {
                "kind": f"baseline, {config['network']['kind']}",
                **_network(config, space, list(shapes.values())),
                "one_hot_styles": len(header_lines(path, header, "speakers")) or None,
                "sources": list(header_lines(path, header, "sources")),
            }
    raise InputError(f"{path}: is not a model, style encoder, style or baseline of DiffPoseTalk")


def _model(tables: dict[str, dict[str, Any]], shapes: list[tuple[int, ...]]) -> dict[str, Any]:
    config = tables["config"]
    return {
        **_network(config, tables["motion_space"], shapes),
        "noise_schedule": f"{config.get('schedule', 'cosine')}, {config.get('noise_steps', 500)} steps",
        "guidance": config.get("sampling", {}).get("guidance", "incremental"),
        "styles": list(tables["presets"]),
    }


def _network(config: dict[str, Any], space: dict[str, Any], shapes: list[tuple[int, ...]]) -> dict[str, Any]:
    import math

    return {
        "name": config.get("name"),
        "parameters": sum(math.prod(shape) for shape in shapes),
        "head": space["head"],
        "fps": space["fps"],
        "channels": len(space["channels"]),
    }


def _installation() -> dict[str, Any]:
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from diffposetalk import __version__

    def installed(package: str) -> str | None:
        try:
            return version(package)
        except PackageNotFoundError:
            return None

    weights = bundled_model()
    return {
        "diffposetalk": __version__,
        "python": platform.python_version(),
        "torch": installed("torch"),
        "cores": os.cpu_count(),
        "bundled_model": str(weights) if weights.exists() else "absent from this installation",
        **(_model_only(weights) if weights.exists() else {}),
    }


def _model_only(path: Path) -> dict[str, Any]:
    about = _tensors(path)
    return {key: about[key] for key in ("parameters", "bytes", "head", "styles", "sources") if key in about}


def bundled_model() -> Path:
    """Return the path of the bundled model."""
    return Path(__file__).parents[2] / "assets" / "lite.safetensors"


def _rows(name: str, value: Any) -> list[tuple[str, str]]:
    """Format an entry for people: one row, or a row for each line of `sources`."""
    if name != "sources":
        return [(name, _text(value))]
    return [(name if not number else "", line) for number, line in enumerate(value)]


def _text(value: Any) -> str:
    """Format a value for people."""
    if value is True:
        return "yes"
    return ", ".join(str(item) for item in value) if isinstance(value, list | tuple) else str(value)
