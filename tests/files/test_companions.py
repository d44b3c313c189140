"""Files beside an output: a user's own file is never overwritten, ours of an earlier run is."""

from __future__ import annotations

import io
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.errors import UsageError
from diffposetalk.files.companions import check_companion, check_companions, is_ours, mark
from diffposetalk.media import probe, save_audio


def picture(suffix: str) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(buffer, "PNG" if suffix == ".png" else "JPEG")
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_marked_picture_is_the_same_picture(tmp_path: Path, suffix: str) -> None:
    from PIL import Image

    path = tmp_path / f"a{suffix}"
    path.write_bytes(picture(suffix))
    before = np.asarray(Image.open(path))
    assert not is_ours(path)
    mark(path)
    assert is_ours(path)
    image = Image.open(path)
    image.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(path)), before)


@pytest.mark.parametrize("n", [8000, 8001])
def test_a_marked_sound_is_the_same_sound(tmp_path: Path, n: int) -> None:
    path = tmp_path / "a.wav"
    save_audio(path, np.linspace(-0.5, 0.5, n))
    with wave.open(str(path)) as file:
        before = file.readframes(10**6)
    mark(path)
    assert is_ours(path)
    with wave.open(str(path)) as file:
        assert file.readframes(10**6) == before and file.getnframes() == n
    assert probe(path).duration == pytest.approx(n / 16000)
    assert int.from_bytes(path.read_bytes()[4:8], "little") == path.stat().st_size - 8


def test_a_format_without_notes_is_a_defect(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"")
    with pytest.raises(ValueError, match="mark"):
        mark(tmp_path / "a.xyz")


def test_only_ours_and_equal_files_may_be_replaced(tmp_path: Path) -> None:
    output, path, new = tmp_path / "talk.glb", tmp_path / "talk_rest.obj", tmp_path / "new.obj"
    new.write_text("v 0 0 0\n")
    assert check_companions(output, ["talk_rest.obj"]) == [path]
    path.write_text("v 1 1 1\n")
    with pytest.raises(UsageError, match=r"talk_rest\.obj: already exists"):
        check_companions(output, ["talk_rest.obj"])
    path.write_text("v 0 0 0\n")
    check_companion(output, path, new)
    mark(path)
    check_companions(output, ["talk_rest.obj"])
    path.unlink()
    path.mkdir()
    with pytest.raises(UsageError, match="already exists"):
        check_companions(output, ["talk_rest.obj"])


def test_links_and_pipes_are_not_ours(tmp_path: Path) -> None:
    (tmp_path / "real.obj").write_text("v 0 0 0\n")
    mark(tmp_path / "real.obj")
    (tmp_path / "talk_rest.obj").symlink_to("real.obj")
    with pytest.raises(UsageError):
        check_companions(tmp_path / "talk.pc2", ["talk_rest.obj"])
    os.mkfifo(tmp_path / "pipe.obj")
    assert not is_ours(tmp_path / "pipe.obj")
