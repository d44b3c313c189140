"""What tests share: two seconds of speech, a tiny model, and where the optional recordings lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from diffposetalk.data.clip import Clip
    from diffposetalk.data.tfhp import TfhpReader
    from diffposetalk.generate.talker import Talker
    from diffposetalk.head.anny.head import AnnyHead
    from diffposetalk.head.flame.free import FreeFlame
    from diffposetalk.head.flame.head import FlameHead
    from diffposetalk.model.checkpoint import Model
    from diffposetalk.motion import Motion
    from diffposetalk.speech import Speech

os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def sample_path() -> Path:
    """The bundled sample of speech, about 11 s."""
    return ROOT / "src" / "diffposetalk" / "assets" / "sample.flac"


@pytest.fixture(scope="session")
def speech(sample_path: Path) -> Speech:
    """Two seconds of speech."""
    from diffposetalk.speech import Speech

    return Speech.load(sample_path).slice(3.0, 5.0)


def beside_the_project(name: str) -> Path:
    """Return the folder `../shared/NAME`; skip the test if it is absent."""
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which is absent")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real recordings beside the project; skips if it is absent."""
    return beside_the_project("realdata")


@pytest.fixture(scope="session")
def bundled_model() -> Path:
    """The weights of the bundled model; skips where they have not been made yet."""
    path = ROOT / "src" / "diffposetalk" / "assets" / "lite.safetensors"
    if not path.exists():
        pytest.skip("needs the bundled weights, which are absent")
    return path


@pytest.fixture(scope="session")
def talker(bundled_model: Path) -> Talker:
    """The bundled model, ready to animate."""
    from diffposetalk.generate.talker import Talker

    return Talker.from_pretrained(bundled_model)


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of numbers computed with the authors' code."""
    return ROOT / "tests" / "reference"


@pytest.fixture(scope="session")
def faults() -> Path:
    """The folder of small inputs that once showed faults; skips if it is absent."""
    return beside_the_project("faults")


def write_flame(n_vertices: int, seed: int, path: Path) -> Path:
    """Write a random head of FLAME's format, as the reference numbers' recipe says, with its landmarks beside it.

    Args:
        n_vertices: V.
        seed: of the recipe.
        path: `.pkl` for the pickle with a sparse matrix, `.npz` for plain arrays.
    """
    import pickle

    import scipy.sparse
    import torch

    rs = np.random.RandomState(seed)
    model = {
        "v_template": rs.standard_normal((n_vertices, 3)) * 0.08,
        "shapedirs": rs.standard_normal((n_vertices, 3, 400)) * 0.002,
        "posedirs": rs.standard_normal((n_vertices, 3, 36)) * 0.003,
    }
    regressor, weights = rs.uniform(size=(5, n_vertices)) ** 4, rs.uniform(size=(n_vertices, 5)) ** 6
    model["J_regressor"] = regressor / regressor.sum(1, keepdims=True)
    model["weights"] = weights / weights.sum(1, keepdims=True)
    model["kintree_table"] = np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], np.uint32)
    n_faces = 9976 if n_vertices == 5023 else 2 * n_vertices
    model["f"] = rs.randint(0, n_vertices, size=(n_faces, 3))
    if path.suffix == ".npz":
        np.savez(path, **model)
    else:
        path.write_bytes(pickle.dumps(model | {"J_regressor": scipy.sparse.csc_matrix(model["J_regressor"])}, 2))

    rs = np.random.RandomState(seed + 1)

    def shares(*shape: int) -> np.ndarray:
        values = rs.uniform(size=(*shape, 3))
        return values / values.sum(-1, keepdims=True)

    points = {
        "static_lmk_faces_idx": rs.randint(0, n_faces, (51,)), "static_lmk_bary_coords": shares(51),
        "dynamic_lmk_faces_idx": torch.tensor(rs.randint(0, n_faces, (79, 17))),
        "dynamic_lmk_bary_coords": torch.tensor(shares(79, 17)),
        "full_lmk_faces_idx": rs.randint(0, n_faces, (1, 68)), "full_lmk_bary_coords": shares(1, 68),
    }  # fmt: skip
    np.save(path.with_name("landmark_embedding.npy"), np.array(points, object), allow_pickle=True)
    return path


