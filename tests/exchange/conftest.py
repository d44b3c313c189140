"""What tests of exported scenes share: a person, a motion in which everything moves, players that are not ours."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.exchange.scenes.look import parts_of
from diffposetalk.head.anny.head import AnnyHead
from diffposetalk.motion import Motion


@pytest.fixture(scope="session")
def head(anny: AnnyHead) -> AnnyHead:
    """The free head."""
    return anny


@pytest.fixture(scope="session")
def person(head: AnnyHead) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(head.identity_dim).astype(np.float32)


@pytest.fixture(scope="session")
def wild() -> Motion:
    """Ten frames in which everything moves."""
    rng = np.random.default_rng(1)
    turn = rng.uniform(-0.5, 0.5, (10, 3))
    return Motion(rng.uniform(0, 0.7, (10, 52)), CHANNELS, turn, 30.0, "anny")


def turned(quaternion: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(quaternion).as_matrix()


def placed(points: np.ndarray, held: np.ndarray, transforms: list[np.ndarray]) -> np.ndarray:
    """Skin points by 4x4 matrices: the textbook sum."""
    total = np.zeros_like(points, dtype=np.float64)
    for joint, matrix in enumerate(transforms):
        total += held[:, joint, None] * (points @ matrix[:3, :3].T + matrix[:3, 3])
    return total


def chained(parents: list[int], locals_: list[np.ndarray]) -> list[np.ndarray]:
    world: list[np.ndarray] = []
    for parent, local in zip(parents, locals_):
        world.append(world[parent] @ local if parent >= 0 else local)
    return world


def matrix(rotation: np.ndarray, place: np.ndarray) -> np.ndarray:
    values = np.eye(4)
    values[:3, :3], values[:3, 3] = rotation, place
    return values


class Gltf:
    """A GLB as pygltflib reads it, played in numpy."""

    def __init__(self, path: Path) -> None:
        pygltflib = pytest.importorskip("pygltflib")
        self.file = pygltflib.GLTF2().load(str(path))
        self.blob = self.file.binary_blob()

    def _view(self, number: int, offset: int, kind: str, n: int) -> np.ndarray:
        view = self.file.bufferViews[number]
        return np.frombuffer(self.blob, kind, n, (view.byteOffset or 0) + offset)

    def values(self, number: int) -> np.ndarray:
        accessor = self.file.accessors[number]
        kind = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}[accessor.componentType]
        width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor.type]
        numbers = np.zeros(accessor.count * width, kind)
        if accessor.bufferView is not None:
            numbers = self._view(accessor.bufferView, accessor.byteOffset or 0, kind, accessor.count * width).copy()
        numbers = numbers.reshape(accessor.count, width)
        if accessor.sparse:
            sparse = accessor.sparse
            rows = {5123: "<u2", 5125: "<u4"}[sparse.indices.componentType]
            where = self._view(sparse.indices.bufferView, 0, rows, sparse.count)
            numbers[where] = self._view(sparse.values.bufferView, 0, kind, sparse.count * width).reshape(-1, width)
        return numbers

    def track(self, node: str, path: str) -> np.ndarray:
        """The values of an animation channel, one row a frame."""
        animation = self.file.animations[0]
        for channel in animation.channels:
            if self.file.nodes[channel.target.node].name == node and channel.target.path == path:
                sampler = animation.samplers[channel.sampler]
                times = self.values(sampler.input)
                return self.values(sampler.output).reshape(len(times), -1)
        raise KeyError(f"{node} {path}")

    def vertices(self, frame: int) -> list[np.ndarray]:
        """Corner positions of every primitive at a frame."""
        gltf = self.file
        skin = gltf.skins[0]
        weights = self.track("Face", "weights")[frame] if gltf.meshes[0].weights else []
        parents = {child: number for number, node in enumerate(gltf.nodes) for child in node.children or []}
        locals_ = []
        for number in skin.joints:
            node = gltf.nodes[number]
            try:
                rotation = turned(self.track(node.name, "rotation")[frame])
            except KeyError:
                rotation = np.eye(3)
            locals_.append(matrix(rotation, np.array(node.translation)))
        order = [skin.joints.index(parents[n]) if n in parents else -1 for n in skin.joints]
        bind = self.values(skin.inverseBindMatrices).reshape(-1, 4, 4).swapaxes(1, 2)
        world = [w @ b for w, b in zip(chained(order, locals_), bind)]
        surfaces = []
        for primitive in gltf.meshes[0].primitives:
            points = self.values(primitive.attributes.POSITION).astype(np.float64)
            for weight, target in zip(weights, primitive.targets or []):
                points += weight * self.values(target["POSITION"])
            joints, shares = self.values(primitive.attributes.JOINTS_0), self.values(primitive.attributes.WEIGHTS_0)
            held = np.zeros((len(points), len(world)))
            for column in range(4):
                held[np.arange(len(points)), joints[:, column]] += shares[:, column]
            surfaces.append(placed(points, held, world)[self.values(primitive.indices)[:, 0]])
        return surfaces

    def points(self, frame: int, head: AnnyHead, identity: np.ndarray | None = None) -> np.ndarray:
        """The vertices at a frame, in the head's order."""
        points = np.full((head.n_vertices, 3), np.nan)
        for part, corners in zip(parts_of(head.mesh(identity)), self.vertices(frame), strict=True):
            points[part.triangles(head.mesh(identity)).reshape(-1)] = corners
        return points


