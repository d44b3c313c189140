"""TFHP data sets: round trips, crops across segments, forks, and every way a file can be wrong."""

from __future__ import annotations

import os
import pickle
import pickletools
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffposetalk.data import lmdb_folder as store
from diffposetalk.data.clip import Clip
from diffposetalk.data.coefficients import NAMES, Coefficients
from diffposetalk.data.tfhp import FRAME_SAMPLES, TfhpReader
from diffposetalk.data.tfhp_write import portable_pickle, write_tfhp
from diffposetalk.errors import InputError, UsageError
from diffposetalk.files.pickles import unpickle
from diffposetalk.media import decode_bytes, flac_bytes
from diffposetalk.motion import Motion
from diffposetalk.speech import Speech


def test_round_trip_is_exact(clips: list[Clip], reader: TfhpReader) -> None:
    assert reader.seg_len == 20
    assert list(reader.videos) == sorted(clip.name for clip in clips)
    assert reader.widths == {"shape": 12, "exp": 10, "pose": 6}
    for clip in clips:
        back = reader.clip(clip.name)
        np.testing.assert_array_equal(back.speech.samples, clip.speech.samples)
        np.testing.assert_array_equal(back.identity, clip.identity)
        assert back.identity_frames is None
        assert back.speaker == clip.speaker
        for name in ("expression", "head_pose", "jaw_pose"):
            np.testing.assert_array_equal(getattr(back.motion, name), getattr(clip.motion, name))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_crop(tfhp: Path, data: st.DataObject) -> None:
    reader = TfhpReader(tfhp)
    video = data.draw(st.sampled_from(reader.videos))
    start = data.draw(st.integers(0, reader.n_frames(video) - 1))
    stop = data.draw(st.integers(start + 1, reader.n_frames(video)))
    whole, samples = reader.read(video)
    part, sound = reader.read(video, start, stop)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[start:stop])
    np.testing.assert_array_equal(sound, samples[start * FRAME_SAMPLES : stop * FRAME_SAMPLES])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=9000))
def test_flac_keeps_16_bits(values: list[int]) -> None:
    samples = np.array(values, np.float32) / 32768
    rate, back = decode_bytes(flac_bytes(samples), "memory")
    assert rate == 16000
    np.testing.assert_array_equal(back, samples)


def test_written_again_from_the_reference(reference: Path, tmp_path: Path) -> None:
    reader = TfhpReader(reference / "lmdb")
    write_tfhp((reader.clip(video) for video in reader.videos), tmp_path / "set", 40, {"train": reader.split("train")})
    again = TfhpReader(tmp_path / "set")
    assert again.split("train") == reader.split("train")
    assert set(again.split("keys")) == set(reader.split("keys"))
    for video in reader.videos:
        (one, sound), (other, same) = reader.read(video), again.read(video)
        np.testing.assert_array_equal(sound, same)
        for name in NAMES:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_files_say_what_the_layout_says(tfhp: Path) -> None:
    assert sorted(path.name for path in tfhp.iterdir()) == sorted(
        ["data.mdb", "keys.txt", "train.txt", "val.txt", "test.txt", "stats_train.npz"]
    )
    store.close(tfhp)
    with lmdb.open(str(tfhp), readonly=True, lock=False) as env, env.begin() as transaction:
        value = pickle.loads(transaction.get(b"Ann/000/003"))
        assert pickle.loads(transaction.get(b"Ann/000/metadata")) == {"n_frames": 61}
    assert {name: array.shape for name, array in value["coef"].items()} == {
        "shape": (1, 12), "exp": (1, 10), "pose": (1, 6),
    }  # fmt: skip
    assert value["audio"][:4] == b"fLaC"


