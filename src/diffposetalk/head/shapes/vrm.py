"""VRM avatars: expressions that move several morph targets together, in VRM 0 and VRM 1."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from diffposetalk.arkit import INDEX
from diffposetalk.head.shapes.names import arkit_name

Binds = dict[str, dict[int, float]]
"""Weight of each morph target of a mesh, by ARKit channel."""


def expressions(content: dict[str, Any]) -> tuple[dict[int, Binds], list[str]]:
    """Read which morph targets make up the expressions that are called like ARKit's channels ("Perfect Sync").

    Args:
        content: the file's JSON.

    Returns:
        By number of a mesh: channel -> weight of each of its morph targets. And the names of all expressions.
    """
    by_mesh: dict[int, Binds] = defaultdict(lambda: defaultdict(dict))
    names: list[str] = []
    extensions = content.get("extensions", {})
    for group in extensions.get("VRM", {}).get("blendShapeMaster", {}).get("blendShapeGroups", ()):
        name = str(group.get("name") or group.get("presetName") or "")
        names.append(name)
        for bind in group.get("binds") or ():
            _add(by_mesh, bind["mesh"], name, bind["index"], float(bind.get("weight", 100)) / 100)
    groups = extensions.get("VRMC_vrm", {}).get("expressions", {})
    for name, expression in [*groups.get("preset", {}).items(), *groups.get("custom", {}).items()]:
        names.append(name)
        for bind in expression.get("morphTargetBinds") or ():
            mesh = content["nodes"][bind["node"]].get("mesh")
            if mesh is not None:
                _add(by_mesh, mesh, name, bind["index"], float(bind.get("weight", 1)))
    return by_mesh, names


def _add(by_mesh: dict[int, Binds], mesh: int, name: str, target: int, weight: float) -> None:
    channel = arkit_name(name)
    if channel in INDEX:
        by_mesh[mesh][channel][target] = by_mesh[mesh][channel].get(target, 0.0) + weight


def faces_backward(content: dict[str, Any]) -> bool:
    """Return whether the avatar looks toward -Z, as VRM 0 has it; glTF and VRM 1 look toward +Z."""
    return "VRM" in content.get("extensions", {})
