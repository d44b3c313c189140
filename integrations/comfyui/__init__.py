"""ComfyUI nodes: link this folder to `ComfyUI/custom_nodes/diffposetalk`, with diffposetalk in ComfyUI's Python."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

OWN = -1.0
"""Value of a guidance scale that stands for the model's default."""
PERSON = ("INT", {"default": -1, "min": -1, "max": 2**31 - 1})
"""Input for the identity of the head: a seed, or -1 for the average person."""
ENDINGS = ["npz", "livelink.csv", "a2f.json", "glb", "usdc", "bvh"]
"""Formats of `SaveMotion`, as endings of the file name."""


class _Node:
    CATEGORY = "DiffPoseTalk"
    FUNCTION = "run"
    REQUIRED: ClassVar[dict[str, Any]] = {}
    OPTIONAL: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs of the node."""
        return {"required": cls.REQUIRED, "optional": cls.OPTIONAL}


class LoadTalker(_Node):
    """Load a model: the bundled one by name, or a file."""

    REQUIRED: ClassVar = {"model": ("STRING", {"default": "lite"}), "device": (["cpu", "cuda"],)}
    RETURN_TYPES = ("DPT_TALKER",)

    def run(self, model: str, device: str) -> tuple[Any]:
        """Load the model."""
        from diffposetalk import Talker

        return (Talker.from_pretrained(model, device),)


class ChooseStyle(_Node):
    """Choose a style: a preset, or a style, motion or video file. A linked motion is used instead."""

    REQUIRED: ClassVar = {"talker": ("DPT_TALKER",), "style": ("STRING", {"default": "neutral"})}
    OPTIONAL: ClassVar = {"motion": ("DPT_MOTION",)}
    RETURN_TYPES = ("DPT_STYLE",)

    def run(self, talker: Any, style: str, motion: Any = None) -> tuple[Any]:
        """Read the style."""
        return (talker.style(style if motion is None else motion),)


class Animate(_Node):
    """Generate motion from speech; the sound is passed on. A scale of -1 stands for the model's default."""

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
        changes = {name: value for name, value in scales.items() if value != OWN}
        return talker.generate(_speech(audio), style=style, seed=seed, **changes), audio


class Render(_Node):
    """Render motion to pictures for ComfyUI's video nodes: `frames` pictures from frame `first`; 0 for all (12 bytes a pixel).

    `person` is the seed of an identity, or -1 for the average person.
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
        """Return pictures ``(n, size, size, 3)`` in [0, 1], the sound of the same frames, and the frame rate."""
        import torch

        from diffposetalk import DiffPoseTalkError
        from diffposetalk.render import Renderer

        part = motion.slice(first, first + frames if frames else None)
        if len(part) == 0:
            raise DiffPoseTalkError(f"there is no frame {first}: the motion has {len(motion)}")
        head, identity = _person(motion, person)
        pictures = torch.empty(len(part), size, size, 3)
        with Renderer(head.mesh(identity), size) as renderer:
            images = (renderer.draw(vertices) for chunk in head.iter_vertices(part, identity) for vertices in chunk)
            for index, picture in enumerate(images):
                pictures[index] = torch.from_numpy(picture.copy()) / 255
        if audio is not None:
            start, stop = (round(frame / motion.fps * audio["sample_rate"]) for frame in (first, first + len(part)))
            audio = {**audio, "waveform": audio["waveform"][..., start:stop]}
        return pictures, audio, float(motion.fps)


class SaveMotion(_Node):
    """Write motion to a file in ComfyUI's output folder; formats with a mesh or sound use person and audio."""

    REQUIRED: ClassVar = {"motion": ("DPT_MOTION",), "filename": ("STRING", {"default": "talk"}), "format": (ENDINGS,)}
    OPTIONAL: ClassVar = {"audio": ("AUDIO",), "person": PERSON}
    RETURN_TYPES = ("STRING",)
    OUTPUT_NODE = True

    def run(self, motion: Any, filename: str, format: str, audio: Any = None, person: int = -1) -> dict[str, Any]:
        """Write the motion to a new file."""
        from diffposetalk.exchange import Scene, export

        paths = (output_folder() / f"{Path(filename).name}_{number:05d}.{format}" for number in count(1))
        free = next(path for path in paths if not path.exists())
        head, identity = (None, None) if person < 0 else _person(motion, person)
        speech = None if audio is None else _speech(audio)
        path = str(export(motion, free, scene=Scene(head=head, identity=identity, speech=speech)).path)
        return {"ui": {"text": [path]}, "result": (path,)}


def output_folder() -> Path:
    """Return ComfyUI's output folder, or the current folder outside ComfyUI."""
    try:
        import folder_paths
    except ImportError:
        return Path.cwd()
    return Path(folder_paths.get_output_directory())


def _person(motion: Any, seed: int) -> tuple[Any, Any]:
    """Return the head of a motion and the identity of a seed, None for a seed below 0."""
    from diffposetalk import load_head

    head = load_head(motion.head)
    return head, None if seed < 0 else head.draw_identity(seed)


def _speech(audio: dict[str, Any]) -> Any:
    """Convert ComfyUI's sound ``(batch, channels, n)`` to speech: the first of the batch, mixed to mono."""
    from diffposetalk import Speech

    waveform = audio["waveform"]
    return Speech.from_array(waveform[0].mean(0).clamp(-1, 1).float().cpu().numpy(), int(audio["sample_rate"]))


_NODES = {f"DiffPoseTalk{node.__name__}": node for node in (LoadTalker, ChooseStyle, Animate, Render, SaveMotion)}
NODE_CLASS_MAPPINGS = _NODES
NODE_DISPLAY_NAME_MAPPINGS = {name: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.__name__) for name, node in _NODES.items()}
