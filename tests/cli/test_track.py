"""`diffposetalk track` answers wrong requests with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.cli import run


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nothing.mp4", "-o", "{out}/m.npz"], 1, "no such file"),
        (["{out}/text.mp4", "-o", "{out}/m.npz"], 1, "is not a sound or video file"),
        (["x.mp4", "-o", "{out}/m.mp3"], 2, "cannot write '.mp3'"),
        (["x.mp4", "-o", "{out}/m.npz", "--overlay", "{out}/o.avi"], 2, "cannot write '.avi'"),
        (["x.mp4", "-o", "{out}/m.npz", "--fov", "300"], 2, "between 1 and 150"),
        (["x.mp4", "-o", "{out}/m.npz", "--start", "-1"], 2, "between 0 and"),
        (["x.mp4"], 2, "-o"),
    ],
)
def test_wrong_requests(
    words: list[str], code: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    assert run(["track", *(word.format(out=tmp_path) for word in words)]) == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "m.npz").exists()


def test_sound_alone_is_refused(sample_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["track", str(sample_path), "-o", str(tmp_path / "m.npz")]) == 1
    assert "no moving pictures" in capsys.readouterr().err
