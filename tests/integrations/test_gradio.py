"""The Gradio page: its function with real files, and over HTTP as a browser would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffposetalk.motion import Motion

gr = pytest.importorskip("gradio", reason="needs gradio, which is no dependency of the package")
AMOUNTS = (1.5, 1.5, 1.0, 0.5)


@pytest.fixture(scope="module")
def app(integration: Callable[[str], Any]) -> Any:
    """The module of the integration."""
    return integration("gradio/app.py")


@pytest.fixture(scope="module")
def recording(speech: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of speech as a file."""
    path = tmp_path_factory.mktemp("speech") / "two seconds.wav"
    speech.save(path)
    return path


def test_a_recording_becomes_video_motion_and_curves(
    app: Any, recording: Path, tiny_model_path: Path, gl: None
) -> None:
    """Every kind of curves; a motion file as the manner of speaking; progress is told and ends at 1."""
    from diffposetalk.media import probe

    told: list[float] = []

    def progress(share: float, desc: str) -> None:
        told.append(share)

    reference = None
    for person, (curves, end) in zip((None, 2, 3), app.CURVES.items()):
        video, own, other = app.perform(
            str(tiny_model_path),
            str(recording),
            "lively",
            reference,
            person,
            3,
            *AMOUNTS,
            curves,
            size=64,
            progress=progress,
        )
        info = probe(Path(video))
        assert info.audio_codec and info.duration == pytest.approx(2, abs=0.1)
        assert len(Motion.load(own)) == 50 and other.endswith(end) and Path(other).stat().st_size > 1000
        reference = own
    assert told == sorted(told[: len(told) // 3]) * 3 and told[-1] == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"speech": None}, "choose a recording first"),
        ({"style": "cheerful"}, "no style 'cheerful'"),
        ({"seed": -1}, "seed"),
        ({"reference": __file__}, "test_gradio.py: cannot read a style from a '.py' file"),
    ],
)
def test_problems_are_one_line(
    app: Any, recording: Path, tiny_model_path: Path, given: dict[str, Any], words: str
) -> None:
    """What the page shows instead of a traceback."""
    usual = {
        "model": str(tiny_model_path),
        "speech": str(recording),
        "style": "neutral",
        "reference": None,
        "person": None,
        "seed": 0,
    }
    amounts = dict(zip(("speech_scale", "style_scale", "expression_scale", "head_scale"), AMOUNTS))
    with pytest.raises(gr.Error) as caught:
        app.perform(**usual | amounts | {"curves": next(iter(app.CURVES))} | given)
    assert words in caught.value.message and "\n" not in caught.value.message
    assert str(Path(__file__).parent) not in caught.value.message


def test_over_http(app: Any, recording: Path, tiny_model_path: Path, gl: None) -> None:
    """The page is served on this computer only, and its button's function answers with three files."""
    client = pytest.importorskip("gradio_client")
    pytest.importorskip("gradio_client.exceptions")
    page = app.build(str(tiny_model_path))
    _, address, _ = page.launch(server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
    try:
        speech = client.handle_file(str(recording))
        curves = next(iter(app.CURVES))
        visitor = client.Client(address, verbose=False)
        (about,) = visitor.view_api(return_format="dict")["named_endpoints"].values()
        names = [parameter["parameter_name"] for parameter in about["parameters"]]
        given = {"speech": speech, "style": "lively", "reference": None, "person": None, "seed": 3, "curves": curves}
        given |= dict(zip(("speech_scale", "style_scale", "expression_scale", "head_scale"), AMOUNTS))
        assert set(names) == set(given)
        answers = visitor.predict(**given, api_name="/animate")
        damaged = recording.with_name("damaged.wav")
        damaged.write_bytes(b"RIFF, but no sound")
        with pytest.raises(client.exceptions.AppError, match=r"damaged\.wav") as caught:
            visitor.predict(**given | {"speech": client.handle_file(str(damaged))}, api_name="/animate")
        assert "/" not in str(caught.value).replace("wave / ", "")
    finally:
        page.close()
    video, own, other = (answer["video"] if isinstance(answer, dict) else answer for answer in answers)
    assert Path(video).suffix == ".mp4" and len(Motion.load(own)) == 50 and Path(other).suffix == ".csv"


def test_it_is_thin(app: Any) -> None:
    """A wrapper, below 170 lines."""
    assert Path(app.__file__).read_text().count("\n") < 170
