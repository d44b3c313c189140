"""Web page that turns speech into video and curves; `python integrations/gradio/app.py` prints its address."""

from __future__ import annotations

import argparse
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from diffposetalk import DiffPoseTalkError, SpeechFile, Talker, export, load_head, render_motion
from diffposetalk.errors import DiffPoseTalkWarning
from diffposetalk.exchange import Scene

MOST_SECONDS = 600.0
"""Longest speech that the page accepts, seconds."""
CURVES = {
    "Live Link Face CSV (Unreal, Blender)": "_livelink.csv",
    "Audio2Face JSON": "_a2f.json",
    "Animated GLB": ".glb",
}
"""Label of an export format -> end of the file name."""

talker_of = cache(Talker.from_pretrained)
head_of = cache(load_head)


def perform(
    model: str,
    speech: str | None,
    style: str | None,
    reference: str | None,
    person: float | None,
    seed: float,
    speech_scale: float,
    style_scale: float,
    expression_scale: float,
    head_scale: float,
    curves: str,
    size: float = 512,
    progress: Any = None,
) -> tuple[str, str, str]:
    """Animate a recording.

    Args:
        model: the name of a bundled model, or a model file.
        speech: any sound or video file.
        style: name of a preset; None for the model's default.
        reference: a video, motion file or style file whose style is used instead.
        person: seed of the identity; None for the average person.
        seed: random seed; the same seed gives the same motion.
        speech_scale: guidance scale of the speech.
        style_scale: guidance scale of the style.
        expression_scale: amplitude of the expression.
        head_scale: amplitude of the head motion.
        curves: a key of `CURVES`.
        size: width and height of the video, pixels.
        progress: called with the share done and the current step.

    Returns:
        Paths of the video, the motion file and the curves, in a new folder.

    Raises:
        gr.Error: one line for the page, with the file names of the visitor.
    """
    report = progress or (lambda share, desc: None)

    def plain(message: object) -> str:
        for file in filter(None, (speech, reference)):
            message = str(message).replace(str(Path(file)), Path(file).name)
        return str(message)

    def share(first: float, last: float, what: str) -> Any:
        return lambda done, total=None, _what=None: report(
            first + (last - first) * done / (total or done or 1), desc=what
        )

    try:
        if not speech:
            raise DiffPoseTalkError("choose a recording first")
        with warnings.catch_warnings(record=True) as records:
            warnings.simplefilter("always", DiffPoseTalkWarning)
            recording, talker = SpeechFile(Path(speech), max_duration=MOST_SECONDS), talker_of(model)
            manner = talker.style(reference or style, progress=share(0, 0.2, "tracking the reference"))
            motion = talker.generate(
                recording,
                manner,
                seed=int(seed),
                speech_scale=speech_scale,
                style_scale=style_scale,
                expression_scale=expression_scale,
                head_scale=head_scale,
                progress=share(0.2, 0.4, "speaking"),
            )
        for warning in records:
            if issubclass(warning.category, DiffPoseTalkWarning):
                gr.Warning(plain(warning.message))
        place = Path(tempfile.mkdtemp(prefix="diffposetalk-")) / Path(speech).stem
        video, own, other = (place.with_name(place.name + end) for end in (".mp4", ".npz", CURVES[curves]))
        motion.save(own)
        head = head_of(motion.head)
        identity = None if person is None else head.draw_identity(int(person))
        export(motion, other, scene=Scene(head=head, identity=identity, speech=recording))
        drawing = share(0.4, 1, "rendering")
        render_motion(motion, head, video, speech=recording, size=int(size), identity=identity, progress=drawing)
    except DiffPoseTalkError as error:
        raise gr.Error(plain(error), print_exception=False) from None
    return str(video), str(own), str(other)


def build(model: str = "lite") -> gr.Blocks:
    """Build the page."""
    talker = talker_of(model)
    defaults = talker.model.config.sampling

    def animate(  # its parameters are the names of the page's API
        speech: str, style: str, reference: str, person: float, seed: float, speech_scale: float, style_scale: float,
        expression_scale: float, head_scale: float, curves: str, progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> tuple[str, str, str]:  # fmt: skip
        scales = (speech_scale, style_scale, expression_scale, head_scale)
        return perform(model, speech, style, reference, person, seed, *scales, curves, progress=progress)

    with gr.Blocks(title="DiffPoseTalk") as page:
        gr.Markdown("# DiffPoseTalk\nTurn speech into a talking 3D head. Every seed gives another performance.")
        with gr.Row():
            with gr.Column():
                speech = gr.Audio(type="filepath", label="Speech", sources=["upload", "microphone"])
                presets = list(talker.presets)
                style = gr.Dropdown(presets, value=presets[0] if presets else None, label="Manner of speaking")
                reference = gr.File(label="... or as in this video, motion or style file", type="filepath", height=130)
                with gr.Row():
                    person = gr.Number(None, label="Person: a seed, or empty for the average", precision=0, minimum=0)
                    seed = gr.Number(0, label="Seed of the performance", precision=0, minimum=0)
                with gr.Accordion("Amounts", open=True):
                    sliders = [
                        gr.Slider(0, 4, defaults.speech_scale, label="Speech: how strongly it drives the face"),
                        gr.Slider(0, 4, defaults.style_scale, label="Style: how strongly it shows"),
                        gr.Slider(0, 2, 1.0, label="Expression: amplitude of the face"),
                        gr.Slider(0, 2, 1.0, label="Head: amplitude; 0 holds it still"),
                    ]
                curves = gr.Dropdown(list(CURVES), value=next(iter(CURVES)), label="Curves for other programs")
                go = gr.Button("Animate", variant="primary")
            with gr.Column():
                outputs = [gr.Video(label="Video"), gr.File(label="Motion (.npz)"), gr.File(label="Curves")]
        go.click(animate, [speech, style, reference, person, seed, *sliders, curves], outputs, api_name="animate")
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lite", help="bundled name or file (default: lite)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for the whole network")
    parser.add_argument("--port", type=int, default=7860, help="(default: 7860)")
    args = parser.parse_args()
    build(args.model).queue(max_size=16).launch(server_name=args.host, server_port=args.port)
