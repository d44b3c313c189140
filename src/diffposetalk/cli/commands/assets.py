"""List, check and install files that you provide: FLAME, its landmarks and masks, the authors' checkpoints.

diffposetalk assets
diffposetalk assets --add generic_model.pkl
diffposetalk assets --make-free-flame flame-free.npz

Nothing is downloaded. The folder is DIFFPOSETALK_ASSETS, or the default data folder of the system.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.files.parsing import parsing

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    reads(
        parser.add_argument(
            "--add", metavar="FILE", action="append", default=[], help="recognise, check and install a file; repeatable"
        )
    )
    writes(parser.add_argument("--make-free-flame", metavar="OUT", help="write a free head of FLAME's format (.npz)"))


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Install files, or list the assets; return the result for `--json`."""
    if args.make_free_flame:
        if args.add:
            raise UsageError("--make-free-flame and --add cannot be used together")
        return _make_free_flame(values.outputs([args.make_free_flame], (".npz",))[0], console)

    from diffposetalk.files.asset_folder import asset_folder

    if args.add:
        added = [place(Path(file)) for file in args.add]
        console.table([(row["asset"], row["path"], row["about"]) for row in added])
        return {"folder": str(asset_folder()), "added": added}
    assets = survey()
    console.say(f"folder  {asset_folder()}")
    console.table([(row["asset"], row["state"], row["about"]) for row in assets])
    return {"folder": str(asset_folder()), "assets": assets}


def survey() -> list[dict[str, Any]]:
    """Check every known asset: name, state (absent, good, wrong), path, and a description or the error."""
    from diffposetalk.files.asset_folder import ASSETS, HEADS, placed

    rows: list[dict[str, Any]] = []
    for asset in ASSETS:
        paths = placed(asset.name)
        if not paths:
            about = f"{asset.what}; from: {asset.source}"
            rows.append({"asset": asset.name, "state": "absent", "path": None, "about": about})
        for path in paths:
            try:
                kind, about = examine(path)
                state = "good" if kind == asset.name or {kind, asset.name} <= set(HEADS) else "wrong"
                about = f"{path.name}: {about if state == 'good' else f'is a file for {kind}'}"
            except DiffPoseTalkError as error:
                state, about = "wrong", str(error)
            rows.append({"asset": asset.name, "state": state, "path": str(path), "about": about})
    return rows


def examine(path: Path) -> tuple[str, str]:
    """Recognise an asset by its content, and check it.

    Args:
        path: a file, or the folder of a speech encoder.

    Returns:
        Name of the asset, and a short description.

    Raises:
        InputError: it is missing, damaged, or not a known asset.
    """
    if path.is_dir():
        return _speech_encoder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix.lower() in (".pt", ".pth", ".ckpt"):
        return _checkpoint(path)
    if path.suffix.lower() == ".task":
        return _face_landmarker(path)
    from diffposetalk.head.flame.files import KEYS, read_arrays
    from diffposetalk.head.flame.landmarks import EMBEDDING_KEYS, MEDIAPIPE_KEYS

    names = set(read_arrays(path))
    if "v_template" in names or len(names & set(KEYS)) > 3:
        return _flame(path)
    if names & set(EMBEDDING_KEYS):
        return _landmarks(path)
    if names & set(MEDIAPIPE_KEYS):
        return _mediapipe(path)
    if {"exp_mean", "exp_std"} <= names:
        return _statistics(path)
    if "lips" in names:
        return _masks(path)
    few = ", ".join(sorted(names)[:5]) or "nothing"
    raise InputError(f"{path}: is none of the known assets (it holds {few}); `diffposetalk assets` lists them")


def place(path: Path) -> dict[str, str]:
    """Check an asset and copy it into the asset folder, atomically.

    Returns:
        Name of the asset, its new path, and a short description.

    Raises:
        InputError: it is not a known asset, or is damaged.
        DiffPoseTalkError: it cannot be written.
    """
    from diffposetalk.files.asset_folder import ASSETS, asset_folder

    name, about = examine(path)
    asset = next(asset for asset in ASSETS if asset.name == name)
    target = asset_folder() / asset.places[0]
    if "*" in target.name:
        run_folder = path.parent.parent if path.parent.name == "checkpoints" else None
        target = target.with_name(f"{run_folder.name}-{path.name}" if run_folder else path.name)
    elif path.name in asset.places:
        target = asset_folder() / path.name
    if not (target.exists() and target.samefile(path)):
        _copy(path, target)
    return {"asset": name, "path": str(target), "about": about}


