"""Heads: what turns expression, pose and identity into vertices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.asset_folder import HEADS, asset_folder, placed

if TYPE_CHECKING:
    from pathlib import Path

    from diffposetalk.geometry.landmarks import Landmarks
    from diffposetalk.geometry.mesh import Mesh
    from diffposetalk.head.flame.files import FlameModel
    from diffposetalk.head.rig import Rig
    from diffposetalk.motion import Motion


class HeadModel(Protocol):
    """A head whose vertices are a pure function of expression, pose and identity."""

    @property
    def name(self) -> str:
        """What motions made for this head carry as `head`."""
        ...

    @property
    def faces(self) -> np.ndarray:
        """``(F, 3)`` int32."""
        ...

    @property
    def expression_names(self) -> tuple[str, ...]:
        """The names of the expression channels, in order."""
        ...

    @property
    def identity_dim(self) -> int:
        """How many identity coordinates there are."""
        ...

    def draw_identity(self, seed: int) -> np.ndarray:
        """Draw a plausible person: identity ``(n,)`` float32, ``n`` at most `identity_dim`; the same for one seed."""
        ...

    @property
    def regions(self) -> dict[str, np.ndarray]:
        """Vertex indices by name; every head has lips, eyelids and upper_face."""
        ...

    @property
    def landmarks(self) -> Landmarks:
        """MediaPipe's face landmarks as points on the triangles: all 478, or those a head's embedding has."""
        ...

    @property
    def mediapipe_indices(self) -> np.ndarray:
        """``(L,)`` which of MediaPipe's 478 landmarks `landmarks` are."""
        ...

    @property
    def still_landmarks(self) -> tuple[Landmarks, np.ndarray] | None:
        """Other landmarks that stand for some of MediaPipe's, and which ones; None where the head has none."""
        ...

    @property
    def lip_pairs(self) -> np.ndarray:
        """``(G, 2)`` vertex indices of facing points of the upper and the lower inner lip; ModelError if unknown."""
        ...

    @property
    def inner_lips(self) -> tuple[Landmarks, Landmarks] | None:
        """Facing points of the upper and the lower inner lip; None where they are not known."""
        ...

    def lip_gap(self, vertices: Any, identity: np.ndarray | None = None) -> Any:
        """The gap ``(...)`` between the lips of ``(..., V, 3)`` vertices at rest pose, metres; ModelError if undefined."""
        ...

    def vertices(self, expression: Any, head_pose: Any = None, jaw_pose: Any = None, identity: Any = None) -> Any:
        """Place every vertex: ``(..., V, 3)`` metres, numpy in numpy out, torch in torch out, differentiable."""
        ...

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """What each channel adds to a region's vertices: ``(E, n, 3)`` metres per unit."""
        ...

    def lip_gap_basis(self) -> np.ndarray:
        """How far each channel opens the lips at each of `lip_pairs`: ``(E, G)`` metres per unit."""
        ...

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """The resting surface with materials."""
        ...

    def iter_vertices(
        self, motion: Motion, identity: np.ndarray | None = None, chunk: int = 64
    ) -> Iterator[np.ndarray]:
        """The vertices of a motion in pieces of at most ``chunk`` frames."""
        ...

    def rig(self, motion: Motion, identity: np.ndarray | None = None) -> Rig:
        """A motion of this head as morph weights and joint motion; ``identity`` ``(I,)``, None for the mean person."""
        ...

    @property
    def jointed(self) -> JointedHead | None:
        """This head, where coefficients, a jaw and eyes move it as in FLAME; None where all is moved by named shapes."""
        ...


class JointedHead(HeadModel, Protocol):
    """A head of FLAME's kind: coefficients add up, jaw and eyes turn on joints. It shows the numbers of its formula."""

    @property
    def model(self) -> FlameModel:
        """Template, bases, joint regressor and skinning weights."""
        ...

    @property
    def joints(self) -> np.ndarray:
        """``(5, 3)`` metres, of the template."""
        ...

    @property
    def joint_identity(self) -> np.ndarray:
        """``(I, 5, 3)`` metres per unit."""
        ...

    @property
    def joint_expression(self) -> np.ndarray:
        """``(E, 5, 3)`` metres per unit."""
        ...

    def neutral(self, region: str | np.ndarray = "skin", identity: np.ndarray | None = None) -> np.ndarray:
        """Resting positions of a region's vertices: ``(n, 3)`` metres."""
        ...

    def part(self, region: str | np.ndarray) -> JointedHead:
        """A head of a region's vertices alone, without triangles and landmarks."""
        ...


def load_head(name: str = "anny") -> HeadModel:
    """Load a head by name or from a file.

    Args:
        name: `anny`; `flame` (the FLAME file in the asset folder: 2020, else 2023, else a free head of its format),
            `flame2020`, `flame2023`, `flame-free`; or the path of a FLAME model (`.pkl`, `.npz`) or of a converted anny
            head (`.npz`); or any mesh with named shapes (`.glb`, `.gltf`, `.npz`; see `head.shapes.head.TargetsHead.load`).
            FLAME heads come with all 300 identity and 100 expression coefficients; what uses fewer uses
            the leading ones.

    Raises:
        UsageError: there is no such head.
        InputError: its data cannot be read, or FLAME is not there; the message says where it is obtained.
    """
    from pathlib import Path

    if name == "anny":
        from diffposetalk.head.anny.head import AnnyHead

        return AnnyHead.load()
    if name == "flame" or name in HEADS:
        paths = [path for each in HEADS if name in ("flame", each) for path in placed(each)]
        if not paths:
            from diffposetalk.head.flame.files import WHERE_FROM

            raise InputError(f"there is no {name} head in {asset_folder()}. {WHERE_FROM}")
        return _load_flame(paths[0])
    path = Path(name)
    if path.suffix.lower() in (".glb", ".gltf", ".vrm"):
        from diffposetalk.head.shapes.head import TargetsHead

        return TargetsHead.load(path)
    if path.suffix.lower() not in (".npz", ".pkl"):
        raise UsageError(
            f"unknown head '{name}'; known: anny, flame, {', '.join(HEADS)}, or a .pkl, .npz, .glb, .gltf or .vrm file"
        )
    from diffposetalk.head.flame.files import is_flame_file

    if is_flame_file(path):
        return _load_flame(path)
    from diffposetalk.head.anny.files import is_anny_file
    from diffposetalk.head.anny.head import AnnyHead

    if is_anny_file(path):
        return AnnyHead.load(path)
    from diffposetalk.head.shapes.head import TargetsHead

    return TargetsHead.load(path)


def _load_flame(path: Path) -> HeadModel:
    from diffposetalk.head.flame.files import N_EXPRESSION, N_IDENTITY
    from diffposetalk.head.flame.head import FlameHead

    return FlameHead.load(path, N_IDENTITY, N_EXPRESSION)
