"""What heads of all kinds do in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from diffposetalk.errors import ModelError
from diffposetalk.geometry import skinning
from diffposetalk.geometry.mesh import MeshSequence
from diffposetalk.geometry.skinning import Array

if TYPE_CHECKING:
    from diffposetalk.geometry.landmarks import Landmarks
    from diffposetalk.geometry.mesh import Mesh
    from diffposetalk.head import JointedHead
    from diffposetalk.head.rig import Rig
    from diffposetalk.motion import Motion


MOST_DRAWN = 100
"""A drawn identity has no more coefficients: as many as the paper's model knows of FLAME's 300."""


class BaseHead:
    """Base of all heads."""

    name: str
    """What motions made for this head carry as ``head``."""
    _landmarks_from: ClassVar[str] = ""
    """What to do where landmarks are missing: the end of that message."""

    def __repr__(self) -> str:
        """Return one line; the arrays of a head would fill pages."""
        return f"{type(self).__name__}({self.name!r}, {self.identity_dim} numbers of identity)"

    @property
    def identity_dim(self) -> int:
        """How many identity coordinates there are."""
        raise NotImplementedError

    @property
    def regions(self) -> dict[str, np.ndarray]:
        """Vertex indices by name."""
        raise NotImplementedError

    @property
    def mediapipe(self) -> tuple[Landmarks, np.ndarray] | None:
        """MediaPipe's landmarks that are known on this head, and ``(L,)`` which of the 478 those are; None without them."""
        return None

    @property
    def landmarks(self) -> Landmarks:
        """MediaPipe's face landmarks as points on the triangles, as far as this head has them; see `mediapipe_indices`.

        Raises:
            ModelError: it has none.
        """
        return self._mediapipe()[0]

    @property
    def mediapipe_indices(self) -> np.ndarray:
        """``(L,)`` which of MediaPipe's 478 landmarks `landmarks` are.

        Raises:
            ModelError: the head has none.
        """
        return self._mediapipe()[1]

    def _mediapipe(self) -> tuple[Landmarks, np.ndarray]:
        if self.mediapipe is None:
            raise ModelError(f"the head {self.name} has no MediaPipe landmarks{self._landmarks_from}")
        return self.mediapipe

    @property
    def still_landmarks(self) -> tuple[Landmarks, np.ndarray] | None:
        """Other landmarks that stand for some of MediaPipe's, and which ones; None where the head has none."""
        return None

    @property
    def lip_pairs(self) -> np.ndarray:
        """``(G, 2)`` vertex indices of facing points of the upper and the lower inner lip.

        Raises:
            ModelError: they are not known on this head.
        """
        raise ModelError(f"the head {self.name} does not say which points of its lips face each other")

    def lip_gap_basis(self) -> np.ndarray:
        """Return ``(E, G)`` metres by which a unit of each channel opens the lips at each of `lip_pairs`.

        Raises:
            ModelError: the pairs are not known on this head.
        """
        upper, lower = self.lip_pairs.T
        return (self.expression_basis(upper) - self.expression_basis(lower))[..., 1]

    @property
    def inner_lips(self) -> tuple[Landmarks, Landmarks] | None:
        """Facing points of the upper and the lower inner lip; None where they are not known."""
        return None

    def lip_gap(self, vertices: Any, identity: np.ndarray | None = None) -> Any:
        """Measure how far the lips are apart, the head being at rest.

        Args:
            vertices: ``(..., V, 3)`` metres, without head rotation.
            identity: ``(I,)`` whose face they are; None for the neutral person.

        Returns:
            ``(...)`` metres.

        Raises:
            ModelError: it is not defined for this head.
        """
        raise ModelError(f"the head {self.name} does not define how far its lips are apart (lip_gap)")

    def vertices(self, expression: Any, head_pose: Any = None, jaw_pose: Any = None, identity: Any = None) -> Any:
        """Place every vertex: ``(..., V, 3)`` metres."""
        raise NotImplementedError

    def expression_basis(self, region: str | np.ndarray) -> np.ndarray:
        """Return what a unit of each channel adds to a region's vertices, ``(E, n, 3)`` metres."""
        raise NotImplementedError

    def mesh(self, identity: np.ndarray | None = None) -> Mesh:
        """Return the resting surface with materials."""
        raise NotImplementedError

    def iter_vertices(
        self, motion: Motion, identity: np.ndarray | None = None, chunk: int = 64
    ) -> Iterator[np.ndarray]:
        """Yield the vertices of a motion in pieces of at most ``chunk`` frames, ``(n, V, 3)`` float32 metres.

        Raises:
            ModelError: the motion's channels do not fit this head; each head's ``_ordered`` says which channels fit.
        """
        expression = self._ordered(motion)
        for start in range(0, len(expression), chunk):
            frames = slice(start, start + chunk)
            yield self._posed(motion, expression, frames, identity)

    def _ordered(self, motion: Motion) -> np.ndarray:
        """Return a motion's expression ``(T, E)`` in the order of this head's channels."""
        raise NotImplementedError

    def _posed(self, motion: Motion, expression: np.ndarray, frames: slice, identity: np.ndarray | None) -> np.ndarray:
        """Return the vertices ``(n, V, 3)`` of some frames of a motion.

        Args:
            motion: gives the poses.
            expression: ``(T, E)`` of the whole motion, in the order of this head's channels.
            frames: which frames.
            identity: as for ``vertices``.
        """
        return self.vertices(expression[frames], motion.head_pose[frames], identity=identity)

    def _index(self, region: str | np.ndarray) -> np.ndarray:
        """Return the vertex indices of a region: a key of `regions`, or the indices themselves.

        Raises:
            ModelError: there is no region of that name.
        """
        if not isinstance(region, str):
            return np.asarray(region)
        if region not in self.regions:
            raise ModelError(f"the head {self.name} has no region '{region}'; it has {', '.join(sorted(self.regions))}")
        return self.regions[region]

    def rig(self, motion: Motion, identity: np.ndarray | None = None) -> Rig:
        """Return a motion as morph weights and joint motion.

        Args:
            motion: made for this head, at least one frame.
            identity: ``(I,)`` changes the surface and joints at rest; None for the mean person.
        """
        raise NotImplementedError

    @property
    def jointed(self) -> JointedHead | None:
        """This head, where coefficients, a jaw and eyes move it as in FLAME; None where all is moved by named shapes."""
        return None

    def mesh_sequence(self, motion: Motion, identity: np.ndarray | None = None) -> MeshSequence:
        """Return the moving surface of a whole motion; `iter_vertices` needs less memory."""
        return MeshSequence.of(self.mesh(identity), self.iter_vertices(motion, identity), motion.fps)

    def draw_identity(self, seed: int) -> np.ndarray:
        """Draw a person: independent standard normal coefficients, cut off at 2.5.

        Args:
            seed: the same seed gives the same person.

        Returns:
            ``(n,)`` float32: at most the leading `MOST_DRAWN` of the head's coordinates.
        """
        n_drawn = min(self.identity_dim, MOST_DRAWN)
        return np.clip(np.random.default_rng(seed).standard_normal(n_drawn), -2.5, 2.5).astype(np.float32)


