"""The page about a data set: right numbers, no request to a network, every rejected second counted once."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.cli import run
from diffposetalk.data.clip import Clip
from diffposetalk.data.report import page as page_module
from diffposetalk.data.report.manifest import read_manifest
from diffposetalk.data.report.page import opening, write_page
from diffposetalk.data.report.plots import histogram
from diffposetalk.data.report.survey import Histogram, survey
from diffposetalk.data.shards import write_shards
from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.motion import Motion
from diffposetalk.pages import svg
from diffposetalk.speech import Speech

pytest.importorskip("matplotlib", reason="matplotlib comes with the extra pages")

VOID = {"meta"}


class Outline(HTMLParser):
    """Checks that tags close in order; collects texts and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "xlink:href", "poster")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def outline(path: Path) -> Outline:
    parser = Outline()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser


def arkit_clip(name: str, seconds: float, jaw: float, n_blinks: int = 0) -> Clip:
    n = round(25 * seconds)
    weights = np.zeros((n, len(CHANNELS)), np.float32)
    weights[:, CHANNELS.index("jawOpen")] = jaw
    for k in range(n_blinks):
        at = (k + 1) * n // (n_blinks + 1)
        for side in ("Left", "Right"):
            weights[at : at + 3, CHANNELS.index(f"eyeBlink{side}")] = 1
    head = np.zeros((n, 3))
    head[:, 1] = np.deg2rad(10) * np.sin(np.arange(n) / 3)
    sound = Speech((0.1 * np.sin(np.arange(n * 640) * 0.1)).astype(np.float32))
    return Clip(sound, Motion(weights, CHANNELS, head, 25.0), np.zeros(4), name.partition("/")[0], name)


@pytest.fixture
def shards(tmp_path) -> Path:
    clips = [
        arkit_clip("A<b>/one", 4, 0.1, n_blinks=2),
        arkit_clip("A<b>/two", 2, 0.3),
        arkit_clip("Bea/one", 3, 0.5),
        arkit_clip("Cem/one", 3, 0.2),
    ]
    path = tmp_path / "set"
    write_shards(clips, path, lambda name: {"Bea/one": "val", "Cem/one": "test"}.get(name, "train"))
    return path


MANIFEST = [
    {"video": "a.mp4", "kind": "video", "status": "used", "start_s": 0, "end_s": 30, "notes": ["3 cuts"]},
    {"video": "a.mp4", "kind": "take", "status": "used", "start_s": 0, "end_s": 12},
    {"video": "a.mp4", "kind": "clip", "status": "used", "start_s": 0, "end_s": 6, "clip": "A/one"},
    {"video": "a.mp4", "kind": "stretch", "status": "rejected", "start_s": 6, "end_s": 12, "reason": "silence", "why": "x"},
    {"video": "a.mp4", "kind": "take", "status": "rejected", "start_s": 12, "end_s": 24, "reason": "music", "why": "m"},
    {"video": "a.mp4", "kind": "stretch", "status": "rejected", "start_s": 12, "end_s": 24, "reason": "music", "why": "m"},
    {"video": "a.mp4", "kind": "take", "status": "rejected", "start_s": 29, "end_s": 30, "reason": "too short", "why": "s"},
    {"video": "a.mp4", "kind": "stretch", "status": "rejected", "start_s": 24, "end_s": 29, "reason": "no face", "why": "f"},
    {"video": "b.mp4", "kind": "video", "status": "rejected", "start_s": 0, "end_s": 5, "reason": "music", "why": "all of it"},
    {"video": "b.mp4", "kind": "take", "status": "rejected", "start_s": 0, "end_s": 5, "reason": "music", "why": "<b>loud</b>"},
    {"video": "c.mp4", "kind": "video", "status": "rejected", "reason": "damaged", "why": "no header"},
]  # fmt: skip


def write_manifest(folder: Path) -> None:
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in MANIFEST))


def test_survey_measures_every_frame(shards):
    data = survey(shards, n_samples=1)
    assert (data.layout, data.head, data.fps, data.splits) == ("shards", "anny", 25.0, ("train", "val", "test"))
    assert data.hours == pytest.approx(12 / 3600)
    rows = {row.name: row for row in data.rows}
    assert rows["A<b>/one"].blinks_per_minute == pytest.approx(30)
    assert rows["A<b>/two"].blinks_per_minute is None
    assert rows["Bea/one"].level_db == pytest.approx(-23, abs=0.1)
    assert rows["Cem/one"].head_spread_deg == pytest.approx((0, 7.1, 0), abs=0.2)
    jaw = data.channels["jaw open"]
    assert jaw["train"].counts.sum() == 150
    assert jaw["train"].percentile(50) == pytest.approx(0.1, abs=0.002)
    assert jaw["val"].percentile(50) == pytest.approx(0.5, abs=0.002)
    assert data.channels["head yaw"]["test"].percentile(95) == pytest.approx(10, abs=0.5)
    assert [split for split, _ in data.samples] == ["train", "val", "test"]


def test_samples_are_of_different_speakers_where_there_are(shards):
    names = [(split, clip.name) for split, clip in survey(shards, n_samples=2).samples]
    assert sorted(names) == [("test", "Cem/one"), ("train", "A<b>/one"), ("train", "A<b>/two"), ("val", "Bea/one")]
    assert survey(shards, n_samples=0).samples == ()


def test_tfhp_is_surveyed_too(tfhp):
    data = survey(tfhp, n_samples=3)
    assert (data.layout, data.head) == ("tfhp", "flame")
    assert {split: sum(row.split == split for row in data.rows) for split in data.splits} == {
        "train": 3,
        "val": 1,
        "test": 1,
    }
    assert {"exp_00", "jaw opening", "head pitch"} <= set(data.channels)
    assert sorted(clip.name for split, clip in data.samples if split == "train") == ["Ann/000", "Ann/001", "Bob/000"]


