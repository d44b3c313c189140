"""The ComfyUI nodes without ComfyUI: called as it calls them, with the types it passes between nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.motion import Motion


@pytest.fixture(scope="module")
def nodes(integration: Callable[[str], Any]) -> Any:
    """The module of the integration."""
    return integration("comfyui/__init__.py")


@pytest.fixture(scope="module")
def audio() -> dict[str, Any]:
    """Two seconds of stereo at 44.1 kHz: `waveform (batch, channels, n)` and `sample_rate`."""
    time = torch.arange(2 * 44100) / 44100
    tone = 0.3 * torch.sin(2 * np.pi * 140 * time) * (torch.sin(2 * np.pi * 3 * time) > 0)
    return {"waveform": tone.expand(1, 2, -1), "sample_rate": 44100}


def call(nodes: Any, name: str, **links: Any) -> Any:
    """Run a node with the defaults of its widgets and what is linked to it."""
    node = nodes.NODE_CLASS_MAPPINGS[f"DiffPoseTalk{name}"]
    inputs = node.INPUT_TYPES()
    values = {}
    for key, (kind, *more) in (inputs["required"] | inputs.get("optional", {})).items():
        if isinstance(kind, list):
            values[key] = kind[0]
        elif more and "default" in more[0]:
            values[key] = more[0]["default"]
    given = values | links
    assert set(inputs["required"]) <= set(given), f"{name} lacks inputs"
    result = getattr(node(), node.FUNCTION)(**given)
    answers = result["result"] if isinstance(result, dict) else result
    assert len(answers) == len(node.RETURN_TYPES)
    return answers


def test_every_node_is_declared(nodes: Any) -> None:
    """Names, titles and types as ComfyUI reads them; each required input is a parameter of the function."""
    assert (
        set(nodes.NODE_CLASS_MAPPINGS) == set(nodes.NODE_DISPLAY_NAME_MAPPINGS) and len(nodes.NODE_CLASS_MAPPINGS) == 5
    )
    for node in nodes.NODE_CLASS_MAPPINGS.values():
        parameters = inspect.signature(getattr(node, node.FUNCTION)).parameters
        inputs = node.INPUT_TYPES()
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        assert takes_any or set(parameters) - {"self"} == set(inputs["required"]) | set(inputs["optional"])
        assert all(isinstance(kind, str) for kind in node.RETURN_TYPES) and node.CATEGORY


def test_a_whole_graph(
    nodes: Any, audio: dict[str, Any], tiny_model_path: Path, gl: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, style, motion, pictures, file: each node's output goes into the next one's input."""
    monkeypatch.chdir(tmp_path)
    (talker,) = call(nodes, "LoadTalker", model=str(tiny_model_path))
    (style,) = call(nodes, "ChooseStyle", talker=talker, style="lively")
    motion, through = call(nodes, "Animate", talker=talker, audio=audio, style=style, seed=3)
    assert through is audio and isinstance(motion, Motion) and len(motion) == 50
    again, _ = call(nodes, "Animate", talker=talker, audio=audio, style=style, seed=3)
    np.testing.assert_array_equal(again.expression, motion.expression)
    still, _ = call(nodes, "Animate", talker=talker, audio=audio, head_scale=0.0)
    assert np.abs(still.head_pose).max() == 0

    pictures, sound, fps = call(nodes, "Render", motion=motion, audio=audio, size=64, first=10, frames=5)
    assert pictures.shape == (5, 64, 64, 3) and pictures.dtype == torch.float32 and fps == 25.0
    assert 0 <= pictures.min() < 0.3 and 0.5 < pictures.max() <= 1
    assert sound["waveform"].shape == (1, 2, 5 * 44100 // 25) and sound["sample_rate"] == 44100

    somebody, _, _ = call(nodes, "Render", motion=motion, size=64, first=10, frames=1, person=3)
    assert (somebody[0] - pictures[0]).abs().max() > 0.1

    (first,), (second,) = (call(nodes, "SaveMotion", motion=motion, audio=audio) for _ in range(2))
    assert [Path(first).name, Path(second).name] == ["talk_00001.npz", "talk_00002.npz"]
    np.testing.assert_array_equal(Motion.load(first).expression, motion.expression)
    (referred,) = call(nodes, "ChooseStyle", talker=talker, style=first)
    (linked,) = call(nodes, "ChooseStyle", talker=talker, motion=motion)
    np.testing.assert_allclose(referred.vector, linked.vector, atol=1e-6)


def test_every_ending_is_a_format(nodes: Any, motion: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each choice of the saving node writes the format that it names."""
    from diffposetalk.exchange import format_of

    names = {ending: format_of(f"talk_00001.{ending}").name for ending in nodes.ENDINGS}
    assert len(set(names.values())) == len(nodes.ENDINGS), names
    monkeypatch.chdir(tmp_path)
    for ending in ("livelink.csv", "a2f.json", "bvh"):
        (path,) = call(nodes, "SaveMotion", motion=motion, format=ending)
        assert Path(path).stat().st_size > 1000


def test_a_person_is_in_the_saved_mesh(
    nodes: Any, motion: Motion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gl: None
) -> None:
    """The seed of a person changes what a mesh format holds."""
    monkeypatch.chdir(tmp_path)
    files = [call(nodes, "SaveMotion", motion=motion, format="glb", person=seed)[0] for seed in (-1, 3)]
    assert Path(files[0]).read_bytes() != Path(files[1]).read_bytes()


def test_any_file_that_shows_a_manner_is_a_style(
    nodes: Any, tiny_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node hands its word to `Talker.style` unchanged, a video too."""
    (talker,) = call(nodes, "LoadTalker", model=str(tiny_model_path))
    asked: list[Any] = []
    monkeypatch.setattr(type(talker), "style", lambda self, style: asked.append(style))
    call(nodes, "ChooseStyle", talker=talker, style="somebody.mp4")
    assert asked == ["somebody.mp4"]


def test_problems_are_one_line(nodes: Any, motion: Motion, tiny_model_path: Path) -> None:
    """ComfyUI shows the exception's text on the node."""
    (talker,) = call(nodes, "LoadTalker", model=str(tiny_model_path))
    with pytest.raises(UsageError, match="no style 'cheerful': the presets are neutral, lively"):
        call(nodes, "ChooseStyle", talker=talker, style="cheerful")
    with pytest.raises(UsageError, match="no model 'nowhere'"):
        call(nodes, "LoadTalker", model="nowhere")
    with pytest.raises(DiffPoseTalkError, match="there is no frame 99: the motion has 50"):
        call(nodes, "Render", motion=motion, first=99)


def test_it_is_thin(nodes: Any) -> None:
    """A wrapper, below 170 lines, whose import loads neither torch nor the package's heavy parts."""
    text = Path(nodes.__file__).read_text()
    assert text.count("\n") < 170
    assert not [line for line in text.splitlines() if line.startswith(("import torch", "from diffposetalk"))]
