"""Motion to and from other software's files: `FORMATS` has a row for each format, which has a small file of its own.

Everything goes by name, never by position: three orders of "the 52" are in use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.atomic import check_new_folder, check_output, replacing, replacing_folder
from diffposetalk.files.file_set import FileSet
from diffposetalk.files.parsing import parsing
from diffposetalk.files.paths import is_node

if TYPE_CHECKING:
    import numpy as np

    from diffposetalk.exchange.prepare import Prepared
    from diffposetalk.head import HeadModel
    from diffposetalk.motion import Motion
    from diffposetalk.retarget.solve import Residual
    from diffposetalk.speech import Speech, SpeechFile

FPS_RANGE = (1.0, 240.0)
"""Frame rates that are written; beyond lie mistakes."""


@dataclass(frozen=True)
class ExportOptions:
    """What is done to a motion on its way into a file."""

    fps: float | None = None
    """Frames per second; none for the motion's own, or where a format fixes it, the format's."""
    clamp: bool = True
    """Bring ARKit weights into [0, 1], with a warning where that changes something."""
    gain: dict[str, float] = field(default_factory=dict)
    """By region (`condition.REGIONS`) or channel name prefix: multiplied by this."""
    offset: dict[str, float] = field(default_factory=dict)
    """Likewise: this is added, after the gain; `head_pitch_deg`, `head_yaw_deg`, `head_roll_deg` are degrees."""
    smoothing_s: dict[str, float] = field(default_factory=dict)
    """Likewise: standard deviation in seconds of the Gaussian that is averaged over."""
    used_only: bool = False
    """Scenes: only the morph targets that the motion uses."""
    head_unit: Literal["rad", "deg", "norm180"] = "rad"
    """Live Link Face: unit of the head's angles; norm180 is degrees / 180."""

    def __post_init__(self) -> None:
        if self.fps is not None and not FPS_RANGE[0] <= self.fps <= FPS_RANGE[1]:
            raise UsageError(f"fps must be between {FPS_RANGE[0]:g} and {FPS_RANGE[1]:g}, got {self.fps:g}")
        if self.head_unit not in ("rad", "deg", "norm180"):
            raise UsageError(f"head_unit must be rad, deg or norm180, got {self.head_unit!r}")
        for region, seconds in self.smoothing_s.items():
            if not 0 <= seconds <= 10:
                raise UsageError(f"smoothing of {region} must be between 0 and 10 seconds, got {seconds:g}")


@dataclass(frozen=True)
class Scene:
    """What a writer may need beside the motion."""

    head: HeadModel | None = None
    """The head that is drawn; none to load the one that the motion names when it is needed."""
    identity: np.ndarray | None = None
    """`(I,)`, or none for the head's mean person."""
    speech: SpeechFile | Speech | None = None
    """The sound that goes with the motion."""
    options: ExportOptions = field(default_factory=ExportOptions)
    residual: Residual | None = None
    """Where the motion was solved for from another head's: how far its points are off."""

    def head_of(self, motion: Motion) -> HeadModel:
        """Return the head to draw `motion` on.

        Raises:
            UsageError: the scene's head speaks another expression basis.
        """
        from diffposetalk.head import load_head

        head = self.head or load_head(motion.head)
        if head.name != motion.head:
            raise UsageError(
                f"the motion is for the head {motion.head}, not for {head.name}; make one for {head.name} first: "
                "diffposetalk retarget MOTION --head HEAD -o OUT.npz"
            )
        return head