def test_pickles_name_nothing_but_old_numpy() -> None:
    value = {"audio": b"cnumpy._core.multiarray\n", "coef": {"exp": np.arange(6, dtype=np.float32).reshape(2, 3)}}
    data = portable_pickle(value)
    names = {str(argument) for code, argument, _ in pickletools.genops(data) if code.name == "GLOBAL"}
    assert names <= {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype", "_codecs encode"}
    back = unpickle(data, "memory")
    assert back["audio"] == value["audio"]
    np.testing.assert_array_equal(back["coef"]["exp"], value["coef"]["exp"])


def test_stereo_is_mixed_down(tfhp: Path, tmp_path: Path) -> None:
    import io

    import av

    left, right = (np.random.default_rng(i).integers(-8000, 8000, 20 * FRAME_SAMPLES, np.int16) for i in range(2))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16000)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.stack([left, right], 1).reshape(1, -1), "s16", "stereo")
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    path = changed(tfhp, tmp_path, "Ann/000/000", lambda value: value | {"audio": buffer.getvalue()})
    samples = TfhpReader(path).speech("Ann/000", 0, 20).samples
    np.testing.assert_allclose(samples, (left.astype(np.float32) + right) / 65536, atol=1e-7)


def test_reads_in_forked_children(reader: TfhpReader) -> None:
    expected = reader.coefficients("Dot/000").exp  # opens the file in the parent
    read_end, write_end = os.pipe()
    for _ in range(2):
        child = os.fork()
        if child == 0:
            good = (reader.coefficients("Dot/000").exp == expected).all()
            good &= (TfhpReader(reader.path).coefficients("Dot/000").exp == expected).all()
            os.write(write_end, b"1" if good else b"0")
            os._exit(0)
        os.waitpid(child, 0)
    os.close(write_end)
    assert os.read(read_end, 9) == b"11"
    np.testing.assert_array_equal(reader.coefficients("Dot/000").exp, expected)
    assert pickle.loads(pickle.dumps(reader)).n_frames("Dot/000") == 90


def changed(source: Path, folder: Path, key: str, change: Callable[[Any], Any] | bytes | None) -> Path:
    """Return a copy of a data set with one value changed, replaced by bytes, or (None) removed."""
    path = folder / "changed"
    shutil.copytree(source, path)
    with lmdb.open(str(path), map_size=1 << 27) as env, env.begin(write=True) as transaction:
        if change is None:
            transaction.delete(key.encode())
        else:
            old = unpickle(transaction.get(key.encode()), key)
            data = change if isinstance(change, bytes) else portable_pickle(change(old))
            transaction.put(key.encode(), data)
    return path


