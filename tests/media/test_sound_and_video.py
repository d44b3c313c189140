"""Sound and video in and out."""

from __future__ import annotations

import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError
from diffposetalk.media import VideoWriter, audio_blocks, decode_bytes, flac_bytes, probe, read_frames, save_audio
from diffposetalk.speech import Speech


def tone(seconds: float, rate: int, hz: float = 440.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, rate: int, codec: str, sample_format: str, layout: str) -> None:
    """Write `(channels, n)` samples with any codec."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout, stream.format = layout, sample_format
        packed = samples if sample_format.endswith("p") else samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(packed), sample_format, layout)
        frame.sample_rate, frame.pts = rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_sound_comes_back_as_written(tmp_path: Path, suffix: str) -> None:
    samples = tone(1.3, 16000)
    save_audio(tmp_path / f"a{suffix}", samples)
    back = np.concatenate(list(audio_blocks(tmp_path / f"a{suffix}")))
    assert back.dtype == np.float32
    assert back.shape == samples.shape
    assert np.abs(back - samples).max() < 1e-4


@pytest.mark.parametrize(
    ("codec", "sample_format", "layout", "suffix"),
    [
        ("pcm_s16le", "s16", "stereo", ".wav"),
        ("pcm_f32le", "flt", "5.1", ".wav"),
        ("pcm_u8", "u8", "mono", ".wav"),
        ("pcm_s32le", "s32", "stereo", ".mkv"),
        ("aac", "fltp", "stereo", ".m4a"),
    ],
)
def test_any_layout_and_depth_is_mixed_down_to_its_level(
    tmp_path: Path, codec: str, sample_format: str, layout: str, suffix: str
) -> None:
    rate = 44100
    n = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    wave = np.stack([tone(1.0, rate)] * n)
    if sample_format == "u8":
        wave = np.round(wave * 127 + 128).astype(np.uint8)
    elif sample_format.startswith("s"):
        dtype = np.int16 if sample_format == "s16" else np.int32
        wave = (wave * np.iinfo(dtype).max * 0.9999).astype(dtype)
    path = tmp_path / f"a{suffix}"
    write_sound(path, wave, rate, codec, sample_format, layout)
    back = np.concatenate(list(audio_blocks(path)))
    assert abs(len(back) - 16000) <= 700  # AAC pads to whole frames
    level = np.sqrt(2 * (back[2000:14000].astype(np.float64) ** 2).mean())
    assert level == pytest.approx(0.5, rel=0.02)


def test_blocks_are_of_the_asked_length_and_do_not_depend_on_it(sample_path: Path) -> None:
    short = list(audio_blocks(sample_path, 22050, 0.1))
    assert {len(block) for block in short[:-1]} == {2205}
    assert 0 < len(short[-1]) <= 2205
    np.testing.assert_array_equal(np.concatenate(short), np.concatenate(list(audio_blocks(sample_path, 22050, 3.0))))


def test_resampling_keeps_time(tmp_path: Path) -> None:
    click = np.zeros(48000, np.float32)
    click[24000] = 0.9
    save_audio(tmp_path / "click.wav", click, 48000)
    back = np.concatenate(list(audio_blocks(tmp_path / "click.wav")))
    assert len(back) == 16000
    assert np.argmax(np.abs(back)) == 8000


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    def peak(seconds: int) -> int:
        path = tmp_path / f"{seconds}.wav"
        save_audio(path, np.tile(tone(1.0, 8000), seconds), 8000)
        tracemalloc.start()
        n = sum(len(block) for block in audio_blocks(path))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert n == seconds * 16000
        return most

    peak(2)
    assert peak(200) < peak(20) + 200_000


def test_probe_says_what_the_header_says(sample_path: Path) -> None:
    info = probe(sample_path)
    assert (info.container, info.audio_codec, info.sample_rate, info.channels) == ("flac", "flac", 16000, 1)
    assert info.video_codec is None
    assert info.duration == pytest.approx(10.84)


def frames(n: int, size: int = 64) -> list[np.ndarray]:
    pictures = []
    for i in range(n):
        picture = np.full((size, size, 3), (30, 60, 200), np.uint8)
        picture[:, : 2 * i] = (220, 180, 40)
        pictures.append(picture)
    return pictures


def test_video_comes_back_with_its_sound_in_step(tmp_path: Path) -> None:
    sound = np.zeros(32000, np.float32)
    sound[16000:16800] = tone(0.05, 16000, 1000)
    with VideoWriter(tmp_path / "v.mp4", audio=Speech(sound).blocks(0.3)) as video:
        for picture in frames(25):
            video.write(picture)
        for picture in frames(25):
            video.write(255 - picture)
    info = probe(tmp_path / "v.mp4")
    assert (info.video_codec, info.audio_codec, info.fps) == ("h264", "aac", 25.0)
    back = list(read_frames(tmp_path / "v.mp4"))
    assert len(back) == 50
    np.testing.assert_allclose([time for time, _ in back], np.arange(50) / 25, atol=1e-3)
    assert np.abs(back[10][1][32, 40].astype(int) - (30, 60, 200)).max() < 12
    sound = np.concatenate(list(audio_blocks(tmp_path / "v.mp4")))
    assert abs(len(sound) - 32000) < 1100
    onset = np.flatnonzero(np.abs(sound) > 0.1)[0] / 16000
    assert onset == pytest.approx(1.0, abs=0.005)


def test_sound_is_cut_where_the_pictures_end(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "v.mp4", audio=iter([tone(10.0, 16000)])) as video:
        for picture in frames(25):
            video.write(picture)
    assert probe(tmp_path / "v.mp4").duration == pytest.approx(1.0, abs=0.07)


def test_same_pictures_give_the_same_video(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):  # x264 codes the same pictures in more than one way, so bytes may differ
        with VideoWriter(tmp_path / name, audio=iter([tone(1.0, 16000)])) as video:
            for picture in frames(25):
                video.write(picture)
    for (_, ours), (_, theirs) in zip(read_frames(tmp_path / "a.mp4"), read_frames(tmp_path / "b.mp4"), strict=True):
        assert np.abs(ours.astype(int) - theirs).mean() < 0.5
    for ours, theirs in zip(audio_blocks(tmp_path / "a.mp4"), audio_blocks(tmp_path / "b.mp4"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_neither_file_nor_traces(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "v.mp4").write_bytes(b"before")
    with pytest.raises(error), VideoWriter(tmp_path / "v.mp4", audio=iter([tone(1.0, 16000)])) as video:
        video.write(frames(1)[0])
        raise error
    assert (tmp_path / "v.mp4").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_sound_that_cannot_be_read_stops_the_video(tmp_path: Path) -> None:
    sound = audio_blocks(tmp_path / "none.wav")
    with pytest.raises(InputError, match="no such file"), VideoWriter(tmp_path / "v.mp4", audio=sound) as video:
        video.write(frames(1)[0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "picture", [np.zeros((63, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.float32)]
)
def test_pictures_of_a_wrong_kind_are_refused(tmp_path: Path, picture: np.ndarray) -> None:
    with pytest.raises(InputError, match="even H and W"), VideoWriter(tmp_path / "v.mp4") as video:
        video.write(picture)


def test_a_video_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no picture was written"), VideoWriter(tmp_path / "v.mp4"):
        pass
    assert not list(tmp_path.iterdir())


LIMITED = """
import resource, sys
import numpy as np
from diffposetalk.errors import DiffPoseTalkError
from diffposetalk.media import VideoWriter, save_audio
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
noise = np.random.default_rng(0).integers(0, 255, (30, 128, 128, 3), dtype=np.uint8)
try:
    if sys.argv[1].endswith(".mp4"):
        with VideoWriter(sys.argv[1]) as video:
            for picture in noise:
                video.write(picture)
    else:
        save_audio(sys.argv[1], np.random.default_rng(0).uniform(-1, 1, 100000))