def test_histograms_count_what_lies_beyond_their_ends():
    values = Histogram(0, 1, counts=np.zeros(100, np.int64))
    values.add(np.array([-5, 0.5, 0.5, 7]))
    assert (values.counts[0], values.counts[50], values.counts[-1]) == (1, 2, 1)
    assert values.percentile(50) == pytest.approx(0.505)
    assert np.isnan(Histogram(0, 1).percentile(50))


def test_each_second_is_rejected_once(tmp_path):
    assert read_manifest(tmp_path) is None
    write_manifest(tmp_path)
    manifest = read_manifest(tmp_path)
    assert (manifest.videos, manifest.used_videos) == (3, 1)
    assert [(part.video, part.kind, part.reason, part.seconds) for part in manifest.rejected] == [
        ("a.mp4", "stretch", "silence", 6),
        ("a.mp4", "stretch", "music", 12),
        ("a.mp4", "take", "too short", 1),
        ("a.mp4", "stretch", "no face", 5),
        ("b.mp4", "take", "music", 5),
        ("c.mp4", "video", "damaged", 0),
    ]
    assert manifest.notes == (("a.mp4", "3 cuts"),)


def test_other_manifests_are_ignored_and_damaged_ones_refused(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"speaker": "s00001", "clips": 4}\n')
    assert read_manifest(tmp_path) is None
    path.write_text(json.dumps(MANIFEST[0]) + "\n{broken\n")
    with pytest.raises(InputError, match=r"manifest\.jsonl: line 2: not a readable row of a manifest"):
        read_manifest(tmp_path)


def test_page_shows_the_data_set_and_requests_nothing(shards, tmp_path, monkeypatch):
    def cannot(*_):
        raise DiffPoseTalkError("there is no OpenGL")

    monkeypatch.setattr(page_module, "_filmed", cannot)
    write_manifest(shards)
    written = write_page(shards, tmp_path / "page.html", n_clips=1)
    assert (written.clips, written.films) == (4, 0)
    assert written.notes == ("Clips are shown without a picture: there is no OpenGL",)
    page = outline(tmp_path / "page.html")
    text = " ".join(page.texts)
    for words in ("12 s", "3 speakers", "1 of 3", "silence 1 6 s", "music 2 17 s", "<b>loud</b>", "A<b>", "3 cuts"):
        assert words in re.sub(r"\s+", " ", text), words
    assert page.tags.count("audio") == 3
    assert page.addresses
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert not re.search(r"(https?:)?//[a-z]", "".join(line for line in page.texts if "data:" not in line))


def test_command_writes_a_page_of_tfhp(tfhp, tmp_path, capsys):
    out = tmp_path / "tfhp.html"
    assert run(["dataset", "show", str(tfhp), "-o", str(out), "--clips", "0", "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["clips"], result["films"]) == (5, 0)
    assert "jaw opening" in outline(out).texts
    assert run(["dataset", "show", str(tmp_path), "-o", str(out)]) == 1
    assert "neither a TFHP folder" in capsys.readouterr().err
    assert run(["dataset", "show", str(tfhp), "-o", str(tmp_path / "page.txt")]) == 2


def test_clips_are_filmed(shards, tmp_path, monkeypatch):
    from diffposetalk.media import read_frames

    monkeypatch.setattr(page_module, "FILM_S", 0.4)
    monkeypatch.setattr(page_module, "FILM_SIZE", 64)
    written = write_page(shards, tmp_path / "page.html", n_clips=1)
    if written.notes:
        pytest.skip(f"needs OpenGL: {written.notes[0]}")
    assert written.films == 3
    page = outline(tmp_path / "page.html")
    films = [address for address in page.addresses if address.startswith("data:video/mp4;base64,")]
    assert len(films) == 3
    (tmp_path / "film.mp4").write_bytes(base64.b64decode(films[1].partition(",")[2]))
    frames = [frame for _, frame in read_frames(tmp_path / "film.mp4")]
    assert len(frames) == 10
    assert frames[0].std() > 10


def test_opening_of_every_kind_of_head(clips):
    name, unit, curve = opening(clips[0].motion)
    assert (name, unit) == ("jaw opening", "degrees")
    np.testing.assert_allclose(curve, np.maximum(0, np.rad2deg(clips[0].motion.jaw_pose[:, 0])))
    name, unit, curve = opening(arkit_clip("A/one", 1, 0.5).motion)
    assert (name, unit) == ("lip opening", "mm")
    assert 5 < curve[0] < 40
    few = Motion(np.full((4, 1), 0.3), ("jawOpen",), np.zeros((4, 3)), 25.0, head="other")
    assert opening(few)[0] == "jawOpen"


def test_bars_are_where_the_values_are():
    counts = np.zeros(60, np.int64)
    counts[[15, 45]] = 4, 1
    values = Histogram(0, 60, " s", counts)
    figure = histogram(values, square_root=True)
    bars = [bar for bar in figure.axes[0].patches if bar.get_height() > 0]
    assert [bar.get_x() for bar in bars] == pytest.approx([15, 45])
    assert bars[1].get_height() == pytest.approx(bars[0].get_height() / 2)
    drawing = svg(figure, "lengths")
    assert "<title>15 to 16 s: 4</title>" in drawing
    assert "<title>50th percentile: 15.5 s</title>" in drawing
    assert 'aria-label="lengths"' in drawing