class ShapesHead(BaseHead):
    """Base of heads that named shapes move; head rotation is their only joint."""

    expression_names: tuple[str, ...]
    """Names of the shapes, in order."""

    def vertices(self, expression: Any, head_pose: Any = None, jaw_pose: Any = None, identity: Any = None) -> Any:
        """Place every vertex.

        Args:
            expression: ``(..., E)`` in the order of `expression_names`, usually in [0, 1]; numpy or torch.
            head_pose: ``(..., 3)`` axis-angle, radians; None: no rotation. Leading dimensions of all arguments broadcast.
            jaw_pose: must be None: shapes such as `jawOpen` move the jaw.
            identity: ``(..., I)`` or ``(I,)`` identity coefficients; None: the neutral person.

        Returns:
            ``(..., V, 3)`` metres, of the kind of `expression`; differentiable with torch.

        Raises:
            ModelError: wrong widths, or a jaw pose.
        """
        if jaw_pose is not None:
            raise ModelError(f"the head {self.name} takes no jaw_pose: shapes such as jawOpen move its jaw")
        n_channels, n_identity = len(self.expression_names), self.identity_dim
        if expression.shape[-1] != n_channels:
            raise ModelError(f"the head {self.name} takes {n_channels} expression channels, got {expression.shape[-1]}")
        if identity is not None and identity.shape[-1] != n_identity:
            if not n_identity:
                raise ModelError(f"the head {self.name} is one person: it takes no identity")
            raise ModelError(f"the head {self.name} takes {n_identity} identity values, got {identity.shape[-1]}")
        return self._placed(skinning.floating(expression), head_pose, identity)

    def _placed(self, expression: Array, head_pose: Array | None, identity: Array | None) -> Array:
        """Return `vertices` of arguments whose widths are right."""
        raise NotImplementedError