def _copy(path: Path, target: Path) -> None:
    from diffposetalk.files.atomic import replacing, replacing_folder, write_error

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(target.parent, error) from error
    if path.is_file():
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)
        return
    with replacing_folder(target) as temporary:
        shutil.copytree(path, temporary, dirs_exist_ok=True)
        if target.exists():
            shutil.rmtree(target)


def _flame(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.files import N_EXPRESSION, N_IDENTITY, read_model

    model = read_model(path, N_IDENTITY, N_EXPRESSION)
    about = f"{len(model.template)} vertices, {len(model.faces)} triangles, {N_IDENTITY} identity and {N_EXPRESSION} expression"
    if "arkit_matrix" in model.extras:
        return "flame-free", f"{about} coefficients, free"
    return ("flame2023" if "2023" in path.name else "flame2020"), f"{about} coefficients"


def _landmarks(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.landmarks import read_embedding

    read_embedding(path, _faces(path))
    return "flame-landmarks", "51 still, 17 of the outline, 68 full landmarks"


def _mediapipe(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.landmarks import read_mediapipe

    points, _ = read_mediapipe(path, _faces(path))
    return "flame-mediapipe", f"{len(points)} of MediaPipe's landmarks"


def _masks(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.files import read_masks

    masks = read_masks(path, int(_faces(path).max(initial=0)) + 1)
    return "flame-masks", ", ".join(sorted(masks))


def _faces(path: Path) -> Any:
    """Return the triangles of the FLAME head beside a file or in the asset folder; without one, of a huge mesh."""
    import numpy as np

    from diffposetalk.files.asset_folder import placed
    from diffposetalk.head.flame.files import read_model

    sibling = path.with_name("generic_model.pkl")
    heads = ([sibling] if sibling.is_file() else []) + placed("flame2020") + placed("flame2023")
    if heads:
        return read_model(heads[0], 1, 1).faces
    return np.broadcast_to(np.int32(10**6), (10**6, 3))


def _statistics(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.files import read_arrays

    arrays = read_arrays(path)
    return "statistics", ", ".join(f"{name} {tuple(value.shape)}" for name, value in sorted(arrays.items())[:12])


def _checkpoint(path: Path) -> tuple[str, str]:
    from diffposetalk.released_weights.files import read_released

    checkpoint = read_released(path)
    count = sum(value.numel() for value in checkpoint.weights.values())
    about = f"iteration {checkpoint.iteration}, {count / 1e6:.3g} million numbers"
    return ("denoiser" if checkpoint.kind == "denoiser" else "style-encoder"), about


def _face_landmarker(path: Path) -> tuple[str, str]:
    """Check MediaPipe's model bundle, a zip file."""
    import zipfile

    with parsing(path, "MediaPipe model bundle"), zipfile.ZipFile(path) as bundle:
        names = bundle.namelist()
    if "face_landmarks_detector.tflite" not in names:
        raise InputError(f"{path}: is another MediaPipe bundle; `track` needs face_landmarker.task")
    return "face-landmarker", "MediaPipe Face Landmarker"


def _speech_encoder(path: Path) -> tuple[str, str]:
    import json

    try:
        config = json.loads((path / "config.json").read_text())
        family = str(config["model_type"])
    except FileNotFoundError:
        raise InputError(f"{path}: is not a speech encoder: config.json is missing in the folder") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path / 'config.json'}: is not a speech encoder's configuration ({error})") from None
    if family not in ("hubert", "wav2vec2"):
        raise InputError(
            f"{path}: is a {family}; only hubert and wav2vec2 can be added. Name other encoders by their folder"
        )
    weights = [name for name in ("model.safetensors", "pytorch_model.bin") if (path / name).is_file()]
    if not weights:
        raise InputError(f"{path}: lacks the weights, model.safetensors or pytorch_model.bin")
    about = f"{config.get('num_hidden_layers', 12)} layers of width {config.get('hidden_size', 768)}"
    if weights[0] == "model.safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path / weights[0], framework="numpy") as file:
                about += f", {len(file.keys())} weights"
        except (SafetensorError, OSError) as error:
            raise InputError(f"{path / weights[0]}: is damaged ({error})") from None
    return family, about


def _make_free_flame(path: Path, console: Console) -> dict[str, Any]:
    from diffposetalk.head.flame.free import make_free_flame

    head = make_free_flame(path)
    console.say(str(path))
    console.table([(f"{region} residual", f"{mm:.2f} mm rms") for region, mm in head.residuals_mm.items()])
    return {"output": str(path), "residuals_mm": head.residuals_mm}
