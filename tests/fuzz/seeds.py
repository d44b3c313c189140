"""Small valid files of every kind that the project reads, made here as bytes."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import pickle
import struct
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

TESTS = Path(__file__).parents[1]


@functools.cache
def helper(path: str) -> ModuleType:
    """Return a module of the tests that makes files, by its path below ``tests``."""
    spec = importlib.util.spec_from_file_location("fuzz_" + path.replace("/", "_"), TESTS / f"{path}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(write: Callable[[Path], Any], name: str) -> bytes:
    """Return the content of the file that `write` makes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        result = write(path)
        return (path if path.exists() else Path(result)).read_bytes()


def anny_head() -> bytes:
    """A free head of few vertices."""
    from diffposetalk.head.anny.files import REGIONS, SHAPES

    sizes = dict.fromkeys("VFIPNLHW", 6)
    rng = np.random.default_rng(6)
    whole = {"faces", "face_material", "eye_of_vertex", "lip_columns", "lip_pairs", "landmark_corners"}
    arrays: dict[str, np.ndarray] = {}
    for name, letters in SHAPES.items():
        shape = tuple(sizes[length] if isinstance(length, str) else length for length in letters)
        arrays[name] = (
            rng.integers(0, 2, shape).astype("i4") if name in whole else rng.uniform(0, 1, shape).astype("f4")
        )
    arrays["faces"] = np.array([[i, (i + 1) % 6, (i + 2) % 6] for i in range(6)], "i4")
    arrays["preset_names"] = np.array([f"person{i}" for i in range(6)])
    return npz(**arrays, **{f"region_{name}": np.array([0, 1], "i4") for name in REGIONS})


def npz(**arrays: Any) -> bytes:
    """Return an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(value: Any, allow_pickle: bool = False) -> bytes:
    """Return a npy file."""
    buffer = io.BytesIO()
    np.save(buffer, value, allow_pickle=allow_pickle)
    return buffer.getvalue()


def motion(frames: int = 8) -> Any:
    """Return a short motion of ARKit channels."""
    from diffposetalk.arkit import CHANNELS
    from diffposetalk.motion import Motion

    rng = np.random.default_rng(0)
    return Motion(
        rng.uniform(0, 1, (frames, 52)).astype("f4"),
        CHANNELS,
        rng.normal(0, 0.1, (frames, 3)).astype("f4"),
        25.0,
        "anny",
    )


def flame_motion(frames: int = 8) -> Any:
    """Return a short motion of FLAME coefficients with jaw."""
    from diffposetalk.motion import Motion, flame_channels

    rng = np.random.default_rng(1)
    poses = {name: rng.normal(0, 0.1, (frames, 3)).astype("f4") for name in ("head_pose", "jaw_pose")}
    return Motion(
        rng.normal(0, 1, (frames, 10)).astype("f4"),
        flame_channels(10, head_pose=False)[:-1],
        fps=25.0,
        head="flame",
        **poses,
    )


def motions() -> list[bytes]:
    """Motion files of both heads."""
    return [written(value.save, "a.npz") for value in (motion(), flame_motion())]


def exported(name: str, suffix: str, frames: int = 8) -> bytes:
    """Return a motion in another program's format."""
    from diffposetalk.exchange import export

    return written(lambda path: export(motion(frames), path, name), f"a{suffix}")


@functools.cache
def shapes() -> ModuleType:
    """Tests of heads of named shapes."""
    return helper("head/test_shapes")


def head_npz() -> list[bytes]:
    """A head of named shapes with landmarks and a region."""
    from diffposetalk.geometry.landmarks import Landmarks

    points = Landmarks(np.array([[2, 0, 1], [1, 3, 2]], np.int32), np.array([[0.5, 0.2, 0.3], [0.1, 0.2, 0.7]], "f4"))
    head = shapes().small(mediapipe=(points, np.array([13, 14])), regions={"lips": np.array([0, 1])})
    return [written(head.save, "a.npz")]


def glb() -> list[bytes]:
    """Heads in GLB, with and without sparse accessors."""
    return [
        written(functools.partial(shapes().glb, names=["jawOpen", "smirk"], sparse=sparse), "a.glb")
        for sparse in (False, True)
    ]


def gltf() -> list[bytes]:
    """The same as text with its buffer as a data URI."""
    import base64

    data = glb()[0]
    length = struct.unpack_from("<I", data, 12)[0]
    document = json.loads(data[20 : 20 + length])
    blob = base64.b64encode(data[28 + length :]).decode()
    document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{blob}"
    return [json.dumps(document).encode()]


