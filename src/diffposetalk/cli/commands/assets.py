"""List, check and place files that users bring themselves: FLAME, its landmarks and masks, the authors' checkpoints.

diffposetalk assets
diffposetalk assets --add generic_model.pkl
diffposetalk assets --make-free-flame flame-free.npz

Nothing is ever downloaded. The folder is DIFFPOSETALK_ASSETS, else the system's place for data.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.cli import values
from diffposetalk.cli.files import reads, writes
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError

if TYPE_CHECKING:
    from diffposetalk.cli.console import Console


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    reads(
        parser.add_argument(
            "--add", metavar="FILE", action="append", default=[], help="recognise, check and place; repeatable"
        )
    )
    writes(parser.add_argument("--make-free-flame", metavar="OUT", help="write a free head of FLAME's format (.npz)"))


def run(args: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Place what is to be placed, then list; return the result for `--json`."""
    if args.make_free_flame:
        if args.add:
            raise UsageError("--make-free-flame and --add are two requests; ask for one at a time")
        return _make_free(values.outputs([args.make_free_flame], (".npz",))[0], console)

    from diffposetalk.files.asset_folder import asset_folder

    if args.add:
        added = [place(Path(file)) for file in args.add]
        console.table([(one["asset"], one["path"], one["about"]) for one in added])
        return {"folder": str(asset_folder()), "added": added}
    found = survey()
    console.say(f"folder  {asset_folder()}")
    console.table([(one["asset"], one["state"], one["about"]) for one in found])
    return {"folder": str(asset_folder()), "assets": found}


def survey() -> list[dict[str, Any]]:
    """Look at every known asset: name, state (absent, good, wrong), path, and what it is or what is wrong with it."""
    from diffposetalk.files.asset_folder import ASSETS, placed

    found: list[dict[str, Any]] = []
    for asset in ASSETS:
        paths = placed(asset.name)
        if not paths:
            about = f"{asset.what}; from: {asset.source}"
            found.append({"asset": asset.name, "state": "absent", "path": None, "about": about})
        for path in paths:
            try:
                kind, about = examine(path)
                state = "good" if kind == asset.name or {kind, asset.name} <= set(_HEADS) else "wrong"
                about = f"{path.name}: {about if state == 'good' else f'is a file for {kind}'}"
            except DiffPoseTalkError as error:
                state, about = "wrong", str(error)
            found.append({"asset": asset.name, "state": state, "path": str(path), "about": about})
    return found


_HEADS = ("flame2020", "flame2023", "flame-free")


def examine(path: Path) -> tuple[str, str]:
    """Recognise an asset by its content and load it.

    Args:
        path: a file, or the folder of a speech encoder.

    Returns:
        The asset's name, and a few words on what is in it.

    Raises:
        InputError: it is missing, damaged, or none of the known assets; the message says what is wrong.
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
    """Check an asset and copy it into the asset folder, whole or not at all.

    Returns:
        Name of the asset, where it lies now, what is in it.

    Raises:
        InputError: it is no known asset, or something is wrong with it.
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
    from diffposetalk.files.atomic import replacing, write_error

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(target.parent, error) from error
    if path.is_file():
        with replacing(target) as beside:
            shutil.copyfile(path, beside)
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(path, beside)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    except OSError as error:
        raise write_error(target, error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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
    """Return the triangles of the FLAME head beside a file or in the asset folder; without one, more than any has."""
    import numpy as np

    from diffposetalk.files.asset_folder import placed
    from diffposetalk.head.flame.files import read_model

    beside = path.with_name("generic_model.pkl")
    heads = ([beside] if beside.is_file() else []) + placed("flame2020") + placed("flame2023")
    if heads:
        return read_model(heads[0], 1, 1).faces
    return np.broadcast_to(np.int32(10**6), (10**6, 3))


def _statistics(path: Path) -> tuple[str, str]:
    from diffposetalk.head.flame.files import read_arrays

    arrays = read_arrays(path)
    return "statistics", ", ".join(f"{name} {tuple(value.shape)}" for name, value in sorted(arrays.items())[:12])


def _checkpoint(path: Path) -> tuple[str, str]:
    from diffposetalk.released_weights.files import read_released

    found = read_released(path)
    count = sum(value.numel() for value in found.weights.values())
    about = f"iteration {found.iteration}, {count / 1e6:.3g} million numbers"
    return ("denoiser" if found.kind == "denoiser" else "style-encoder"), about


def _face_landmarker(path: Path) -> tuple[str, str]:
    """Look into MediaPipe's bundle, a zip file; it is opened for good by `track`."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as bundle:
            names = bundle.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path}: is not a MediaPipe model bundle ({error})") from None
    if "face_landmarks_detector.tflite" not in names:
        raise InputError(f"{path}: is another MediaPipe bundle; `track` needs face_landmarker.task")
    return "face-landmarker", "MediaPipe Face Landmarker"


def _speech_encoder(path: Path) -> tuple[str, str]:
    import json

    try:
        config = json.loads((path / "config.json").read_text())
        family = str(config["model_type"])
    except FileNotFoundError:
        raise InputError(f"{path}: is no speech encoder, config.json is missing in the folder") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path / 'config.json'}: is not a speech encoder's configuration ({error})") from None
    if family not in ("hubert", "wav2vec2"):
        raise InputError(f"{path}: is a {family}, known here are hubert and wav2vec2; name other encoders by folder")
    weights = [each for each in ("model.safetensors", "pytorch_model.bin") if (path / each).is_file()]
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


def _make_free(path: Path, console: Console) -> dict[str, Any]:
    from diffposetalk.head.flame.free import make_free_flame

    made = make_free_flame(path)
    console.say(str(path))
    console.table([(f"{region} residual", f"{mm:.2f} mm rms") for region, mm in made.residuals_mm.items()])
    return {"output": str(path), "residuals_mm": made.residuals_mm}
