"""How the files of each kind are read, as a user's files are."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from .seeds import datasets, studies


def reader(where: str) -> Callable[[Path], Any]:
    """Return a function that reads a file.

    Args:
        where: ``module:function`` below ``diffposetalk``; imported when it is called.
    """
    module, _, name = where.partition(":")

    def read(path: Path) -> Any:
        return attrgetter(name)(import_module(f"diffposetalk.{module}"))(path)

    return read


motion = reader("exchange:load_motion")
flame = reader("head.flame.head:FlameHead.load")
style_vector = reader("style:Style.load_vector")
style = reader("style:Style.load")
model = reader("model.checkpoint:load_model")
style_model = reader("model.style_reader:StyleReader.load")
baseline = reader("workshop.baselines.model:BaselineModel.load")
checkpoint = reader("released_weights.files:read_released")
flame_statistics = reader("data.flame_statistics:Statistics.load")
asset = reader("cli.commands.assets:examine")
tracked_aperture = reader("workshop.evaluate.recordings.clips:tracked_aperture")
tracking_reference = reader("workshop.evaluate.tracking:Reference.load")
vertex_indices = reader("workshop.evaluate.meshes.regions:read_indices")
transcript = reader("speech.transcript:read_transcript")
teacher = reader("workshop.corpus.teacher.teacher:Teacher.load")
face_tracks = reader("workshop.corpus.teacher.footage:read_tracks")
study_file = reader("workshop.study.study_file:open_study")
study_texts = reader("workshop.study.making.texts:read_texts")
training_log = reader("workshop.evaluate.plots.learning:read_log")


def head(path: Path) -> Any:
    from diffposetalk.head import load_head

    return load_head(str(path)).mesh()


def flame_embedding(path: Path) -> Any:
    from diffposetalk.head.flame.landmarks import read_embedding

    return read_embedding(path, np.zeros((9976, 3), int))


def flame_mediapipe(path: Path) -> Any:
    from diffposetalk.head.flame.landmarks import read_mediapipe

    return read_mediapipe(path, np.zeros((20, 3), int))


def flame_masks(path: Path) -> Any:
    from diffposetalk.head.flame.files import read_masks

    return read_masks(path, 12)


def unpickled(path: Path) -> Any:
    from diffposetalk.files.pickles import unpickle

    return unpickle(path.read_bytes(), str(path), ("scipy", "chumpy", "torch"))


def unpickled_npy(path: Path) -> Any:
    from diffposetalk.files.pickles import unpickle_npy

    return unpickle_npy(path.read_bytes(), str(path), ("scipy", "chumpy", "torch"))


class _Silent:
    """A console that shows nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **options: None


def info(path: Path) -> Any:
    import argparse

    from diffposetalk.cli.commands.info import run

    return run(argparse.Namespace(files=[str(path)]), _Silent())  # type: ignore[arg-type]


def converted(path: Path) -> Any:
    from diffposetalk.released_weights.convert import convert

    return convert(path, _statistics())


def _statistics() -> Any:
    from diffposetalk.data.flame_statistics import Statistics

    values = {"mean": 0.0, "std": 1.0, "max": 2.0, "min": -2.0}
    widths = {"shape": 100, "exp": 50, "pose": 6}
    return Statistics({f"{group}_{name}": np.full(n, x) for group, n in widths.items() for name, x in values.items()})


def converted_with_config(path: Path) -> Any:
    from diffposetalk.released_weights.convert import convert

    return convert(path.with_name("iter_7.pt"), None, None, path)


class _Values:
    """An LMDB folder in memory, one value of which comes from a file."""

    def __init__(self, values: dict[str, bytes]) -> None:
        self._values = values

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)


def tfhp_value(key: str) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from diffposetalk.data.tfhp import TfhpReader

        reader = TfhpReader(path)
        reader._store = _Values(datasets.tfhp_values() | {key: path.read_bytes()})  # type: ignore[assignment]
        return reader.clip("Ann/000")

    return read


def tfhp_folder(path: Path) -> Any:
    from diffposetalk.data import lmdb_folder
    from diffposetalk.data.tfhp import TfhpReader

    try:
        reader = TfhpReader(path)
        return [reader.clip(video) for video in reader.videos]
    finally:
        lmdb_folder.close(path.parent)


def shard_folder(path: Path) -> Any:
    from diffposetalk.data.shards import ShardReader

    return list(ShardReader(path.parent).clips())


def corpus_shard(path: Path) -> Any:
    from diffposetalk.workshop.corpus.shards import load_shard, shard_summary

    return load_shard(path.parents[1], "s00000"), shard_summary(path.parents[1], "s00000")


def channel_statistics(path: Path) -> Any:
    from diffposetalk.data.channel_statistics import ChannelStatistics

    statistics = ChannelStatistics.load(path)
    return statistics.motion_space(), statistics.identity_space()


def manifest(path: Path) -> Any:
    from diffposetalk.data.report.manifest import read_manifest

    contents = read_manifest(path.parent)
    return contents and [part.seconds for part in contents.rejected]


def identity(path: Path) -> Any:
    from diffposetalk.cli.picture import read_identity

    return read_identity(str(path))


def protocol(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.protocol.toml_file import read_protocol

    return read_protocol(path).hash


def leaderboard(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.comparison.leaderboard import read_leaderboard

    return read_leaderboard(path)


def output_vertices(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.systems.vertex_files import read_vertices

    return read_vertices(path, 25.0)


def recipe(path: Path) -> Any:
    from diffposetalk.config import load_config
    from diffposetalk.errors import DiffPoseTalkError
    from diffposetalk.workshop.train.lite.recipe import Recipe
    from diffposetalk.workshop.train.paper.recipe import PaperRecipe

    try:
        return load_config(PaperRecipe, path)
    except DiffPoseTalkError:
        return load_config(Recipe, path)


def sound(path: Path) -> Any:
    from diffposetalk.speech import SpeechFile

    return SpeechFile(path).load()


def video(path: Path) -> Any:
    from diffposetalk.media import probe, read_frames

    return probe(path), sum(1 for _ in read_frames(path))


def speakers(path: Path) -> Any:
    from diffposetalk.workshop.footage.sources import Source, _with_speakers

    return _with_speakers([Source(Path("a.mp4"), "a.mp4", "a", "a")], path)


def footage_cut(path: Path) -> Any:
    from diffposetalk.workshop.footage.staging import decode_cut

    return decode_cut(path.read_bytes(), str(path))


def asset_folder(path: Path) -> Any:
    return asset(path.parent)


def sound_bytes(path: Path) -> Any:
    from diffposetalk.media.memory import decode_bytes

    return decode_bytes(path.read_bytes(), str(path))


def mesh_pair(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.meshes.sequences import read_pair

    return read_pair(path, path)


def recordings(path: Path) -> Any:
    from diffposetalk.workshop.corpus.recordings.layouts import read_table

    return read_table(path.parent)


def study_plan(path: Path) -> Any:
    from diffposetalk.files.parsing import parsing
    from diffposetalk.workshop.study.design import length
    from diffposetalk.workshop.study.plan import read_study

    with parsing(path, "study"):
        study = read_study(path.read_bytes())
    return study.identity(), length(study)


def study_answers(path: Path) -> Any:
    from diffposetalk.workshop.study.answers import Answers

    answers = Answers(path, studies.study(), create=False)
    return answers.all(), answers.progress()