def baked(path: Path, frames: list[int]) -> dict[int, np.ndarray]:
    """Points at frames, blended and skinned by usd-core."""
    from pxr import Gf, Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.Open(str(path))
    assert UsdSkel.BakeSkinning(UsdSkel.Root(stage.GetDefaultPrim()), Gf.Interval(min(frames), max(frames)))
    points = UsdGeom.Mesh(stage.GetPrimAtPath("/Head/Face")).GetPointsAttr()
    return {frame: np.array(points.Get(frame)) for frame in frames}


def read_pc2(path: Path) -> np.ndarray:
    """A point cache as its format is published: magic, version, points, start, rate, samples, then floats."""
    data = path.read_bytes()
    magic, version, n_points, start, rate, n_samples = struct.unpack_from("<12siiffi", data)
    assert (magic, version, start, rate) == (b"POINTCACHE2\0", 1, 0.0, 1.0)
    return np.frombuffer(data, "<f4", offset=32).reshape(n_samples, n_points, 3)


@pytest.fixture(scope="session")
def gltf_player() -> type[Gltf]:
    """`gltf_player(path)`: see `Gltf`."""
    return Gltf


class Players:
    """Vertices of exported files at frames, computed by others' code."""

    chained, matrix, placed, turned = map(staticmethod, (chained, matrix, placed, turned))
    baked, read_pc2 = map(staticmethod, (baked, read_pc2))

    @staticmethod
    def vertices(path: Path, frame: int, head: AnnyHead) -> np.ndarray:
        """The vertices of a file or folder of any scene format at a frame."""
        if path.suffix == ".glb":
            return Gltf(path).points(frame, head)
        if path.suffix.startswith(".usd"):
            pytest.importorskip("pxr")
            return baked(path, [frame])[frame]
        points = np.full((head.n_vertices, 3), np.nan)
        drawn = np.unique(head.mesh().faces)
        if path.suffix == ".pc2":
            points[drawn] = read_pc2(path)[frame]
            return points
        trimesh = pytest.importorskip("trimesh")
        (file,) = path.with_suffix("").glob(f"frame_{frame + 1:05d}.*")
        points[drawn] = trimesh.load(file, process=False, maintain_order=True).vertices
        return points


@pytest.fixture(scope="session")
def players() -> type[Players]:
    """See `Players`."""
    return Players