@pytest.fixture(scope="session")
def make_flame() -> Callable[[int, int, Path], Path]:
    """`make_flame(V, seed, path)`: writes a random head of FLAME's format; see `write_flame`."""
    return write_flame


@pytest.fixture(scope="session")
def flame_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random FLAME-format head of 40 vertices, with landmarks beside it."""
    return write_flame(40, 3, tmp_path_factory.mktemp("flame") / "generic_model.pkl")


@pytest.fixture(scope="session")
def anny() -> AnnyHead:
    """The free head."""
    from diffposetalk.head.anny.head import AnnyHead

    return AnnyHead.load()


@pytest.fixture(scope="session")
def free_flame(anny: AnnyHead, tmp_path_factory: pytest.TempPathFactory) -> FreeFlame:
    """The free head in FLAME's format, and how motion of the one is said in the other's coefficients."""
    from diffposetalk.head.flame.free import make_free_flame

    return make_free_flame(tmp_path_factory.mktemp("free") / "flame-free.npz", anny)


@pytest.fixture(scope="session")
def free_flame_head(free_flame: FreeFlame) -> FlameHead:
    """The head of `free_flame`, with all its coefficients."""
    from diffposetalk.head import load_head
    from diffposetalk.head.flame.head import FlameHead

    head = load_head(str(free_flame.path))
    assert isinstance(head, FlameHead)
    return head


def build_tiny_model(seed: int = 0, n_phones: int = 0) -> Model:
    """Return an untrained model of the bundled model's layout: 2 layers, width 16, windows of 4 s.

    With ``n_phones`` it takes transcripts.
    """
    import torch

    from diffposetalk.arkit import CHANNELS
    from diffposetalk.model.checkpoint import Model, build_model, fingerprint
    from diffposetalk.model.configs import DenoiserConfig, ModelConfig, SpeechEncoderConfig, StyleEncoderConfig
    from diffposetalk.motion import MotionSpace
    from diffposetalk.style import Style

    channels = (*CHANNELS, "head_x", "head_y", "head_z")
    n = len(channels)
    config = ModelConfig(
        name="tiny",
        speech_encoder=SpeechEncoderConfig(n_mels=16, width=16, dim=16, dropout=0.0, n_phones=n_phones),
        style_encoder=StyleEncoderConfig(motion_dim=n, dim=16, n_layers=1, n_heads=2, dropout=0.0),
        denoiser=DenoiserConfig(motion_dim=n, speech_dim=16, style_dim=16, dim=16, n_layers=2, n_heads=2, dropout=0.0),
        noise_steps=50,
    )
    space = MotionSpace("anny", 25.0, channels, np.full(n, 0.05, np.float32), np.full(n, 0.05, np.float32))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_model(config, space)
        if n_phones:
            torch.nn.init.normal_(model.speech_encoder.script.exit.weight)
    for network in model.networks.values():
        network.eval().requires_grad_(False)
    encoder = fingerprint(model.style_encoder)
    rng = np.random.default_rng(seed)
    presets = {
        name: Style(rng.standard_normal(16).astype(np.float32), encoder, f"preset {name}")
        for name in ("neutral", "lively")
    }
    return Model(**{**model.__dict__, "presets": presets})


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    """An untrained model of the bundled model's layout."""
    return build_tiny_model()