@dataclass(frozen=True)
class Format:
    """A row of the table: how a kind of file is called, written and read."""

    name: str
    suffixes: tuple[str, ...]
    """File name endings, lower case with the dot."""
    what: str
    """One line for people."""
    writer: str = ""
    """`module:function` below this package, of `(motion, path, scene)`; writes to the path it is given."""
    reader: str = ""
    """`module:function` below this package, of `(path)`, returning a `Motion`."""
    hints: tuple[str, ...] = ()
    """Where formats share a suffix: `talk_HINT.json` is this one, as are `talk-HINT.json` and `talk.HINT.json`."""
    default: bool = True
    """Whether a name without hint means this one among those that share the suffix."""
    needs: str = ""
    """Package of the `export` extra that it takes."""
    arkit: bool = False
    """Speaks ARKit's channels: motion of another head is solved for first."""
    fps: float | None = None
    """The frame rate that the format fixes, if it does."""
    folder: bool = False
    """Many files: the writer is given a new folder, called as the output without its suffix."""
    companions: bool = False
    """Writes other files beside its own (sound, textures), called after it; all appear or none."""

    def write(self, motion: Motion, path: Path, scene: Scene) -> None:
        """Write to `path` as it stands; `export` is what prepares the motion and renames."""
        _function(self.writer)(motion, path, scene)

    def read(self, path: Path, **options: Any) -> Motion:
        """Read a motion."""
        motion: Motion = _function(self.reader)(path, **options)
        return motion

    def check_installed(self) -> None:
        """Refuse with a line saying what to install.

        Raises:
            UsageError: the package that this format takes is absent.
        """
        if self.needs and find_spec(self.needs) is None:
            raise UsageError(f"{self.name} files take the package {self.needs}: pip install 'diffposetalk[export]'")


# fmt: off
_ROWS = (
    Format("motion", (".npz",), "our own motion file, lossless", "curves.npz:write", "curves.npz:read"),
    # Curves
    Format("livelink", (".csv",), "Live Link Face CSV: Unreal, Blender add-ons", "curves.livelink:write", "curves.csv_files:read",
           hints=("livelink", "llf", "cal", "raw", "neutral"), arkit=True),
    Format("nim", (".csv",), "Audio2Face-3D CSV (NIM samples)", "curves.nim:write", "curves.csv_files:read", hints=("nim", "a2f"),
           default=False, arkit=True),
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
    Format("azure", (".json",), "Azure viseme animation, 60 frames a second", "curves.azure:write", hints=("azure",),
           default=False, arkit=True, fps=60.0),
    Format("visemes", (".json",), "the 15 Oculus visemes", "curves.visemes:write", hints=("visemes", "ovr", "oculus"),
           default=False, arkit=True),
    Format("rhubarb", (".tsv",), "Rhubarb mouth shapes, TSV", "curves.rhubarb:write_tsv", arkit=True),
    Format("rhubarb-json", (".json",), "Rhubarb mouth shapes, JSON", "curves.rhubarb:write_as_json", hints=("rhubarb",),
           default=False, arkit=True),
    Format("rhubarb-xml", (".xml",), "Rhubarb mouth shapes, XML", "curves.rhubarb:write_xml", arkit=True),
    Format("rhubarb-dat", (".dat",), "Rhubarb mouth shapes for Moho and OpenToonz", "curves.rhubarb:write_dat", arkit=True),
    Format("bvh", (".bvh",), "skeleton of neck, head, eyes", "scenes.bvh:write"),
    Format("vrm", (".vrma",), "VRM animation: presets, gaze, head", "scenes.vrm:write", arkit=True),
    Format("perfectsync", (".vrma",), "VRM animation: Perfect Sync", "scenes.vrm:write_perfect_sync", hints=("perfectsync",
           "perfect_sync"), default=False, arkit=True),
    # Scenes
    Format("glb", (".glb",), "animated glTF 2.0: morph targets, joints, materials", "scenes.gltf:write", companions=True),
    Format("usd", (".usda", ".usdc", ".usdz"), "USD: UsdSkel blend shapes, joints, materials", "scenes.usd:write",
           needs="pxr", companions=True),
    Format("pc2", (".pc2",), "point cache, its resting OBJ beside it", "scenes.meshes:write_pc2", companions=True),
    Format("obj", (".obj",), "folder of OBJ files, one a frame", "scenes.meshes:write_obj", folder=True),
    Format("ply", (".ply",), "folder of PLY files, one a frame, coloured", "scenes.meshes:write_ply", folder=True),
)
# fmt: on

FORMATS: dict[str, Format] = {row.name: row for row in _ROWS}
"""All formats by name."""


@dataclass(frozen=True)
class Exported:
    """What became of an export."""

    path: Path
    """The file or folder that was written."""
    format: str
    frames: int
    fps: float
    residual: Residual | None = None
    """See `Scene.residual`."""


def suffixes(reading: bool = False) -> tuple[str, ...]:
    """Return the file name endings that can be written, or read."""
    rows = (row for row in FORMATS.values() if (row.reader if reading else row.writer))
    return tuple(dict.fromkeys(suffix for row in rows for suffix in row.suffixes))


