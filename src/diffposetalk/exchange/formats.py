"""The table of formats: name, file name endings, writer and reader of each.

The command line, `load_motion` and the tests take everything from a format's row. To add a format, follow
"Add an export format" in CONTRIBUTING.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffposetalk.errors import UsageError
from diffposetalk.files.atomic import unknown_ending

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion


SOUND = "{stem}_speech.wav"
"""Name of the sound beside a scene."""
HEAD_ANGLES = ("pitch", "yaw", "roll")
"""Angles of the head, in the order of `angles.euler_of`."""


@dataclass(frozen=True)
class Format:
    """One file format: its name, endings, writer and reader."""

    name: str
    suffixes: tuple[str, ...]
    """File name endings, lower case with the dot (`pathlib` calls them suffixes)."""
    what: str
    """Description for users, one line."""
    writer: str = ""
    """`module:function` below this package, of `(motion, path, scene)`; writes to the path it is given."""
    reader: str = ""
    """`module:function` below this package, of `(path)`, returning a `Motion`."""
    hints: tuple[str, ...] = ()
    """Words before the ending that select this format if several share the ending: `lam` in `talk_lam.json`,
    `talk-lam.json` and `talk.lam.json`."""
    default: bool = True
    """Whether a file name without a hint means this format if several share the ending: `talk.json` means `a2f`."""
    needs: str = ""
    """Package of the `export` extra that the format needs."""
    arkit: bool = False
    """Whether the format holds ARKit channels; motion of another head is converted to them first."""
    head_rotation: tuple[str, ...] = HEAD_ANGLES
    """Angles of the head that the format holds. `export` warns if the motion uses an angle that is left out."""
    mouth_only: bool = False
    """Whether the format is for the mouth alone; then `export` does not warn that the head rotation is left out."""
    fps: float | None = None
    """Fixed frame rate of the format; None: any."""
    folder: bool = False
    """Whether the output is a folder of many files; its name is the output without its ending."""
    companions: tuple[str, ...] = ()
    """Names of the files written beside the output; `{stem}` stands for its name without ending. A name that ends in `/`
    is a folder. `SOUND` is written only with speech. All files appear together or not at all."""

    def write(self, motion: Motion, path: Path, scene: Scene) -> None:
        """Write a prepared motion to `path`; use `export` to prepare it and to replace files safely."""
        _function(self.writer)(motion, path, scene)

    def read(self, path: Path, **options: Any) -> Motion:
        """Read a motion."""
        motion: Motion = _function(self.reader)(path, **options)
        return motion

    def check_installed(self) -> None:
        """Check that the package that this format needs is installed.

        Raises:
            UsageError: it is not; the message says what to install.
        """
        if self.needs and find_spec(self.needs) is None:
            raise UsageError(f"{self.name} files need the package {self.needs}: pip install 'diffposetalk[export]'")


# fmt: off
_ROWS = (
    Format("motion", (".npz",), "our own motion file, lossless", "curves.npz:write", "curves.npz:read"),
    # Curves
    Format("livelink", (".csv",), "Live Link Face CSV: Unreal, Blender add-ons", "curves.livelink:write", "curves.csv_files:read",
           hints=("livelink", "llf", "cal", "raw", "neutral"), arkit=True),
    Format("nim", (".csv",), "Audio2Face-3D CSV (NIM samples)", "curves.nim:write", "curves.csv_files:read", hints=("nim", "a2f"),
           default=False, arkit=True, head_rotation=()),
    Format("table", (".csv",), "table of every channel, CSV", "curves.table:write_csv", "curves.csv_files:read", hints=("table",
           "channels"), default=False),
    Format("parquet", (".parquet",), "table of every channel, Parquet", "curves.table:write_parquet", "curves.table:read_parquet",
           needs="pyarrow"),
    Format("a2f", (".json",), "Audio2Face JSON: Maya, Unreal, iClone, Faceit", "curves.a2f:write", "curves.json_files:read",
           hints=("a2f",), arkit=True),
    Format("lam", (".json",), "ARKit JSON of LAM and BEAT", "curves.lam:write", "curves.json_files:read", hints=("lam", "beat",
           "arkit"), default=False, arkit=True),
    Format("talkinghead", (".json",), "TalkingHead (three.js), ARKit curves", "curves.talkinghead:write",
           hints=("talkinghead",), default=False, arkit=True),
    Format("talkinghead-visemes", (".json",), "TalkingHead (three.js), visemes", "curves.talkinghead:write_visemes",
           hints=("talkinghead_visemes",), default=False, arkit=True),
    Format("azure", (".json",), "Azure viseme animation, 60 frames a second", "visemes.azure:write", hints=("azure",),
           default=False, arkit=True, head_rotation=("roll",), fps=60.0),
    Format("visemes", (".json",), "the 15 Oculus visemes", "visemes.oculus:write", hints=("visemes", "ovr", "oculus"),
           default=False, arkit=True, head_rotation=(), mouth_only=True),
    Format("rhubarb", (".tsv",), "Rhubarb mouth shapes, TSV", "visemes.rhubarb:write_tsv", arkit=True, head_rotation=(),
           mouth_only=True),
    Format("rhubarb-json", (".json",), "Rhubarb mouth shapes, JSON", "visemes.rhubarb:write_as_json", hints=("rhubarb",),
           default=False, arkit=True, head_rotation=(), mouth_only=True),
    Format("rhubarb-xml", (".xml",), "Rhubarb mouth shapes, XML", "visemes.rhubarb:write_xml", arkit=True, head_rotation=(),
           mouth_only=True),
    Format("rhubarb-dat", (".dat",), "Rhubarb mouth shapes for Moho and OpenToonz", "visemes.rhubarb:write_dat", arkit=True,
           head_rotation=(), mouth_only=True),
    Format("bvh", (".bvh",), "skeleton of neck, head, eyes", "scenes.bvh:write"),
    Format("vrm", (".vrma",), "VRM animation: presets, gaze, head", "scenes.vrm:write", arkit=True),
    Format("perfectsync", (".vrma",), "VRM animation: Perfect Sync", "scenes.vrm:write_perfect_sync", hints=("perfectsync",
           "perfect_sync"), default=False, arkit=True),
    # Scenes
    Format("glb", (".glb",), "animated glTF 2.0: morph targets, joints, materials", "scenes.gltf:write",
           companions=(SOUND,)),
    Format("usd", (".usda", ".usdc", ".usdz"), "USD: UsdSkel blend shapes, joints, materials", "scenes.usd:write",
           needs="pxr", companions=(SOUND, "{stem}_textures/")),
    Format("pc2", (".pc2",), "point cache, its resting OBJ beside it", "scenes.meshes:write_pc2",
           companions=("{stem}_rest.obj", "{stem}_rest.mtl", "{stem}_textures/", SOUND)),
    Format("obj", (".obj",), "folder of OBJ files, one a frame", "scenes.meshes:write_obj", folder=True),
    Format("ply", (".ply",), "folder of PLY files, one a frame, coloured", "scenes.meshes:write_ply", folder=True),
)
# fmt: on

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}
"""All formats by name."""


def suffixes(reading: bool = False) -> tuple[str, ...]:
    """Return the file name endings that can be written, or read."""
    rows = (row for row in FORMATS.values() if (row.reader if reading else row.writer))
    return tuple(dict.fromkeys(suffix for row in rows for suffix in row.suffixes))


def format_of(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """Return the format to write: by its name, or else by the file name.

    Raises:
        UsageError: unknown name or ending; the message lists the known ones.
    """
    path = Path(path)
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
        return FORMATS[name]
    fitting = [row for row in FORMATS.values() if path.suffix.lower() in row.suffixes and row.writer]
    if not fitting:
        raise unknown_ending(path, suffixes())
    stem = path.stem.lower()
    hinted = {
        hint: row
        for row in fitting
        for hint in row.hints
        if stem == hint or stem.endswith(("_" + hint, "-" + hint, "." + hint))
    }
    if hinted:
        return hinted[max(hinted, key=len)]
    return next((row for row in fitting if row.default), fitting[0])


def _function(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(import_module(f"diffposetalk.exchange.{module}"), name)
    return function
