"""All readers of user files in one table: what they read, from which module, and what a small valid file is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import seeds


@dataclass(frozen=True)
class Reader:
    """A way in which a user's file comes into the project."""

    name: str
    """Of the row."""
    modules: tuple[str, ...]
    """Modules below ``diffposetalk`` that parse the file."""
    kind: str
    """How its files are damaged: a key of `mutations.STRUCTURED`, or "binary"."""
    place: str
    """Where the file lies in an otherwise empty folder."""
    seeds: Callable[[], list[bytes]]
    """Makes valid files."""
    read: Callable[[Path], Any]
    """Reads the file at its place."""
    beside: Callable[[], dict[str, bytes]] = field(default=dict)
    """Further valid files of the folder, by path."""
    needs: tuple[str, ...] = ()
    """Packages of extras, without which the row is skipped."""

    @property
    def usable(self) -> bool:
        """Whether its packages are installed."""
        return all(importlib.util.find_spec(name) for name in self.needs)


def motion(path: Path) -> Any:
    from diffposetalk.exchange import load_motion

    return load_motion(path)


def head(path: Path) -> Any:
    from diffposetalk.head import load_head

    return load_head(str(path)).mesh()


def flame(path: Path) -> Any:
    from diffposetalk.head.flame.head import FlameHead

    return FlameHead.load(path)


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


def style_vector(path: Path) -> Any:
    from diffposetalk.style import Style

    return Style.load_vector(path)


def style(path: Path) -> Any:
    from diffposetalk.style import Style

    return Style.load(path)


def model(path: Path) -> Any:
    from diffposetalk.model.checkpoint import load_model

    return load_model(path)


def style_model(path: Path) -> Any:
    from diffposetalk.model.style_reader import StyleReader

    return StyleReader.load(path)