except DiffPoseTalkError as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("name", ["v.mp4", "a.wav", "a.flac"])
def test_a_disk_that_refuses_is_one_clear_line(tmp_path: Path, name: str) -> None:
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / name)], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"{name}: could not be written" in done.stdout
    assert not list(tmp_path.iterdir())


def test_real_files_are_read_whole(shared: Path) -> None:
    for path in [*sorted((shared / "speech").glob("*.flac")), *sorted((shared / "clips").glob("*.m*"))]:
        stated = probe(path).duration
        seconds = sum(len(block) for block in audio_blocks(path)) / 16000
        assert stated is not None
        assert seconds == pytest.approx(stated, abs=0.06), path.name


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DiffPoseTalkError, match=r"\.wav or \.flac"):
        save_audio(tmp_path / "a.mp3", tone(0.1, 16000))


@pytest.mark.parametrize("mark", [0, 90, 180, 270])
def test_pictures_of_phones_come_upright(tmp_path: Path, mark: int) -> None:
    import av

    upright = np.zeros((96, 128, 3), np.uint8)
    upright[:48, :64, 0] = upright[:48, 64:, 1] = upright[48:, :64, 2] = 255
    stored = np.ascontiguousarray(np.rot90(upright, -mark // 90))
    with av.open(str(tmp_path / "phone.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        if not hasattr(stream, "set_display_rotation"):
            pytest.skip("this PyAV cannot mark a video as turned")
        stream.height, stream.width, stream.pix_fmt = *stored.shape[:2], "yuv444p"
        stream.set_display_rotation(mark)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    (_, picture), *_ = read_frames(tmp_path / "phone.mp4")
    assert picture.shape == upright.shape
    assert np.abs(picture.astype(int) - upright).mean() < 10


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        ("mp4", "libx264", {"g": "100", "bf": "3"}),
        ("mkv", "libx264", {"g": "250"}),
        ("ts", "libx264", {"g": "60"}),  # has no index: seeking goes past the first picture
        ("mpg", "mpeg2video", {"g": "30", "bf": "2"}),
        ("avi", "mpeg4", {"g": "50"}),
        ("webm", "libvpx-vp9", {"g": "128"}),
    ],
)
def test_a_part_has_the_pictures_of_the_whole(tmp_path: Path, suffix: str, codec: str, options: dict[str, str]) -> None:
    import av

    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, width=64, height=64, options=options)
        for i in range(200):
            picture = np.full((64, 64, 3), i, np.uint8)
            picture[:8] = 255 - i
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    whole = list(read_frames(path))
    assert len(whole) == 200
    for start, stop in ((0.0, 0.3), (0.2, 0.5), (3.1, 4.0), (7.5, 99.0), (99.0, 100.0)):
        part, expected = (
            list(read_frames(path, start, stop)),
            [frame for frame in whole if start - 1e-6 <= frame[0] < stop],
        )
        assert [time for time, _ in part] == [time for time, _ in expected]
        assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(part, expected, strict=True))


@pytest.mark.parametrize("rate", [16000, 48000])
def test_sound_from_a_time_on(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    save_audio(path, tone(3.3, rate), rate)
    whole = np.concatenate(list(audio_blocks(path)))
    for start in (0.0, 0.4, 1.0, 2.713):
        blocks = list(audio_blocks(path, block_s=0.5, start_s=start))
        assert np.array_equal(np.concatenate(blocks), whole[round(start * 16000) :])
        assert all(len(block) == 8000 for block in blocks[:-1])
    assert not list(audio_blocks(path, start_s=9.0))


def test_sound_in_memory_has_a_limit(monkeypatch):
    data = flac_bytes(np.zeros(400_000, np.float32))
    assert len(data) < 20_000
    monkeypatch.setenv("DIFFPOSETALK_MAX_BYTES", "1000000")
    with pytest.raises(InputError, match=r"^take\.flac: .*limit of 1\.0 MB") as error:
        decode_bytes(data, "take.flac")
    assert "\n" not in str(error.value)
    monkeypatch.setenv("DIFFPOSETALK_MAX_BYTES", "4000000")
    assert decode_bytes(data, "take.flac")[1].shape == (400_000,)