@functools.cache
def flame_folder() -> dict[str, bytes]:
    """A small head of FLAME's format with its companions, by file name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        helper("conftest").write_flame(12, 3, folder / "flame.pkl")
        helper("conftest").write_flame(12, 3, folder / "flame.npz")
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def flame_masks() -> bytes:
    """Vertex indices by the name of a part."""
    return pickle.dumps({name: np.arange(3) for name in ("lips", "forehead", "face")}, 2)


def flame_mediapipe() -> bytes:
    """MediaPipe's landmarks on FLAME."""
    return npz(lmk_face_idx=np.arange(4), lmk_b_coords=np.full((4, 3), 1 / 3), landmark_indices=np.arange(4) + 10)


@functools.cache
def model_files() -> tuple[bytes, bytes]:
    """A model and a style encoder, both tiny."""
    from diffposetalk.model.style_reader import StyleReader

    model = helper("conftest").build_tiny_model()
    encoder = StyleReader(model.style_encoder, model.space)
    return written(model.save, "a.safetensors"), written(encoder.save, "a.safetensors")


def style() -> bytes:
    """A style."""
    from diffposetalk.style import Style

    return written(Style(np.arange(16, dtype="f4"), "0123456789abcdef", "somebody").save, "a.style.safetensors")


@functools.cache
def released() -> dict[str, bytes]:
    """Checkpoints in the authors' layout, and what lies beside them."""
    import torch

    files = helper("released_weights/conftest")
    with tempfile.TemporaryDirectory() as name, torch.random.fork_rng():
        torch.manual_seed(0)
        files.denoiser_file(Path(name), stats_file=None)
        files.style_file(Path(name))
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


def flame_statistics() -> bytes:
    """Statistics of FLAME coefficients."""
    widths = {"shape": 100, "exp": 50, "pose": 6}
    values = {"mean": 0.0, "std": 1.0, "max": 2.0, "min": -2.0}
    return npz(
        **{f"{group}_{name}": np.full(n, value) for group, n in widths.items() for name, value in values.items()}
    )


def channel_statistics() -> bytes:
    """Statistics of ARKit channels."""
    from diffposetalk.data.channel_statistics import ChannelStatistics

    return written(ChannelStatistics.of([clip()]).save, "statistics.json")


@functools.cache
def clip(name: str = "s0/c0") -> Any:
    """A clip of noise on the free head."""
    from diffposetalk.data.clip import Clip
    from diffposetalk.speech import Speech

    samples = np.random.default_rng(2).uniform(-0.2, 0.2, 8 * 640).astype("f4")
    return Clip(Speech(samples), motion(8), np.zeros(3, "f4"), name.partition("/")[0], name)


@functools.cache
def shards() -> dict[str, bytes]:
    """A folder of shards."""
    from diffposetalk.data.shards import write_shards

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "set"
        write_shards([clip(), clip("s1/c0")], folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}


def footage_cut() -> bytes:
    """What came of one video, as the builder keeps it."""
    from diffposetalk.workshop.footage.manifest import rejected
    from diffposetalk.workshop.footage.staging import Cut, encode_cut

    return encode_cut(Cut((rejected("video", "no face", "no face in it"),), ()))


def tfhp_values() -> dict[str, bytes]:
    """Values of a TFHP folder by key."""
    from diffposetalk.data import tfhp_write

    value = helper("conftest").flame_clip("Ann/000", 8)
    values = {"metadata": {"seg_len": 20}, **dict(tfhp_write._values(value, 20))}
    return {key: tfhp_write.portable_pickle(value) for key, value in values.items()}


def lmdb_file() -> bytes:
    """The data file of a small TFHP folder."""
    from diffposetalk.data.tfhp_write import write_tfhp

    def write(path: Path) -> Path:
        write_tfhp([helper("conftest").flame_clip("Ann/000", 8)], path, 20)
        return path / "data.mdb"

    with tempfile.TemporaryDirectory() as folder:
        return write(Path(folder) / "set").read_bytes()


@functools.cache
def corpus_shards() -> tuple[bytes, bytes]:
    """Speech and motion of one speaker of the self-made corpus."""
    from diffposetalk.workshop.corpus import shards
    from diffposetalk.workshop.corpus.language.phones import SYMBOLS, Phone

    info = shards.SpeakerInfo("s00000", "espeak:en", "en", (1.0, 1.0, 0.0), 1.0, 1.0)
    phones = (Phone("sil", 0.0, 0.1), Phone(SYMBOLS[5], 0.1, 0.32, 1))
    samples = np.random.default_rng(3).uniform(-0.2, 0.2, 8 * 640).astype("f4")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("speech", "motion"):
            (folder / part).mkdir()
        speech = shards.save_speech(folder, info, [(samples, phones, "ah")])
        moving = shards.save_motion(folder, info.speaker, np.zeros(4, "f4"), [motion(8)])
        return speech.read_bytes(), moving.read_bytes()


