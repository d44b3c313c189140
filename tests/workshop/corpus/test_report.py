"""The corpus report: its measures on motion whose answer is known, and the page of a small corpus made up here."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS, INDEX
from diffposetalk.cli import run
from diffposetalk.errors import DiffPoseTalkError, InputError, UsageError
from diffposetalk.head import load_head
from diffposetalk.motion import Motion
from diffposetalk.speech.transcript.phones import SYMBOLS, Phone
from diffposetalk.workshop.corpus import shards
from diffposetalk.workshop.corpus.motion.articulation import articulate
from diffposetalk.workshop.corpus.motion.manner import PRESETS, Manner
from diffposetalk.workshop.corpus.report import measures, page, page_path, write_report

pytest.importorskip("matplotlib", reason="matplotlib comes with the extra pages")

SENTENCES = (
    "sil:0.4 m aa' m ax b iy' t sil:0.7 f ay' v s uw' n ow' sil:0.8",
    "sil:0.3 w ah' n p ae' k sil:0.6 dh ax b oy' g ow' z hh ow' m sil:0.9",
)


def info(number: int) -> shards.SpeakerInfo:
    return shards.SpeakerInfo(f"s{number:05d}", f"made:voice<{number % 2}>", "en", (1.0, 1.0, 0.0), 1.0, 1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, say) -> Path:
    """Two speakers of two clips each, lively and calm, without any speech engine."""
    folder = tmp_path_factory.mktemp("made") / "corpus"
    for sub in ("speech", "motion"):
        (folder / sub).mkdir(parents=True)
    (folder / "corpus.json").write_text(json.dumps({"version": 1, "seed": 7}))
    for number, preset in enumerate(("lively", "calm")):
        sentences = [say(sentence, hz=110 + 60 * number) for sentence in SENTENCES]
        clips = [(speech.samples, phones, "words & <signs>") for speech, phones in sentences]
        shards.save_speech(folder, info(number), clips)
        rng = np.random.default_rng(number)
        motions = [articulate(speech, phones, PRESETS[preset], rng) for speech, phones in sentences]
        shards.save_motion(folder, info(number).speaker, PRESETS[preset].vector(), motions)
    return folder


@pytest.fixture(scope="module")
def takes(corpus) -> list[measures.Take]:
    opening = load_head("anny").lip_gap_basis().mean(1)
    return [measures.measure(clip, opening) for clip in shards.iter_clips(corpus)]


def changed(take: measures.Take, gap_mm: np.ndarray | None = None, **channels: np.ndarray) -> measures.Take:
    """The take with another lip gap, or with other curves for some channels or the ``head_pose``."""
    expression = take.motion.expression.copy()
    for name, curve in channels.items():
        if name != "head_pose":
            expression[:, INDEX[name]] = curve
    pose = channels.get("head_pose", take.motion.head_pose)
    motion = Motion(expression, CHANNELS, pose, take.motion.fps)
    return dataclasses.replace(take, motion=motion, gap_mm=take.gap_mm if gap_mm is None else gap_mm)


def test_lip_gap_is_that_of_the_head(takes):
    head = load_head("anny")
    exact = head.lip_gap(head.vertices(takes[0].motion.expression)) * 1e3
    assert np.corrcoef(takes[0].gap_mm, exact)[0, 1] > 0.995
    assert np.abs(takes[0].gap_mm - exact).max() < 1


def test_every_phone_has_a_group():
    groups = {measures.phone_group(Phone(symbol, 0, length)) for symbol in SYMBOLS for length in (0.1, 1.0)}
    assert groups == set(measures.GROUPS)


def test_articulated_speech_passes_what_should_hold(takes):
    bad = [check.what for check in measures.check(takes) if not check.good]
    assert set(bad) <= {
        "blinks per minute, mean over clips",  # in eight seconds
        "frames with eyes shut",
        "phones that never occur",
        "open vowels with sealed lips in their middle",  # all of them quick and beside p b m
    }
    counted = measures.count_closures(takes)
    assert counted.n_pressed == 12 and counted.share == 1.0
    assert measures.count_closures(takes, "p").n_pressed == 2


def test_faults_are_found(takes):
    def bad(what: str, *faulty: measures.Take) -> bool:
        return not next(check for check in measures.check(faulty) if check.what.startswith(what)).good

    take = takes[0]
    n = len(take.motion)
    assert bad("p b m with sealed", changed(take, gap_mm=np.full(n, 8.0)))
    assert bad("pauses", changed(take, gap_mm=np.full(n, 8.0)))
    assert bad("open vowels with sealed", changed(take, gap_mm=np.where(np.arange(n) == 0, 9.0, 0.0)))
    assert bad("expression weights outside", changed(take, jawOpen=np.full(n, 1.5)))
    assert bad("frames in which", changed(take, mouthPucker=np.ones(n)))
    assert bad("fastest mouth", changed(take, jawOpen=np.arange(n) % 2))
    assert bad("frames with eyes shut", changed(take, eyeBlinkLeft=np.ones(n), eyeBlinkRight=np.ones(n)))
    assert bad("median head speed", changed(take, head_pose=np.zeros((n, 3), np.float32)))
    assert bad("95th percentile of head speed", changed(take, head_pose=5 * take.motion.head_pose))
    assert bad("largest head angle", changed(take, head_pose=np.full((n, 3), 0.45, np.float32)))
    short = dataclasses.replace(changed(take), motion=take.motion.slice(0, n - 10), gap_mm=take.gap_mm[: n - 10])
    assert bad("largest difference of motion and sound", short)
    unstressed = tuple(dataclasses.replace(phone, stress=0) for phone in take.clip.phones)
    assert bad(
        "engines that mark no stress", dataclasses.replace(take, clip=dataclasses.replace(take.clip, phones=unstressed))
    )


def test_pauses_are_timed_from_their_start(takes):
    take = takes[0]
    pause = next(phone for phone in take.clip.phones[1:] if phone.symbol == "sil")
    assert pause.duration >= measures.PAUSE_S
    gap = np.where((take.times >= pause.start + 0.2) & (take.times < pause.end), 0.0, 5.0)
    first, *rest = measures.pause_closing_s([changed(take, gap_mm=gap)])
    assert first == pytest.approx(0.2, abs=0.041)
    assert rest == [np.inf]


def test_spectrum_of_a_swinging_head(takes):
    """A swing of 2 degrees at 1 Hz has its power of 2 in the bins around 1 Hz of its axis."""
    n = 500
    pose = np.zeros((n, 3), np.float32)
    pose[:, 1] = np.deg2rad(2) * np.sin(2 * np.pi * np.arange(n) / 25)
    motion = Motion(np.zeros((n, len(CHANNELS)), np.float32), CHANNELS, pose, 25.0)
    frequency, spectra = measures.head_spectrum([dataclasses.replace(takes[0], motion=motion)])
    assert spectra.shape == (1, 3, len(frequency))
    assert frequency[spectra[0, 1].argmax()] == pytest.approx(1, abs=0.1)
    assert (spectra[0, 1] ** 2).sum() * frequency[1] == pytest.approx(2, rel=0.1)
    assert spectra[0, [0, 2]].max() < 1e-6


def test_curves_around_events():
    curve, offsets = np.arange(100.0), np.array([-0.2, 0.0, 0.2])
    pieces = measures.around(curve, 25.0, [0.1, 1.0, 2.0, 3.9], offsets)
    assert pieces == pytest.approx(np.array([[20, 25, 30], [45, 50, 55]]))
    assert measures.around(curve, 25.0, [], offsets).shape == (0, 3)


def test_shown_clips_differ_in_manner(takes):
    shown = page.most_different(takes, 2)
    assert {take.clip.speaker.speaker for take in shown} == {"s00000", "s00001"}
    assert len(page.most_different(takes, 9)) == len(takes)


@pytest.fixture(scope="module")
def written(corpus, tmp_path_factory):
    from matplotlib.figure import Figure

    steps: list[tuple[float, float | None]] = []
    out = tmp_path_factory.mktemp("page") / "report.html"
    with pytest.MonkeyPatch.context() as patch:  # small and not laid out, which takes half the time
        patch.setattr(page.plots, "new_figure", lambda width, height: Figure(figsize=(width / 2, height / 2)))
        report = write_report(corpus, out, n_clips=1, n_films=0, progress=lambda *step: steps.append(step))
    return report, out.read_text(), steps


def test_page_holds_everything(written):
    report, text, steps = written
    assert report.films == report.notes == () and report.page.name == "report.html"
    for title in ("What should hold", "Voices", "Phones", "Manners", "Lips", "Timing", "Eyes", "Head", "Channels"):
        assert f"<h2>{title}</h2>" in text
    assert len(re.findall('<svg viewBox="0 0 [0-9. ]+" role="img" aria-label="', text)) == 10
    assert not re.search(r'(src|href)="(?!data:|#)', text) and "http" not in text
    assert "&lt;signs&gt;" in text and "<signs>" not in text
    done = [step[0] for step in steps]
    assert done == sorted(done) and steps[-1][0] == steps[-1][1]


def test_command_line_reports_on_what_is_there(corpus, written, monkeypatch, tmp_path, capsys):
    before = sorted(path.stat().st_mtime_ns for path in corpus.rglob("*"))
    made = []

    def stand_in(folder, out, progress=None):
        made.append((folder, Path(out)))
        return written[0]

    monkeypatch.setattr("diffposetalk.workshop.corpus.report.write_report", stand_in)
    assert run(["corpus", str(corpus), "--report", str(tmp_path / "r.html"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert made == [(str(corpus), tmp_path / "r.html")]
    assert {check["what"] for check in result["report"]["checks"]} == {check.what for check in written[0].checks}
    assert sorted(path.stat().st_mtime_ns for path in corpus.rglob("*")) == before


@pytest.mark.parametrize(
    ("folder", "out", "words", "code"),
    [
        ("nothing", "r.html", "no corpus here", 1),
        (None, "absent/r.html", "does not exist", 2),
        (None, "absent/deeper", "does not exist", 2),
        (None, "a.txt", "an .html file or a folder", 2),
    ],
)
def test_bad_requests_get_one_line(corpus, tmp_path, capsys, folder, out, words, code):
    (tmp_path / "a.txt").write_text("a file")
    where = str(corpus) if folder is None else str(tmp_path / folder)
    assert run(["corpus", where, "--report", str(tmp_path / out)]) == code
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_folders_get_an_index(tmp_path):
    assert page_path(tmp_path / "new") == tmp_path / "new" / "index.html"
    assert (tmp_path / "new").is_dir()
    assert page_path(tmp_path) == tmp_path / "index.html"
    with pytest.raises(UsageError, match="at least one speaker"):
        write_report(tmp_path, tmp_path / "r.html", n_speakers=0)


def test_speech_without_motion(say, tmp_path):
    speech, phones = say(SENTENCES[0])
    (tmp_path / "speech").mkdir()
    shards.save_speech(tmp_path, info(0), [(speech.samples, phones, "one"), (speech.samples, phones, "two")])
    report = write_report(tmp_path, tmp_path / "r.html")
    assert report.checks == () and "no motion yet" in report.notes[0]
    assert "no motion yet" in report.page.read_text()
    with pytest.raises(InputError, match="has no motion"):
        measures.measure(shards.load_shard(tmp_path, "s00000")[0], np.zeros(len(CHANNELS)))


def test_without_matplotlib(corpus, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(DiffPoseTalkError, match=r"diffposetalk\[pages\]"):
        write_report(corpus, tmp_path / "r.html")
    assert not list(tmp_path.iterdir())


def test_no_opengl_is_noted(takes, tmp_path, monkeypatch):
    def refuse(*_args, **_named):
        raise DiffPoseTalkError("cannot draw: no OpenGL")

    monkeypatch.setattr("diffposetalk.render.render_motion", refuse)
    notes: list[str] = []
    assert page._films(takes, tmp_path / "r.html", notes, lambda _k: None) == []
    assert notes == ["No films: cannot draw: no OpenGL"]


def test_films_lie_beside_the_page(takes, tmp_path, monkeypatch, gl):
    from diffposetalk.media import probe

    monkeypatch.setattr(page, "FILM_S", 0.4)
    notes: list[str] = []
    ((take, path),) = page._films(takes[:1], tmp_path / "r.html", notes, lambda _k: None)
    assert take is takes[0] and notes == []
    assert path == tmp_path / "r-s00000-000.mp4"
    assert probe(path).duration == pytest.approx(0.4, abs=0.1)


def test_manner_is_told_in_words(takes):
    words = page._manner_words(takes[0])
    assert words.startswith("Manner: ") and words.count(",") == 5
    assert all(word.split()[0] in Manner.ranges() for word in words.removeprefix("Manner: ").split(", "))
