"""USD: a UsdSkel head with named blend shapes, joints and their animation, as `.usda`, `.usdc` or a `.usdz` package.

Source: the schemas UsdSkel, UsdGeom, UsdShade (UsdPreviewSurface) and UsdMedia, written by Pixar's own library.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from diffposetalk.errors import UsageError
from diffposetalk.exchange.companions import write_sound
from diffposetalk.exchange.scenes.look import (
    Part,
    has_holes,
    open_air,
    parts_of,
    picture_of,
    reflectance,
    repeats,
    vertex_colors,
)
from diffposetalk.exchange.scenes.rig import Rig, normal_shapes, normals, rig_of
from diffposetalk.files.parsing import first_line

if TYPE_CHECKING:
    from diffposetalk.exchange.options import Scene
    from diffposetalk.motion import Motion

N_HOLDING = 4
"""Number of joints per vertex: the most that game engines accept."""
ROOM_M = 0.15
"""Margin around the head at rest for its motion, metres."""


def write(motion: Motion, path: Path, scene: Scene) -> None:
    """Write a moving head as `.usda` or `.usdc`, with a folder of textures and the sound beside it, or as one `.usdz`.

    Raises:
        InputError, ModelError: see `rig_of`.
        UsageError: usd-core is not installed.
    """
    rig = rig_of(scene.head_of(motion), motion, scene.identity, scene.options.used_only)
    if path.suffix.lower() != ".usdz":
        with _system_errors():
            write_stage(rig, path, path.with_name(f"{path.stem}_textures"), write_sound(scene.speech, path))
        return
    with _system_errors(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        layer = Path(folder) / f"{path.stem}.usdc"
        write_stage(rig, layer, Path(folder) / "textures", write_sound(scene.speech, layer))
        write_package(layer, path)


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """Raise USD's disk errors as `OSError`, as other writers do; USD's own messages have several lines."""
    tf_error = _pxr("Tf").ErrorException
    try:
        yield
    except tf_error as error:
        text = str(error)
        number = next(
            (n for n in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)) if os.strerror(n) in text),
            errno.EIO,
        )
        reason = os.strerror(number) if number != errno.EIO else f"USD reports: {first_line(error)}"
        raise OSError(number, reason) from None


def write_stage(rig: Rig, path: Path, textures: Path, sound: str | None = None) -> None:
    """Write one USD layer and its textures.

    Args:
        rig: the head and its motion.
        path: `.usda` or `.usdc`.
        textures: folder for the pictures, made if there are any; the layer names it relative to itself.
        sound: the sound file's name relative to the layer.

    Raises:
        UsageError: usd-core is not installed.
    """
    Usd, UsdGeom = _pxr("Usd"), _pxr("UsdGeom")
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(rig.fps)
    stage.SetFramesPerSecond(rig.fps)
    stage.SetStartTimeCode(0)
    stage.SetEndTimeCode(len(rig) - 1)
    root = _pxr("UsdSkel").Root.Define(stage, "/Head")
    stage.SetDefaultPrim(root.GetPrim())
    low, high = rig.mesh.vertices.min(0) - ROOM_M, rig.mesh.vertices.max(0) + ROOM_M
    root.CreateExtentAttr(_vectors(np.stack([low, high])))
    skeleton = _skeleton(stage, rig)
    mesh = _mesh(stage, rig, skeleton)
    _blend_shapes(stage, rig, mesh)
    _animation(stage, rig, skeleton)
    _materials(stage, rig, mesh, textures, path.parent)
    if sound is not None:
        played = _pxr("UsdMedia").SpatialAudio.Define(stage, "/Head/Speech")
        played.CreateFilePathAttr(_pxr("Sdf").AssetPath(f"./{sound}"))
        played.CreateAuralModeAttr("nonSpatial")
    if not stage.GetRootLayer().Save():
        raise OSError(errno.EIO, f"USD could not save {path.name}")


def write_package(layer: Path, path: Path) -> None:
    """Pack a layer, its textures and its sound into one `.usdz` file.

    Raises:
        OSError: it could not be written.
    """
    if not _pxr("UsdUtils").CreateNewUsdzPackage(_pxr("Sdf").AssetPath(str(layer)), str(path)):
        raise OSError(errno.EIO, f"USD could not pack {path.name}")


def _pxr(module: str) -> Any:
    """Import a module of usd-core; raise a clear error if it is not installed."""
    from importlib import import_module

    try:
        return import_module(f"pxr.{module}")
    except ImportError as error:
        raise UsageError(f"writing USD needs the package usd-core: pip install usd-core ({error})") from None


def _vectors(values: np.ndarray) -> Any:
    return _pxr("Vt").Vec3fArray.FromNumpy(np.ascontiguousarray(values, np.float32))


def _matrices(rotation: np.ndarray | None, places: np.ndarray) -> Any:
    """Return translations as USD matrices, which act on rows."""
    matrices = np.tile(np.eye(4), (len(places), 1, 1))
    matrices[:, 3, :3] = places
    if rotation is not None:
        matrices[:, :3, :3] = rotation
    return _pxr("Vt").Matrix4dArray.FromNumpy(np.ascontiguousarray(matrices))


def _skeleton(stage: Any, rig: Rig) -> Any:
    skeleton = _pxr("UsdSkel").Skeleton.Define(stage, "/Head/Skeleton")
    skeleton.CreateJointsAttr(rig.paths())
    skeleton.CreateJointNamesAttr(list(rig.joint_names))
    skeleton.CreateBindTransformsAttr(_matrices(None, rig.joints))
    above = np.array([rig.joints[parent] if parent >= 0 else np.zeros(3) for parent in rig.parents])
    skeleton.CreateRestTransformsAttr(_matrices(None, rig.joints - above))
    return skeleton


def _mesh(stage: Any, rig: Rig, skeleton: Any) -> Any:
    UsdGeom, UsdSkel, Sdf, Vt = _pxr("UsdGeom"), _pxr("UsdSkel"), _pxr("Sdf"), _pxr("Vt")
    mesh = UsdGeom.Mesh.Define(stage, "/Head/Face")
    parts = list(parts_of(rig.mesh))
    triangles = np.concatenate([part.triangles(rig.mesh) for part in parts]).astype(np.int32)
    mesh.CreatePointsAttr(_vectors(rig.mesh.vertices))
    mesh.CreateExtentAttr(_vectors(np.stack([rig.mesh.vertices.min(0), rig.mesh.vertices.max(0)])))
    mesh.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(triangles), 3, np.int32)))
    mesh.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(triangles.reshape(-1)))
    mesh.CreateSubdivisionSchemeAttr("none")
    mesh.CreateNormalsAttr(_vectors(normals(rig.mesh.vertices, rig.mesh.faces)))
    mesh.SetNormalsInterpolation("vertex")
    primvars = UsdGeom.PrimvarsAPI(mesh)
    if rig.mesh.uv is not None:
        uv = np.concatenate([rig.mesh.uv[part.faces][:, :: -1 if part.flipped else 1] for part in parts])
        st = primvars.CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, "faceVarying")
        st.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(uv.reshape(-1, 2), np.float32)))
    mesh.CreateDisplayColorAttr(_vectors(vertex_colors(rig.mesh)))
    mesh.GetDisplayColorPrimvar().SetInterpolation("vertex")

    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    index, shares = rig.strongest(N_HOLDING)
    binding.CreateJointIndicesPrimvar(False, N_HOLDING).Set(Vt.IntArray.FromNumpy(index.astype(np.int32).reshape(-1)))
    binding.CreateJointWeightsPrimvar(False, N_HOLDING).Set(Vt.FloatArray.FromNumpy(shares.reshape(-1)))
    binding.CreateGeomBindTransformAttr(_pxr("Gf").Matrix4d(1))
    return mesh


def _blend_shapes(stage: Any, rig: Rig, mesh: Any) -> None:
    """Write the blend shapes; each holds only the points that it moves."""
    if not rig.shape_names:
        return
    UsdSkel, Vt = _pxr("UsdSkel"), _pxr("Vt")
    targets: list[Any] = []
    for name, shape, turned in zip(rig.shape_names, rig.shapes, normal_shapes(rig)):
        place = mesh.GetPath().AppendChild(_pxr("Tf").MakeValidIdentifier(name))
        if place in targets:
            place = place.ReplaceName(f"{place.name}_{len(targets)}")
        points = np.flatnonzero(shape.any(1) | turned.any(1)).astype(np.int32)
        blend = UsdSkel.BlendShape.Define(stage, place)
        blend.CreateOffsetsAttr(_vectors(shape[points]))
        blend.CreateNormalOffsetsAttr(_vectors(turned[points]))
        blend.CreatePointIndicesAttr(Vt.IntArray.FromNumpy(points))
        targets.append(blend.GetPath())
    binding = UsdSkel.BindingAPI(mesh.GetPrim())
    binding.CreateBlendShapesAttr(list(rig.shape_names))
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)


def _animation(stage: Any, rig: Rig, skeleton: Any) -> None:
    """Write the animation; a time code is a frame number, and joints are relative to their parents."""
    UsdSkel, Vt, Sdf = _pxr("UsdSkel"), _pxr("Vt"), _pxr("Sdf")
    animation = UsdSkel.Animation.Define(stage, "/Head/Animation")
    binding = UsdSkel.BindingAPI.Apply(skeleton.GetPrim())
    binding.CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    animation.CreateJointsAttr(rig.paths())
    n_joints = len(rig.joint_names)
    animation.CreateScalesAttr(Vt.Vec3hArray.FromNumpy(np.ones((n_joints, 3), np.float16)))
    rotations, shifts = animation.CreateRotationsAttr(), animation.CreateTranslationsAttr()
    tracks = [(rotations, Vt.QuatfArray, rig.rotations)]
    if len(rig.translations) > 1:
        tracks.append((shifts, Vt.Vec3fArray, rig.translations))
    else:
        shifts.Set(_vectors(rig.translations[0]))
    if rig.shape_names:
        animation.CreateBlendShapesAttr(list(rig.shape_names))
        tracks.append((animation.CreateBlendShapeWeightsAttr(), Vt.FloatArray, rig.weights))
    with Sdf.ChangeBlock():
        for attribute, kind, values in tracks:
            for frame, row in enumerate(values):
                attribute.Set(kind.FromNumpy(np.ascontiguousarray(row, np.float32)), float(frame))


def _materials(stage: Any, rig: Rig, mesh: Any, textures: Path, base: Path) -> None:
    UsdGeom, UsdShade, Vt = _pxr("UsdGeom"), _pxr("UsdShade"), _pxr("Vt")
    UsdGeom.Scope.Define(stage, "/Head/Materials")
    first = 0
    for part in parts_of(rig.mesh):
        material = _material(stage, rig, part, textures, base)
        faces = Vt.IntArray.FromNumpy(np.arange(first, first + len(part.faces), dtype=np.int32))
        first += len(part.faces)
        subset = UsdGeom.Subset.CreateGeomSubset(
            mesh, part.material.name, UsdGeom.Tokens.face, faces, UsdShade.Tokens.materialBind
        )
        UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)
    UsdGeom.Subset.SetFamilyType(mesh, UsdShade.Tokens.materialBind, UsdGeom.Tokens.partition)
    UsdShade.MaterialBindingAPI.Apply(mesh.GetPrim())


def _material(stage: Any, rig: Rig, part: Part, textures: Path, base: Path) -> Any:
    UsdShade, Sdf, Gf = _pxr("UsdShade"), _pxr("Sdf"), _pxr("Gf")
    kinds = Sdf.ValueTypeNames
    look = part.material
    material = UsdShade.Material.Define(stage, f"/Head/Materials/{look.name}")
    surface = UsdShade.Shader.Define(stage, material.GetPath().AppendChild("Surface"))
    surface.CreateIdAttr("UsdPreviewSurface")
    head_on = min(0.2, reflectance(part, rig.mesh)) ** 0.5
    surface.CreateInput("roughness", kinds.Float).Set(float(look.roughness))
    surface.CreateInput("metallic", kinds.Float).Set(0.0)
    surface.CreateInput("ior", kinds.Float).Set((1 + head_on) / (1 - head_on))
    color = surface.CreateInput("diffuseColor", kinds.Color3f)
    if look.texture is None or rig.mesh.uv is None:
        shade = np.clip(np.array(look.base_color) * open_air(part, rig.mesh), 0, 1)
        color.Set(Gf.Vec3f(*(float(value) for value in shade)))
    else:
        data, suffix = picture_of(look.texture)
        textures.mkdir(exist_ok=True)
        picture = textures / f"{look.name}{suffix}"
        picture.write_bytes(data)
        reader = UsdShade.Shader.Define(stage, material.GetPath().AppendChild("Place"))
        reader.CreateIdAttr("UsdPrimvarReader_float2")
        reader.CreateInput("varname", kinds.String).Set("st")
        place = reader.CreateOutput("result", kinds.Float2)
        texture = UsdShade.Shader.Define(stage, material.GetPath().AppendChild("Picture"))
        texture.CreateIdAttr("UsdUVTexture")
        texture.CreateInput("file", kinds.Asset).Set(f"./{picture.relative_to(base).as_posix()}")
        texture.CreateInput("sourceColorSpace", kinds.Token).Set("sRGB")
        texture.CreateInput("scale", kinds.Float4).Set(Gf.Vec4f(*(float(value) for value in look.base_color), 1.0))
        wrap = "repeat" if repeats(rig.mesh.uv[part.faces]) else "clamp"
        for name in ("wrapS", "wrapT"):
            texture.CreateInput(name, kinds.Token).Set(wrap)
        texture.CreateInput("st", kinds.Float2).ConnectToSource(place)
        color.ConnectToSource(texture.CreateOutput("rgb", kinds.Float3))
        if has_holes(look):
            surface.CreateInput("opacity", kinds.Float).ConnectToSource(texture.CreateOutput("a", kinds.Float))
    material.CreateSurfaceOutput().ConnectToSource(surface.CreateOutput("surface", kinds.Token))
    return material
