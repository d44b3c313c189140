"""All readers of user files in one table: what they read, from which module, and what a small valid file is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import reading
from .seeds import datasets, files, heads, media, models, motions, pickles, studies


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


def _row(
    name: str, modules: str, kind: str, place: str, make: Any, read: Any, beside: Any = dict, needs: str = ""
) -> Reader:
    return Reader(name, tuple(modules.split()), kind, place, make, read, beside, tuple(needs.split()))


def _files(*names: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {name: models.released()[name] for name in names}


_SHARD = "train-000000.tar"
READERS = {
    row.name: row
    for row in (
        _row("npz", "motion.motion files.npz exchange.curves.npz", "npz", "case.npz", motions.motions, reading.motion),
        _row("trackers", "exchange.curves.trackers", "npz", "case.npz", motions.trackers, reading.motion),
        _row("json", "exchange.documents exchange.curves.json_files", "json", "case.json", motions.json_motions, reading.motion),
        _row("csv", "exchange.tables exchange.curves.csv_files", "csv", "case.csv", motions.csv_motions, reading.motion),
        _row("parquet", "exchange.curves.table", "parquet", "case.parquet", lambda: [motions.exported("parquet", ".parquet")],
             reading.motion, needs="pyarrow"),
        _row("annyhead", "head.anny.files", "npz", "case.npz", lambda: [heads.anny_head()], reading.head),
        _row("targetsnpz", "files.npz head.flame.files", "npz", "case.npz", heads.head_npz, reading.head),
        _row("glb", "head.shapes.gltf head.shapes.container", "glb", "case.glb", heads.glb, reading.head),
        _row("gltf", "head.shapes.gltf", "gltf", "case.gltf", heads.gltf, reading.head),
        _row("flame", "head.flame.files", "values", "case.pkl", lambda: [heads.flame_folder()["flame.pkl"]], reading.flame),
        _row("flamenpz", "head.flame.files", "npz", "case.npz", lambda: [heads.flame_folder()["flame.npz"]], reading.flame),
        _row("embedding", "head.flame.files", "npy", "case.npy", lambda: [heads.flame_folder()["landmark_embedding.npy"]],
             reading.flame_embedding),
        _row("mediapipe", "head.flame.files", "npz", "case.npz", lambda: [heads.flame_mediapipe()], reading.flame_mediapipe),
        _row("masks", "head.flame.files", "values", "case.pkl", lambda: [heads.flame_masks()], reading.flame_masks),
        _row("pickle", "files.pickles.reader files.pickles.tensors", "pickle", "case.pkl", pickles.pickles, reading.unpickled,
             needs="scipy"),
        _row("npyobj", "files.pickles.reader", "npy", "case.npy", pickles.npy_objects, reading.unpickled_npy),
        _row("stylenpy", "style", "npy", "case.npy", lambda: [files.npy(np.ones(16, "f4"))], reading.style_vector),
        _row("style", "style", "safetensors", "case.style.safetensors", lambda: [models.style()], reading.style),
        _row("model", "model.checkpoint", "safetensors", "case.safetensors", lambda: [models.model_files()[0]], reading.model),
        _row("stylereader", "model.style_reader", "safetensors", "case.safetensors", lambda: [models.model_files()[1]],
             reading.style_model),
        _row("baseline", "workshop.baselines.model", "safetensors", "case.safetensors", models.baselines, reading.baseline),
        _row("info_st", "cli.commands.info", "safetensors", "case.safetensors",
             lambda: [models.style(), *models.model_files()], reading.info),
        _row("pt", "released_weights.files files.pickles.scan", "checkpoint", "case.pt",
             lambda: [models.released()["style.pt"], models.released()["iter_7.pt"]], reading.checkpoint),
        _row("convert", "released_weights.convert", "checkpoint", "case.pt",
             lambda: [models.released()["style.pt"], models.released()["iter_7.pt"]], reading.converted,
             _files("audio_encoder_config.json"), needs="transformers"),
        _row("speechconfig", "released_weights.files", "json", "config.json",
             lambda: [models.released()["audio_encoder_config.json"]], reading.converted_with_config, _files("iter_7.pt"),
             needs="transformers"),
        _row("tfhp", "data.tfhp", "values", "data.mdb", lambda: [datasets.tfhp_values()["Ann/000/000"]],
             reading.tfhp_value("Ann/000/000")),
        _row("tfhpmeta", "data.tfhp", "values", "data.mdb", lambda: [datasets.tfhp_values()["metadata"]],
             reading.tfhp_value("metadata")),
        _row("lmdb", "data.lmdb_folder", "binary", "data.mdb", lambda: [datasets.lmdb_file()], reading.tfhp_folder, needs="lmdb"),
        _row("shards", "data.shards", "tar", _SHARD, lambda: [datasets.shards()[_SHARD]], reading.shard_folder),
        _row("shardsjson", "data.shards", "json", "dataset.json", lambda: [datasets.shards()["dataset.json"]],
             reading.shard_folder, lambda: {_SHARD: datasets.shards()[_SHARD]}),
        _row("corpusshard", "workshop.corpus.shards", "safetensors", "speech/s00000.safetensors",
             lambda: [datasets.corpus_shards()[0]], reading.corpus_shard,
             lambda: {"motion/s00000.safetensors": datasets.corpus_shards()[1]}),
        _row("corpusmotion", "workshop.corpus.shards", "safetensors", "motion/s00000.safetensors",
             lambda: [datasets.corpus_shards()[1]], reading.corpus_shard,
             lambda: {"speech/s00000.safetensors": datasets.corpus_shards()[0]}),
        _row("chstats", "data.channel_statistics", "json", "statistics.json", lambda: [datasets.channel_statistics()],
             reading.channel_statistics),
        _row("stats", "data.flame_statistics", "npz", "stats_train.npz", lambda: [datasets.flame_statistics()],
             reading.flame_statistics),
        _row("manifest", "data.report.manifest", "jsonl", "manifest.jsonl", lambda: [datasets.manifest()], reading.manifest),
        _row("identity", "head.identity", "npy", "case.npy", lambda: [files.npy(np.zeros(8))], reading.identity),
        _row("identityjson", "head.identity", "json", "case.json", lambda: [b"[0.1, 0.2, 0.3]"], reading.identity),
        _row("toml", "config", "toml", "case.toml", models.recipes, reading.recipe,
             lambda: {"style.toml": models.recipes()[2]}),
        _row("sound", "media.sound media.source media.timeline", "wav", "case.wav", media.sounds, reading.sound),
        _row("video", "media.pictures media.source", "binary", "case.mp4", media.videos, reading.video),
        _row("soundbytes", "media.memory", "wav", "case.wav", lambda: media.sounds()[:1], reading.sound_bytes),
        _row("indices", "workshop.evaluate.meshes.regions", "npy", "case.npy", lambda: [files.npy(np.arange(8))],
             reading.vertex_indices),
        _row("meshpair", "workshop.evaluate.meshes.sequences", "npz", "case.npz",
             lambda: [files.npz(vertices=np.ones((4, 6, 3), "f4"), fps=np.float32(25))], reading.mesh_pair),
        _row("protocol", "workshop.evaluate.protocol.toml_file", "toml", "case.toml", lambda: [files.protocol()],
             reading.protocol),
        _row("outputs", "workshop.evaluate.systems.vertex_files", "npz", "case.npz",
             lambda: [files.npz(vertices=0.1 * np.eye(4, 18, dtype="f4").reshape(4, 6, 3), fps=np.float32(25))],
             reading.output_vertices),
        _row("leaderboard", "workshop.evaluate.comparison.leaderboard", "csv", "case.csv",
             lambda: [b"system,commit,protocol,data,latency,by,bcs\na,1a2b3c4,0123456789ab,clips,offline,Ann,48.2\n"],
             reading.leaderboard),
        _row("text", "speech.transcript.reading speech.transcript.decoding", "text", "case.txt",
             lambda: ["\u201cAsk not\u201d".encode(each) for each in ("utf-8", "utf-16", "cp1252")], reading.transcript),
        _row("webvtt", "speech.transcript.captions", "text", "case.vtt",
             lambda: [b"WEBVTT\n\n00:00.200 --> 00:01.500\n<v Ann>Ask\nnot\n\n00:01.500 --> 00:03.000\nnot\nwhat\n"],
             reading.transcript),
        _row("phonelabels", "speech.transcript.labels speech.transcript.alphabets", "text", "case.lab",
             lambda: [b"0 1000000 hh\n1000000 2000000 ay\n", b"0 2000000 aI\n2000000 3000000 tS\n"], reading.transcript),
        _row("captions", "speech.transcript.captions", "text", "case.srt",
             lambda: [b"1\n00:00:00,200 --> 00:00:01,500\nAsk\n\n2\n00:00:02,000 --> 00:00:03,000\nnot\n"],
             reading.transcript),
        _row("wordtimes", "speech.transcript.reading", "json", "case.json",
             lambda: [b'{"segments": [{"words": [{"word": "ask", "start": 0.1, "end": 0.3}]}]}'], reading.transcript),
        _row("textgrid", "speech.transcript.reading speech.transcript.labels", "text", "case.TextGrid",
             lambda: [datasets.textgrid()], reading.transcript),
        _row("teacher", "workshop.corpus.teacher.teacher", "safetensors", "case.safetensors", lambda: [datasets.teacher()],
             reading.teacher),
        _row("facetracks", "workshop.corpus.teacher.footage", "npz", "case.npz",
             lambda: [files.npz(**{"a/gap": np.linspace(0, 0.1, 8)})], reading.face_tracks),
        _row("recordings", "workshop.corpus.recordings.layouts", "csv", "speech.tsv",
             lambda: [b"file\tspeaker\ttranscript\na.wav\tAnn\thello there\nb.wav\tBob\tgood day\n"], reading.recordings),
        _row("speakers", "workshop.footage.sources", "csv", "speakers.csv", lambda: [b"file,speaker\na.mp4,Ann\n"],
             reading.speakers),
        _row("cut", "workshop.footage.staging", "tar", "case.tar", lambda: [datasets.footage_cut()], reading.footage_cut),
        _row("facebundle", "cli.commands.assets", "zip", "face.task", lambda: [models.face_bundle()], reading.asset),
        _row("assetnpz", "cli.commands.assets", "npz", "case.npz",
             lambda: [heads.flame_mediapipe(), datasets.flame_statistics(), heads.flame_folder()["flame.npz"]], reading.asset),
        _row("assetpkl", "cli.commands.assets", "values", "case.pkl",
             lambda: [heads.flame_masks(), heads.flame_folder()["flame.pkl"]], reading.asset),
        _row("speechfolder", "cli.commands.assets", "json", "config.json",
             lambda: [b'{"model_type": "hubert", "num_hidden_layers": 2, "hidden_size": 16}'], reading.asset_folder,
             lambda: {"model.safetensors": models.style()}),
        _row("aperture", "workshop.evaluate.recordings.clips", "npz", "case.npz", lambda: [datasets.landmark_tracks()],
             reading.tracked_aperture),
        _row("reference", "workshop.evaluate.tracking", "npz", "case.npz", lambda: [datasets.landmark_tracks()],
             reading.tracking_reference),
        _row("log", "workshop.evaluate.plots.learning", "jsonl", "log.jsonl",
             lambda: [b'{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.4, "val_loss": 0.3}\n'], reading.training_log),
        _row("study", "workshop.study.study_file", "zip", "case.pyz", lambda: [studies.study_file()], reading.study_file),
        _row("studyplan", "workshop.study.plan", "json", "study.json", lambda: [studies.study().to_json().encode()],
             reading.study_plan),
        _row("studyanswers", "workshop.study.answers", "binary", "case.sqlite", lambda: [studies.answers()],
             reading.study_answers),
        _row("studytexts", "workshop.study.making.texts", "toml", "case.toml",
             lambda: [b'language = "de"\n[start]\nbegin = "Los"\n'], reading.study_texts),
    )
}  # fmt: skip
"""By name. Names are also those of the files in the folder of known faults."""
