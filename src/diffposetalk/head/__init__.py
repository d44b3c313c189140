"""Heads: what turns expression, pose and identity into vertices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from diffposetalk.errors import UsageError

if TYPE_CHECKING:
    from diffposetalk.head.landmarks import Landmarks
    from diffposetalk.mesh import Mesh, MeshSequence
    from diffposetalk.motion import Motion


class HeadModel(Protocol):
    """A head whose vertices are a pure function of expression, pose and identity."""

    @property
    def name(self) -> str:
        """What motions made for this head carry as `head`."""
        ...

    @property
    def faces(self) -> np.ndarray:
        """`(F, 3)` int32."""
        ...

    @property
    def expression_names(self) -> tuple[str, ...]:
        """The names of the expression channels, in order."""
        ...

    @property
    def identity_dim(self) -> int:
        """How many identity coordinates there are."""
        ...

    @property
    def regions(self) -> dict[str, np.ndarray]:
        """Vertex indices by name; every head has lips, eyelids and upper_face."""
        ...

    @property
    def landmarks(self) -> Landmarks:
        """MediaPipe's 478 face landmarks as points on the triangles."""
        ...

    def vertices(self, expression: Any, head_pose: Any = None, jaw_pose: Any = None, identity: Any = None) -> Any:
        """Place every vertex: `(..., V, 3)` metres, numpy in numpy out, torch in torch out, differentiable."""
        ...

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """What each channel adds to a region's vertices: `(E, n, 3)` metres per unit."""
        ...

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """The resting surface with materials."""
        ...

    def iter_vertices(
        self, motion: Motion, identity: np.ndarray | None = None, chunk: int = 64
    ) -> Iterator[np.ndarray]:
        """The vertices of a motion in pieces of at most ``chunk`` frames."""
        ...

    def mesh_sequence(self, motion: Motion, identity: np.ndarray | None = None) -> MeshSequence:
        """The moving surface of a whole motion."""
        ...


def load_head(name: str = "anny") -> HeadModel:
    """Load a head by name.

    Args:
        name: `anny`, or the path of a converted head file (`.npz`).

    Raises:
        UsageError: there is no such head.
        InputError: its data cannot be read.
    """
    from pathlib import Path

    from diffposetalk.head.anny import AnnyHead

    if name == "anny":
        return AnnyHead.load()
    if name.endswith(".npz"):
        return AnnyHead.load(Path(name))
    raise UsageError(f"unknown head '{name}'; known: anny")