@pytest.fixture(scope="session")
def tiny_model_path(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model as a file."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    tiny_model.save(path)
    return path


@pytest.fixture(scope="session")
def scripted_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that takes transcripts, as a file."""
    from diffposetalk.speech.transcript.phones import SYMBOLS

    path = tmp_path_factory.mktemp("model") / "scripted.safetensors"
    build_tiny_model(n_phones=len(SYMBOLS)).save(path)
    return path


@pytest.fixture(scope="session")
def other_model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another tiny model, with other weights, as a file."""
    path = tmp_path_factory.mktemp("model") / "other.safetensors"
    build_tiny_model(seed=1).save(path)
    return path


@pytest.fixture(scope="session")
def motion() -> Motion:
    """Two seconds of plausible motion: a jaw that opens and closes, a blink, a slow turn of the head."""
    from diffposetalk.arkit import CHANNELS, INDEX
    from diffposetalk.motion import Motion

    time = np.arange(50, dtype=np.float32) / 25
    expression = np.zeros((50, len(CHANNELS)), np.float32)
    expression[:, INDEX["jawOpen"]] = 0.3 - 0.3 * np.cos(2 * np.pi * 3 * time)
    for side in ("Left", "Right"):
        expression[20:24, INDEX[f"eyeBlink{side}"]] = 1
    head_pose = np.stack([0.05 * np.sin(3 * time), 0.2 * np.sin(2 * time), 0 * time], axis=1)
    return Motion(expression, CHANNELS, head_pose, 25.0, "anny")


@pytest.fixture(scope="session")
def gl() -> None:
    """Skips if there is no OpenGL to draw with, and gives the reason."""
    from diffposetalk.errors import DiffPoseTalkError
    from diffposetalk.geometry.mesh import Material, Mesh
    from diffposetalk.render import Renderer

    triangle = Mesh(
        np.eye(3, dtype=np.float32), np.array([[0, 1, 2]], np.int32), None, (Material("grey", (0.5, 0.5, 0.5)),)
    )
    try:
        with Renderer(triangle, 32):
            pass
    except DiffPoseTalkError as error:
        pytest.skip(str(error))


def flame_clip(name: str, n_frames: int, seed: int = 0, n_identity: int = 12, n_expression: int = 10) -> Clip:
    """Return a clip of noise: 16-bit sound, FLAME coefficients, one identity."""
    from diffposetalk.data.clip import Clip
    from diffposetalk.data.coefficients import Coefficients
    from diffposetalk.data.tfhp import FRAME_SAMPLES
    from diffposetalk.speech import Speech

    rng = np.random.default_rng([seed, n_frames])
    samples = rng.integers(-9000, 9000, n_frames * FRAME_SAMPLES).astype(np.float32) / 32768
    coefficients = Coefficients(
        np.tile(rng.standard_normal(n_identity).astype(np.float32), (n_frames, 1)),
        rng.standard_normal((n_frames, n_expression)).astype(np.float32),
        (0.1 * rng.standard_normal((n_frames, 6))).astype(np.float32),
    )
    return Clip(Speech(samples), coefficients.motion(), coefficients.shape[0], name.partition("/")[0], name)


LENGTHS = {"Ann/000": 61, "Ann/001": 45, "Bob/000": 30, "Cem/007": 50, "Dot/000": 90}
"""Frames of the clips of the small data set, by name."""


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    """Clips of four speakers."""
    return [flame_clip(name, n_frames, seed) for seed, (name, n_frames) in enumerate(LENGTHS.items())]


@pytest.fixture(scope="session")
def tfhp(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small TFHP data set: three videos to train on, one each to validate and test."""
    from diffposetalk.data.tfhp_write import write_tfhp

    path = tmp_path_factory.mktemp("tfhp") / "set"
    splits = {"train": ["Ann/000", "Bob/000", "Ann/001"], "val": ["Cem/007"], "test": ["Dot/000"]}
    write_tfhp(clips, path, seg_len=20, splits=splits)
    return path


@pytest.fixture
def reader(tfhp: Path) -> TfhpReader:
    """Reads the small data set."""
    from diffposetalk.data.tfhp import TfhpReader

    return TfhpReader(tfhp)
