"""ComfyUI nodes: link this folder to `ComfyUI/custom_nodes/diffposetalk`, with diffposetalk in ComfyUI's Python."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

OWN = -1.0
"""Value of a guidance scale that means the model's own."""
PERSON = ("INT", {"default": -1, "min": -1, "max": 2**31 - 1})
"""Whose head: the seed of a person, or -1 for the average."""
ENDINGS = ["npz", "livelink.csv", "a2f.json", "glb", "usdc", "bvh"]


class _Node:
    CATEGORY = "DiffPoseTalk"
    FUNCTION = "run"
    REQUIRED: ClassVar[dict[str, Any]] = {}
    OPTIONAL: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """What the node takes."""
        return {"required": cls.REQUIRED, "optional": cls.OPTIONAL}


class LoadTalker(_Node):
    """Model: the bundled one by name, or a file."""

    REQUIRED: ClassVar = {"model": ("STRING", {"default": "lite"}), "device": (["cpu", "cuda"],)}
    RETURN_TYPES = ("DPT_TALKER",)

    def run(self, model: str, device: str) -> tuple[Any]:
        """Load it."""
        from diffposetalk import Talker

        return (Talker.from_pretrained(model, device),)


class ChooseStyle(_Node):
    """Manner of speaking: a preset, or a file of style, motion or video that shows it. A linked motion wins."""

    REQUIRED: ClassVar = {"talker": ("DPT_TALKER",), "style": ("STRING", {"default": "neutral"})}
    OPTIONAL: ClassVar = {"motion": ("DPT_MOTION",)}
    RETURN_TYPES = ("DPT_STYLE",)

    def run(self, talker: Any, style: str, motion: Any = None) -> tuple[Any]:
        """Read it."""
        return (talker.style(style if motion is None else motion),)


class Animate(_Node):
    """Speech to motion; the sound goes through for the nodes after. A scale of -1 is the model's own."""

    REQUIRED: ClassVar = {
        "talker": ("DPT_TALKER",),
        "audio": ("AUDIO",),
        "seed": ("INT", {"default": 0, "min": 0, "max": 2**63 - 1, "control_after_generate": True}),
        "speech_scale": ("FLOAT", {"default": OWN, "min": OWN, "max": 10.0, "step": 0.05}),
        "style_scale": ("FLOAT", {"default": OWN, "min": OWN, "max": 10.0, "step": 0.05}),
        "expression_scale": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 4.0, "step": 0.05}),
        "head_scale": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 4.0, "step": 0.05}),
    }
    OPTIONAL: ClassVar = {"style": ("DPT_STYLE",)}
    RETURN_TYPES = ("DPT_MOTION", "AUDIO")

    def run(self, talker: Any, audio: dict[str, Any], seed: int, style: Any = None, **scales: float) -> tuple[Any, Any]:
        """Generate one take."""
        given = {name: value for name, value in scales.items() if value != OWN}
        return talker.generate(_speech(audio), style=style, seed=seed, **given), audio


class Render(_Node):
    """Motion to pictures for ComfyUI's video nodes: `frames` of them from `first`, 0 for all (12 bytes a pixel).

    `person` is the seed of another person's head, -1 the average head.
    """

    REQUIRED: ClassVar = {
        "motion": ("DPT_MOTION",),
        "size": ("INT", {"default": 512, "min": 64, "max": 4096, "step": 2}),
        "first": ("INT", {"default": 0, "min": 0, "max": 10**7}),
        "frames": ("INT", {"default": 0, "min": 0, "max": 10**7}),
    }
    OPTIONAL: ClassVar = {"audio": ("AUDIO",), "person": PERSON}
    RETURN_TYPES = ("IMAGE", "AUDIO", "FLOAT")
    RETURN_NAMES = ("images", "audio", "fps")

    def run(
        self, motion: Any, size: int, first: int, frames: int, audio: Any = None, person: int = -1
    ) -> tuple[Any, Any, float]:
        """Draw `(n, size, size, 3)` in [0, 1]; with it the sound of the same stretch, and the frame rate."""
        import torch

        from diffposetalk import DiffPoseTalkError
        from diffposetalk.render import Renderer

        part = motion.slice(first, first + frames if frames else None)
        if len(part) == 0:
            raise DiffPoseTalkError(f"there is no frame {first}: the motion has {len(motion)}")
        head, identity = _person(motion, person)
        pictures = torch.empty(len(part), size, size, 3)
        with Renderer(head.mesh(identity), size) as renderer:
            drawn = (renderer.draw(vertices) for chunk in head.iter_vertices(part, identity) for vertices in chunk)
            for index, picture in enumerate(drawn):
                pictures[index] = torch.from_numpy(picture.copy()) / 255
        if audio is not None:
            start, stop = (round(frame / motion.fps * audio["sample_rate"]) for frame in (first, first + len(part)))
            audio = {**audio, "waveform": audio["waveform"][..., start:stop]}
        return pictures, audio, float(motion.fps)


class SaveMotion(_Node):
    """Motion to a file in ComfyUI's output folder; formats with a mesh or sound take person and audio."""

    REQUIRED: ClassVar = {"motion": ("DPT_MOTION",), "filename": ("STRING", {"default": "talk"}), "format": (ENDINGS,)}
    OPTIONAL: ClassVar = {"audio": ("AUDIO",), "person": PERSON}
    RETURN_TYPES = ("STRING",)
    OUTPUT_NODE = True

    def run(self, motion: Any, filename: str, format: str, audio: Any = None, person: int = -1) -> dict[str, Any]:
        """Write it under a name that is not taken yet."""
        from diffposetalk.exchange import Scene, export

        paths = (output_folder() / f"{Path(filename).name}_{number:05d}.{format}" for number in count(1))
        free = next(path for path in paths if not path.exists())
        head, identity = (None, None) if person < 0 else _person(motion, person)
        speech = None if audio is None else _speech(audio)
        path = str(export(motion, free, scene=Scene(head=head, identity=identity, speech=speech)).path)
        return {"ui": {"text": [path]}, "result": (path,)}


def output_folder() -> Path:
    """Where ComfyUI writes; the current folder outside of it."""
    try:
        import folder_paths
    except ImportError:
        return Path.cwd()
    return Path(folder_paths.get_output_directory())


def _person(motion: Any, seed: int) -> tuple[Any, Any]:
    """Head of a motion, and the identity of the person of that seed; None for the average."""
    from diffposetalk import load_head

    head = load_head(motion.head)
    return head, None if seed < 0 else head.draw_identity(seed)


def _speech(audio: dict[str, Any]) -> Any:
    """ComfyUI's sound `(batch, channels, n)` as speech: the first of the batch, mixed down."""
    from diffposetalk import Speech

    waveform = audio["waveform"]
    return Speech.from_array(waveform[0].mean(0).clamp(-1, 1).float().cpu().numpy(), int(audio["sample_rate"]))


_NODES = {f"DiffPoseTalk{node.__name__}": node for node in (LoadTalker, ChooseStyle, Animate, Render, SaveMotion)}
NODE_CLASS_MAPPINGS = _NODES
NODE_DISPLAY_NAME_MAPPINGS = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.__name__) for name, node in _NODES.items()}
