"""The public names of `diffposetalk`: they resolve in any order of imports, and what they make prints in one line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import diffposetalk
from diffposetalk import Motion, Speech, Style, Talker
from diffposetalk.geometry.mesh import MeshSequence


@pytest.mark.parametrize("first", ["", "import diffposetalk.track.fit", "from diffposetalk.render import Renderer"])
@pytest.mark.parametrize("name", ["track", "retarget", "render"])
def test_a_package_is_called_as_its_function(first: str, name: str) -> None:
    """Whatever was imported first; submodules stay reachable by the same name."""
    code = f"""
{first}
import inspect
from diffposetalk import {name}
import diffposetalk
assert diffposetalk.{name} is {name} and callable({name})
try:
    {name}(no_such_option=1)
except TypeError as error:
    assert "no_such_option" in str(error) or "missing" in str(error), error
from diffposetalk.track import fit, track as function
assert inspect.isfunction(function) and diffposetalk.track.fit is fit
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_type_checker_sees_every_public_name() -> None:
    """`__all__` is what `__getattr__` can resolve."""
    assert set(diffposetalk.__all__) == {"__version__", *diffposetalk._PUBLIC, *diffposetalk._CALLABLE}


def test_what_is_printed_is_one_short_line(motion: Motion, talker: Talker) -> None:
    style = Style(np.ones(8), "abcdef", "clip.mp4")
    things = (motion, talker, talker.space, talker.style("lively"), style, Speech(np.zeros(16000, np.float32)))
    for thing in things:
        assert "\n" not in repr(thing) and len(repr(thing)) < 160, repr(thing)
    assert repr(motion) == "Motion(50 frames, 2.00 s at 25 fps, head 'anny', 52 channels)"
    assert "clip.mp4" in repr(style) and "lively" in repr(talker)


def test_what_a_person_prints_is_one_short_line() -> None:
    head = diffposetalk.load_head()
    mesh = head.mesh()
    for thing in (head, mesh, MeshSequence(mesh, mesh.vertices[None], 25.0)):
        assert len(repr(thing)) < 150 and "\n" not in repr(thing)