def format_of(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """Return the format to write, by its name or else by the file's.

    Raises:
        UsageError: neither tells; the line lists what there is.
    """
    path = Path(path)
    if name is not None:
        if name not in FORMATS:
            raise UsageError(f"unknown format {name!r}; there are {', '.join(FORMATS)}")
        return FORMATS[name]
    fitting = [row for row in FORMATS.values() if path.suffix.lower() in row.suffixes and row.writer]
    if not fitting:
        raise UsageError(f"{path}: cannot write '{path.suffix}' files; use one of {', '.join(suffixes())}")
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


def check_target(path: str | os.PathLike[str], row: Format) -> Path:
    """Refuse an output that could not be written, before any work; return the file or folder that is to be made.

    Raises:
        UsageError: the folder it shall go to is missing or read-only, it is in the way, or a package is absent.
    """
    path = Path(path)
    row.check_installed()
    if row.folder:
        return check_new_folder(path.with_suffix("") if path.suffix.lower() in row.suffixes else path)
    if row.companions and is_node(path):
        raise UsageError(f"{path}: is a device or a pipe; {row.name} files have others beside them, so name a file")
    return check_output(path, (path.suffix.lower(),))


def export(
    motion: Motion, path: str | os.PathLike[str], format: str | None = None, scene: Scene | None = None
) -> Exported:
    """Write a motion as another program's file; a failure leaves nothing behind.

    Args:
        motion: of any head.
        path: where to.
        format: a name in `FORMATS`; by default the file name tells.
        scene: head, identity, sound and options.

    Raises:
        UsageError: an unknown suffix or format, an option that does not fit.
        InputError: the motion cannot be said in this format.
    """
    return export_all(motion, [(Path(path), format)], scene)[0]


def export_all(
    motion: Motion,
    outputs: Sequence[tuple[Path, str | None]],
    scene: Scene | None = None,
    prepared: Prepared | None = None,
) -> list[Exported]:
    """Write a motion as several files, each `(path, format or none)`; the motion is prepared once.

    Args:
        motion: of any head.
        outputs: where to.
        scene: head, identity, sound and options.
        prepared: the motion, where it has been prepared for other files.

    Raises:
        UsageError, InputError: as `export`; all outputs are checked before the first is written.
    """
    from diffposetalk.exchange.companions import replacing_together
    from diffposetalk.exchange.prepare import Prepared

    scene = scene or Scene()
    rows = [format_of(path, name) for path, name in outputs]
    targets = [check_target(path, row) for (path, _), row in zip(outputs, rows)]
    files = FileSet()
    for target in targets:
        files.writes(target)
    prepared = prepared or Prepared(motion, scene)
    done = []
    for target, row in zip(targets, rows):
        ready, residual = prepared.motion_for(row)
        place = replacing_folder if row.folder else replacing_together if row.companions else replacing
        with place(target) as beside:
            row.write(ready, beside, replace(scene, residual=residual))
        done.append(Exported(target, row.name, len(ready), ready.fps, residual))
    return done


def load_motion(path: str | os.PathLike[str], fps: float | None = None, prefer: float | None = None) -> Motion:
    """Read a motion from any file that has a reader; its suffix and content tell which.

    Args:
        path: the file.
        fps: frame rate of a CSV file, whatever its times say.
        prefer: frame rate of a CSV file where its times allow several.

    Raises:
        InputError: it is missing, of an unknown kind, or damaged.
    """
    path = Path(path)
    known = [row for row in FORMATS.values() if row.reader and path.suffix.lower() in row.suffixes]
    if not known:
        raise InputError(f"{path}: not a motion file; motion is read from {', '.join(suffixes(reading=True))}")
    if not path.is_file():
        raise InputError(f"{path}: no such motion file")
    known[0].check_installed()
    options = {"fps": fps, "prefer": prefer} if ".csv" in known[0].suffixes else {}
    if fps is not None and not options:
        raise UsageError(f"{path}: a frame rate can be stated for .csv files only; this file says its own")
    with parsing(path, "motion file"):
        return known[0].read(path, **options)


def _function(where: str) -> Callable[..., Any]:
    module, _, name = where.partition(":")
    function: Callable[..., Any] = getattr(import_module(f"diffposetalk.exchange.{module}"), name)
    return function