def manifest() -> bytes:
    """The manifest of a data set made of videos."""
    rows = [
        {"video": "a.mp4", "kind": "video", "status": "rejected", "reason": "silence", "why": "x", "start_s": 0.0,
         "end_s": 3.0, "notes": ["n"]},
        {"video": "a.mp4", "kind": "take", "status": "used", "start_s": 0.0, "end_s": 2.0},
        {"video": "a.mp4", "kind": "stretch", "status": "rejected", "start_s": 0.5, "end_s": 1.0},
        {"video": "b.mp4", "kind": "video", "status": "used"},
    ]  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def trackers() -> list[bytes]:
    """Files of other trackers."""
    return [npz(**arrays) for arrays, *_ in helper("exchange/test_trackers").FILES.values()]


def json_motions() -> list[bytes]:
    """Motion in each dialect of JSON that is read."""
    names = ["jawOpen", "mouthSmileLeft"]
    a2f = {"exportFps": 30, "numFrames": 2, "facsNames": names, "weightMat": [[0.1, 0.2], [0.2, 0.3]]}
    frames = [{"weights": [0.1, 0.2], "time": 0.0}, {"weights": [0.2, 0.3], "time": 0.04}]
    lam = {"names": names, "metadata": {"fps": 25}, "frames": frames}
    return [json.dumps(document).encode() for document in (a2f, lam)]


def csv_motions() -> list[bytes]:
    """Motion as tables of text."""
    plain = b"time,jawOpen,mouthSmileLeft\n0.0,0.1,0.2\n0.04,0.2,0.3\n0.08,0.1,0.1\n"
    return [exported("livelink", ".csv"), plain]


def sounds() -> list[bytes]:
    """A tenth of a second of noise in several containers."""
    import av

    samples = np.random.default_rng(4).uniform(-0.2, 0.2, 4800).astype("f4")
    pcm = (samples * 32767).astype("<i2").tobytes()
    head = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    wav = b"RIFF" + struct.pack("<I", 36 + len(pcm)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(pcm)) + pcm
    made = [wav]
    for container, codec in (
        ("flac", "flac"),
        ("ipod", "aac"),
        ("ogg", "libopus"),
        ("mp3", "mp3"),
        ("webm", "libopus"),
    ):
        buffer = io.BytesIO()
        with av.open(buffer, "w", format=container) as file:
            stream = file.add_stream(codec, rate=48000, layout="mono")
            frame_format = "s16" if codec in ("flac", "libopus") else "fltp"
            values = samples[None] if frame_format == "fltp" else (samples[None] * 32767).astype("i2")
            frame = av.AudioFrame.from_ndarray(values, frame_format, "mono")
            frame.rate, frame.pts = 48000, 0
            for packet in (*stream.encode(frame), *stream.encode(None)):
                file.mux(packet)
        made.append(buffer.getvalue())
    return made


def videos() -> list[bytes]:
    """A few pictures."""
    from diffposetalk.media import VideoWriter

    def write(path: Path) -> None:
        with VideoWriter(path) as video:
            for grey in range(5):
                video.write(np.full((64, 64, 3), 40 * grey, np.uint8))

    return [written(write, "a.mp4")]


def pickles() -> list[bytes]:
    """Pickles of every kind that is understood."""
    import scipy.sparse
    import torch

    value = {"a": np.arange(4.0), "b": [torch.ones(2), 1.5, "text"], "c": scipy.sparse.csc_matrix(np.eye(2))}
    return [pickle.dumps(value, protocol) for protocol in (0, 2, 4, 5)]


def npy_objects() -> list[bytes]:
    """A .npy file with a dictionary, one of numbers."""
    return [
        npy(np.array({"a": np.arange(3)}, object), True),
        npy(np.arange(3.0)),
        flame_folder()["landmark_embedding.npy"],
    ]


def recipes() -> list[bytes]:
    """The recipes that ship."""
    folder = TESTS.parent / "configs"
    return [
        path.read_bytes()
        for path in (folder / "lite.toml", folder / "paper" / "small.toml", folder / "paper" / "style.toml")
    ]


def face_bundle() -> bytes:
    """A zip file with a member of MediaPipe's name."""
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("face_landmarks_detector.tflite", b"TFL3")
    return buffer.getvalue()


def landmark_tracks() -> bytes:
    """Tracks of MediaPipe's landmarks, as evaluation reads them."""
    rng = np.random.default_rng(5)
    return npz(
        names=np.array(["jawOpen"]), blendshapes=rng.uniform(0, 1, (4, 1)), matrix=np.tile(np.eye(4), (4, 1, 1)),
        landmark_idx=np.arange(478), landmarks_px=rng.uniform(0, 99, (4, 478, 3)), time=np.arange(4) / 25,
        detected=np.ones(4, bool), fps=np.array(25.0), size=np.array([100, 100]),
    )  # fmt: skip


def tar_of(files: dict[str, bytes]) -> bytes:
    """Return a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