class Evil:
    """Runs a command when unpickled the careless way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_malicious_value_is_refused_unrun(tfhp: Path, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    evil = pickle.dumps({"audio": b"", "coef": Evil(mark)})
    path = changed(tfhp, tmp_path, "Ann/000/001", evil)
    with pytest.raises(InputError, match=r"data\.mdb: Ann/000/001.*system.*refused"):
        TfhpReader(path).coefficients("Ann/000")
    assert not mark.exists()


def _coef(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Any], Any]:
    return lambda value: value | {"coef": value["coef"] | {name: change(value["coef"][name])}}


BROKEN: list[tuple[str, Callable[[Any], Any] | bytes | None, str]] = [
    ("metadata", None, "metadata: this key is missing; is this a TFHP data set"),
    ("metadata", lambda value: {"seg_len": 0}, "metadata: 'seg_len' must be a whole number above 0, got 0"),
    ("metadata", lambda value: [20], "metadata: holds a list, not a dictionary"),
    ("Ann/000/metadata", lambda value: {}, "Ann/000/metadata: 'n_frames' must be a whole number above 0, got None"),
    ("Ann/000/metadata", lambda value: {"n_frames": 64}, r"Ann/000/003: 'shape' is \(1, 12\), not the \(4, 12\)"),
    ("Ann/000/001", None, "Ann/000/001: this key is missing"),
    ("Ann/000/001", b"no pickle", "Ann/000/001: is not a whole pickle"),
    ("Ann/000/001", lambda value: {"coef": value["coef"]}, r"Ann/000/001: a segment must hold 'audio' \(bytes\)"),
    ("Ann/000/001", lambda value: value | {"audio": b"fLaC" + bytes(50)}, "Ann/000/001: its sound cannot be decoded"),
    ("Ann/000/001", lambda value: value | {"audio": value["audio"][:9000]}, "Ann/000/001: its sound"),
    (
        "Ann/000/001",
        lambda value: value | {"audio": flac_bytes(np.zeros(18 * FRAME_SAMPLES))},
        "Ann/000/001: its sound lasts 0.720 s, its motion 0.800 s",
    ),
    (
        "Ann/000/001",
        lambda value: value | {"audio": flac_bytes(np.zeros(20 * FRAME_SAMPLES), 22050)},
        "Ann/000/001: its sound has 22050 Hz",
    ),
    ("Ann/000/001", _coef("exp", lambda a: a[:, :5]), r"Ann/000/001: 'exp' is \(20, 5\), not the \(20, 10\)"),
    ("Ann/000/001", _coef("pose", lambda a: a[:, :4]), r"Ann/000/001: 'pose' is \(20, 4\), not the \(20, 6\)"),
    ("Ann/000/001", _coef("shape", lambda a: a[:19]), r"Ann/000/001: 'shape' is \(19, 12\), not the \(20, 12\)"),
    ("Ann/000/001", _coef("exp", lambda a: a * np.nan), "Ann/000/001: 'exp' has numbers that are not finite"),
    ("Ann/000/001", _coef("exp", lambda a: a.astype("S4")), "Ann/000/001: 'coef' must hold 'exp'"),
]


@pytest.mark.parametrize(("key", "change", "message"), BROKEN)
def test_broken_values_are_named(
    tfhp: Path, tmp_path: Path, key: str, change: Callable[[Any], Any] | bytes | None, message: str
) -> None:
    reader = TfhpReader(changed(tfhp, tmp_path, key, change))
    with pytest.raises(InputError, match=message) as caught:
        _ = reader.widths
        reader.read("Ann/000")
    assert "\n" not in str(caught.value)
    assert str(reader.path / "data.mdb") in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.2, 0.5, 0.9, 0.999])
def test_truncated_files_are_refused(tfhp: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "short"
    shutil.copytree(tfhp, path)
    data = path / "data.mdb"
    os.truncate(data, int(data.stat().st_size * share))
    with pytest.raises(InputError, match=r"data\.mdb: (is truncated|not an LMDB file|is empty)"):
        _ = TfhpReader(path).videos


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no LMDB folder here"):
        _ = TfhpReader(tmp_path).seg_len
    (tmp_path / "data.mdb").write_bytes(b"SQLite format 3\0" * 1000)
    with pytest.raises(InputError, match="not an LMDB file"):
        _ = TfhpReader(tmp_path / "data.mdb").seg_len
    (tmp_path / "data.mdb").unlink()
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as transaction:
        transaction.put(b"pictures", b"1")
    with pytest.raises(InputError, match="is this a TFHP data set"):
        _ = TfhpReader(tmp_path).seg_len
    with pytest.raises(InputError, match="holds no videos"):
        _ = TfhpReader(tmp_path).videos


def test_splits_name_what_is_there(tfhp: Path, tmp_path: Path) -> None:
    path = tmp_path / "set"
    shutil.copytree(tfhp, path)
    reader = TfhpReader(path)
    with pytest.raises(InputError, match=r"trial\.txt: no such split file"):
        reader.split("trial")
    (path / "val.txt").write_text("Cem/007\nEve/000\n")
    with pytest.raises(InputError, match=r"val\.txt: names the video 'Eve/000'"):
        reader.split("val")
    (path / "val.txt").write_text("\n")
    with pytest.raises(InputError, match=r"val\.txt: names no videos"):
        reader.split("val")


def test_a_file_replaced_is_read_anew(clips: list[Clip], tmp_path: Path) -> None:
    path = tmp_path / "set"
    write_tfhp(clips[:1], path)
    assert TfhpReader(path).videos == ("Ann/000",)
    shutil.rmtree(path)
    write_tfhp(clips[1:2], path)
    assert TfhpReader(path).videos == ("Ann/001",)


def test_a_failed_write_leaves_nothing(clips: list[Clip], tmp_path: Path) -> None:
    wrong = replace(clips[1], motion=replace(clips[1].motion, head="anny"))
    with pytest.raises(InputError, match=r"'anny'.*'flame'"):
        write_tfhp([clips[0], wrong], tmp_path / "set")
    with pytest.raises(InputError, match="two clips have this name"):
        write_tfhp([clips[0], clips[0]], tmp_path / "set")
    with pytest.raises(InputError, match="<speaker>/<video>"):
        write_tfhp([replace(clips[0], name="Ann 0")], tmp_path / "set")
    with pytest.raises(InputError, match="no clips"):
        write_tfhp([], tmp_path / "set")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="does not exist"):
        write_tfhp(clips, tmp_path / "deep" / "set")
    write_tfhp(clips, tmp_path / "set")
    with pytest.raises(UsageError, match="already exists"):
        write_tfhp(clips, tmp_path / "set")


def test_an_interrupted_job_goes_on(clips: list[Clip], tmp_path: Path) -> None:
    def stopping() -> Any:
        yield from clips[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tfhp(stopping(), tmp_path / "set", 20, job="test")
    assert not (tmp_path / "set").exists()
    written = write_tfhp(clips, tmp_path / "set", 20, job="test")
    assert written.videos == len(clips)
    reader = TfhpReader(tmp_path / "set")
    for clip in clips:
        np.testing.assert_array_equal(reader.speech(clip.name).samples, clip.speech.samples)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_a_file_grows_as_needed(tmp_path: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diffposetalk.data.tfhp_write._FIRST_MAP", 1 << 16)
    write_tfhp(clips, tmp_path / "set")
    assert len(TfhpReader(tmp_path / "set").videos) == len(clips)


def test_clips_are_brought_to_the_layouts_rates(clips: list[Clip], tmp_path: Path) -> None:
    clip = clips[0]
    other = Clip(clip.speech.resampled(22050), clip.motion.resampled(50), clip.identity, "Ann", "Ann/000")
    write_tfhp([other], tmp_path / "set")
    back = TfhpReader(tmp_path / "set").clip("Ann/000")
    assert len(back.motion) == len(clip.motion)
    assert len(back.speech) == len(clip.motion) * FRAME_SAMPLES


def test_clip_refuses_what_does_not_fit(clips: list[Clip]) -> None:
    clip = clips[0]
    with pytest.raises(InputError, match=r"clip Ann/000: its speech lasts 2\.000 s but its motion 2\.440 s"):
        replace(clip, speech=clip.speech.slice(0, 2))
    replace(clip, speech=Speech(clip.speech.samples[:-FRAME_SAMPLES]))  # one frame is let pass
    with pytest.raises(InputError, match=r"identity must be \(I,\)"):
        replace(clip, identity=np.zeros((2, 3)))
    with pytest.raises(InputError, match="identity_frames must be"):
        replace(clip, identity_frames=np.zeros((2, 12)))
    with pytest.raises(InputError, match="not finite"):
        replace(clip, identity=np.full(3, np.nan))


def test_coefficients_of_a_motion_without_jaw() -> None:
    motion = Motion(np.ones((4, 2)), ("exp_00", "exp_01"), np.ones((4, 3)), 25.0, "flame")
    coefficients = Coefficients.of_motion(motion, np.zeros(3, np.float32))
    assert coefficients.pose.tolist() == [[1, 1, 1, 0, 0, 0]] * 4
    assert coefficients.shape.shape == (4, 3)