class _Silent:
    """A console that shows nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **options: None


def info(path: Path) -> Any:
    import argparse

    from diffposetalk.cli.commands.info import run

    return run(argparse.Namespace(files=[str(path)]), _Silent())  # type: ignore[arg-type]


def checkpoint(path: Path) -> Any:
    from diffposetalk.released_weights.files import read_released

    return read_released(path)


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
        reader._store = _Values(seeds.tfhp_values() | {key: path.read_bytes()})  # type: ignore[assignment]
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


def flame_statistics(path: Path) -> Any:
    from diffposetalk.data.flame_statistics import Statistics

    return Statistics.load(path)


def manifest(path: Path) -> Any:
    from diffposetalk.data.report.manifest import read_manifest

    contents = read_manifest(path.parent)
    return contents and [part.seconds for part in contents.rejected]


def identity(path: Path) -> Any:
    from diffposetalk.cli.picture import read_identity

    return read_identity(str(path))


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


def asset(path: Path) -> Any:
    from diffposetalk.cli.commands.assets import examine

    return examine(path)


def asset_folder(path: Path) -> Any:
    return asset(path.parent)


def tracked_aperture(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.recordings.clips import tracked_aperture as read

    return read(path)


def tracking_reference(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.tracking import Reference

    return Reference.load(path)


def sound_bytes(path: Path) -> Any:
    from diffposetalk.media.memory import decode_bytes

    return decode_bytes(path.read_bytes(), str(path))


def vertex_indices(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.meshes.regions import read_indices

    return read_indices(path)


def mesh_pair(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.meshes.sequences import read_pair

    return read_pair(path, path)


def recordings(path: Path) -> Any:
    from diffposetalk.workshop.corpus.recordings.layouts import read_table

    return read_table(path.parent)


def training_log(path: Path) -> Any:
    from diffposetalk.workshop.evaluate.plots.learning import read_log

    return read_log(path)


def _row(
    name: str, modules: str, kind: str, place: str, make: Any, read: Any, beside: Any = dict, needs: str = ""
) -> Reader:
    return Reader(name, tuple(modules.split()), kind, place, make, read, beside, tuple(needs.split()))


def _files(*names: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {name: seeds.released()[name] for name in names}


_SHARD = "train-000000.tar"
READERS = {
    row.name: row
    for row in (
        _row("npz", "motion.motion files.npz exchange.curves.npz", "npz", "case.npz", seeds.motions, motion),
        _row("trackers", "exchange.curves.trackers", "npz", "case.npz", seeds.trackers, motion),
        _row("json", "exchange.documents exchange.curves.json_files", "json", "case.json", seeds.json_motions, motion),
        _row("csv", "exchange.tables exchange.curves.csv_files", "csv", "case.csv", seeds.csv_motions, motion),
        _row("parquet", "exchange.curves.table", "parquet", "case.parquet", lambda: [seeds.exported("parquet", ".parquet")],
             motion, needs="pyarrow"),
        _row("annyhead", "head.anny.files", "npz", "case.npz", lambda: [seeds.anny_head()], head),
        _row("targetsnpz", "files.npz head.flame.files", "npz", "case.npz", seeds.head_npz, head),
        _row("glb", "head.shapes.gltf head.shapes.container", "glb", "case.glb", seeds.glb, head),
        _row("gltf", "head.shapes.gltf", "gltf", "case.gltf", seeds.gltf, head),
        _row("flame", "head.flame.files", "values", "case.pkl", lambda: [seeds.flame_folder()["flame.pkl"]], flame),
        _row("flamenpz", "head.flame.files", "npz", "case.npz", lambda: [seeds.flame_folder()["flame.npz"]], flame),
        _row("embedding", "head.flame.files", "npy", "case.npy", lambda: [seeds.flame_folder()["landmark_embedding.npy"]],
             flame_embedding),
        _row("mediapipe", "head.flame.files", "npz", "case.npz", lambda: [seeds.flame_mediapipe()], flame_mediapipe),
        _row("masks", "head.flame.files", "values", "case.pkl", lambda: [seeds.flame_masks()], flame_masks),
        _row("pickle", "files.pickles.reader files.pickles.tensors", "pickle", "case.pkl", seeds.pickles, unpickled,
             needs="scipy"),
        _row("npyobj", "files.pickles.reader", "npy", "case.npy", seeds.npy_objects, unpickled_npy),
        _row("stylenpy", "style", "npy", "case.npy", lambda: [seeds.npy(np.ones(16, "f4"))], style_vector),
        _row("style", "style", "safetensors", "case.style.safetensors", lambda: [seeds.style()], style),
        _row("model", "model.checkpoint", "safetensors", "case.safetensors", lambda: [seeds.model_files()[0]], model),
        _row("stylereader", "model.style_reader", "safetensors", "case.safetensors", lambda: [seeds.model_files()[1]],
             style_model),
        _row("info_st", "cli.commands.info", "safetensors", "case.safetensors",
             lambda: [seeds.style(), *seeds.model_files()], info),
        _row("pt", "released_weights.files files.pickles.scan", "checkpoint", "case.pt",
             lambda: [seeds.released()["style.pt"], seeds.released()["iter_7.pt"]], checkpoint),
        _row("convert", "released_weights.convert", "checkpoint", "case.pt",
             lambda: [seeds.released()["style.pt"], seeds.released()["iter_7.pt"]], converted,
             _files("audio_encoder_config.json"), needs="transformers"),
        _row("speechconfig", "released_weights.files", "json", "config.json",
             lambda: [seeds.released()["audio_encoder_config.json"]], converted_with_config, _files("iter_7.pt"),
             needs="transformers"),
        _row("tfhp", "data.tfhp", "values", "data.mdb", lambda: [seeds.tfhp_values()["Ann/000/000"]],
             tfhp_value("Ann/000/000")),
        _row("tfhpmeta", "data.tfhp", "values", "data.mdb", lambda: [seeds.tfhp_values()["metadata"]],
             tfhp_value("metadata")),
        _row("lmdb", "data.lmdb_folder", "binary", "data.mdb", lambda: [seeds.lmdb_file()], tfhp_folder, needs="lmdb"),
        _row("shards", "data.shards", "tar", _SHARD, lambda: [seeds.shards()[_SHARD]], shard_folder),
        _row("shardsjson", "data.shards", "json", "dataset.json", lambda: [seeds.shards()["dataset.json"]], shard_folder,
             lambda: {_SHARD: seeds.shards()[_SHARD]}),
        _row("corpusshard", "workshop.corpus.shards", "safetensors", "speech/s00000.safetensors",
             lambda: [seeds.corpus_shards()[0]], corpus_shard,
             lambda: {"motion/s00000.safetensors": seeds.corpus_shards()[1]}),
        _row("corpusmotion", "workshop.corpus.shards", "safetensors", "motion/s00000.safetensors",
             lambda: [seeds.corpus_shards()[1]], corpus_shard,
             lambda: {"speech/s00000.safetensors": seeds.corpus_shards()[0]}),
        _row("chstats", "data.channel_statistics", "json", "statistics.json", lambda: [seeds.channel_statistics()],
             channel_statistics),
        _row("stats", "data.flame_statistics", "npz", "stats_train.npz", lambda: [seeds.flame_statistics()],
             flame_statistics),
        _row("manifest", "data.report.manifest", "jsonl", "manifest.jsonl", lambda: [seeds.manifest()], manifest),
        _row("identity", "head.identity", "npy", "case.npy", lambda: [seeds.npy(np.zeros(8))], identity),
        _row("identityjson", "head.identity", "json", "case.json", lambda: [b"[0.1, 0.2, 0.3]"], identity),
        _row("toml", "config", "toml", "case.toml", seeds.recipes, recipe,
             lambda: {"style.toml": seeds.recipes()[2]}),
        _row("sound", "media.sound media.source media.timeline", "wav", "case.wav", seeds.sounds, sound),
        _row("video", "media.pictures media.source", "binary", "case.mp4", seeds.videos, video),
        _row("soundbytes", "media.memory", "wav", "case.wav", lambda: seeds.sounds()[:1], sound_bytes),
        _row("indices", "workshop.evaluate.meshes.regions", "npy", "case.npy", lambda: [seeds.npy(np.arange(8))],
             vertex_indices),
        _row("meshpair", "workshop.evaluate.meshes.sequences", "npz", "case.npz",
             lambda: [seeds.npz(vertices=np.ones((4, 6, 3), "f4"), fps=np.float32(25))], mesh_pair),
        _row("recordings", "workshop.corpus.recordings.layouts", "csv", "speech.tsv",
             lambda: [b"file\tspeaker\ttranscript\na.wav\tAnn\thello there\nb.wav\tBob\tgood day\n"], recordings),
        _row("speakers", "workshop.footage.sources", "csv", "speakers.csv", lambda: [b"file,speaker\na.mp4,Ann\n"], speakers),
        _row("cut", "workshop.footage.staging", "tar", "case.tar", lambda: [seeds.footage_cut()], footage_cut),
        _row("facebundle", "cli.commands.assets", "zip", "face.task", lambda: [seeds.face_bundle()], asset),
        _row("assetnpz", "cli.commands.assets", "npz", "case.npz",
             lambda: [seeds.flame_mediapipe(), seeds.flame_statistics(), seeds.flame_folder()["flame.npz"]], asset),
        _row("assetpkl", "cli.commands.assets", "values", "case.pkl",
             lambda: [seeds.flame_masks(), seeds.flame_folder()["flame.pkl"]], asset),
        _row("speechfolder", "cli.commands.assets", "json", "config.json",
             lambda: [b'{"model_type": "hubert", "num_hidden_layers": 2, "hidden_size": 16}'], asset_folder,
             lambda: {"model.safetensors": seeds.style()}),
        _row("aperture", "workshop.evaluate.recordings.clips", "npz", "case.npz", lambda: [seeds.landmark_tracks()],
             tracked_aperture),
        _row("reference", "workshop.evaluate.tracking", "npz", "case.npz", lambda: [seeds.landmark_tracks()],
             tracking_reference),
        _row("log", "workshop.evaluate.plots.learning", "jsonl", "log.jsonl",
             lambda: [b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.4, "val_loss": 0.3}\n'], training_log),
    )
}  # fmt: skip
"""By name. Names are also those of the files in the folder of known faults."""
