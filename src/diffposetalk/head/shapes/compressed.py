"""Compressed parts of a glTF file: Draco meshes and meshopt buffers, decoded by optional libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from diffposetalk.errors import InputError

DRACO = "KHR_draco_mesh_compression"
"""The glTF extension of meshes compressed with Draco."""
MESHOPT = ("EXT_meshopt_compression", "KHR_meshopt_compression")
UNDERSTOOD = {DRACO, *MESHOPT, "KHR_mesh_quantization"}
"""Extensions that change how geometry is stored and that are read here."""
_FILTERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "NONE": ("", ()),
    "OCTAHEDRAL": ("oct", (4, 8)),
    "QUATERNION": ("quat", (8,)),
    "EXPONENTIAL": ("exp", ()),
}
"""Name of the library's function for each filter, and the strides in bytes that it takes (empty: any)."""
_LIBRARIES = {DRACO: "DracoPy", **dict.fromkeys(MESHOPT, "meshoptimizer")}


def _missing(path: Path, extension: str) -> InputError:
    return InputError(
        f"{path}: its meshes are compressed ({extension}): install {_LIBRARIES[extension]} "
        f"(`pip install {_LIBRARIES[extension]}`), or uncompress it with "
        f"`npx @gltf-transform/cli copy {path.name} plain.glb`"
    )


def decode_draco(path: Path, data: bytes, attributes: dict[str, int]) -> dict[str, np.ndarray]:
    """Decode a primitive.

    Args:
        path: the file, for errors.
        data: the compressed bytes.
        attributes: Draco's number of each attribute.

    Returns:
        The attributes ``(V, k)`` by name, and the triangles' corners ``(3 F,)`` as ``indices``.

    Raises:
        InputError: the library is not installed.
    """
    try:
        import DracoPy
    except ModuleNotFoundError:
        raise _missing(path, DRACO) from None
    mesh = DracoPy.decode(data)
    arrays = {name: np.asarray(mesh.get_attribute_by_unique_id(number)["data"]) for name, number in attributes.items()}
    arrays["indices"] = np.asarray(mesh.faces).reshape(-1)
    return arrays


def decode_meshopt(path: Path, extension: str, data: bytes, about: dict[str, Any]) -> bytes:
    """Decode a buffer view.

    Args:
        path: the file, for errors.
        extension: its name.
        data: the compressed bytes.
        about: ``count``, ``byteStride``, ``mode`` and ``filter`` of the extension.

    Raises:
        InputError: the library is not installed, or filter and stride do not go together.
    """
    try:
        import meshoptimizer
    except ModuleNotFoundError:
        raise _missing(path, extension) from None
    count, stride, mode = int(about["count"]), int(about["byteStride"]), about["mode"]
    raw = np.frombuffer(data, np.uint8)
    if mode == "ATTRIBUTES":
        words = meshoptimizer.decode_vertex_buffer(count, stride, raw).view(np.uint8).reshape(-1)
        name, strides = _FILTERS[about.get("filter", "NONE")]
        if stride % 4 or (strides and stride not in strides):
            raise InputError(f"{path}: {extension} has a filter {name} over {stride} bytes")
        return (getattr(meshoptimizer, f"decode_filter_{name}")(words, count, stride) if name else words).tobytes()
    if stride not in (2, 4):
        raise InputError(f"{path}: {extension} has indices of {stride} bytes, not 2 or 4")
    decode = meshoptimizer.decode_index_buffer if mode == "TRIANGLES" else meshoptimizer.decode_index_sequence
    return bytes(decode(count, stride, raw).tobytes()[: count * stride])
