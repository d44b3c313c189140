"""A page in the browser: speech in, video and curves out: `python integrations/gradio/app.py` prints its address."""

from __future__ import annotations

import argparse
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from diffposetalk import DiffPoseTalkError, SpeechFile, Talker, load_head, render_motion
from diffposetalk.exchange import Scene, export, load_motion

MOST_SECONDS = 600.0
"""Longest speech that the page takes."""
CURVES = {
    "Live Link Face CSV (Unreal, Blender)": "_livelink.csv",
    "Audio2Face JSON": "_a2f.json",
    "Animated GLB": ".glb",
}
"""What is offered beside video and motion: label to the end of the file's name, which tells the format."""


@cache
def talker_of(model: str) -> Talker:
    """Load a model once."""
    return Talker.from_pretrained(model)


@cache
def head_of(name: str) -> Any:
    """Load a head once."""
    return load_head(name)


def perform(
    model: str,
    speech_path: str | None,
    style: str,
    reference: str | None,
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
        model: bundled name, or a file.
        speech_path: any sound or video file.
        style: name of a preset.
        reference: a motion file whose manner of speaking is used instead: ours, Live Link Face CSV, Audio2Face JSON, ...
        seed: same seed, same motion.
        speech_scale: how strongly the speech drives the face.
        style_scale: how strongly the style colours it.
        expression_scale: amplitude of the face.
        head_scale: amplitude of the head.
        curves: a key of `CURVES`.
        size: side of the video, pixels.
        progress: called with a share and what is being done.

    Returns:
        Paths of the video, of our motion file and of the curves, in a new folder.

    Raises:
        gr.Error: one line that the page shows.
    """
    say = progress or (lambda share, desc: None)
    try:
        if not speech_path:
            raise DiffPoseTalkError("choose a recording first")
        speech, talker = SpeechFile(Path(speech_path), max_duration=MOST_SECONDS), talker_of(model)
        say(0.05, desc="speaking")
        motion = talker.generate(
            speech,
            style=load_motion(reference) if reference else style,
            seed=int(seed),
            speech_scale=speech_scale,
            style_scale=style_scale,
            expression_scale=expression_scale,
            head_scale=head_scale,
        )
        place = Path(tempfile.mkdtemp(prefix="diffposetalk-")) / Path(speech_path).stem
        video, own, other = (place.with_name(place.name + end) for end in (".mp4", ".npz", CURVES[curves]))
        motion.save(own)
        head = head_of(motion.head)
        export(motion, other, scene=Scene(head=head, speech=speech))

        def drawn(n_done: float, n_frames: float | None) -> None:
            say(0.4 + 0.6 * n_done / (n_frames or n_done), desc="rendering")

        render_motion(motion, head, video, speech=speech, size=int(size), progress=drawn)
    except DiffPoseTalkError as error:
        raise gr.Error(str(error), print_exception=False) from None
    return str(video), str(own), str(other)


def build(model: str = "lite") -> gr.Blocks:
    """Lay out the page."""
    talker = talker_of(model)
    usual = talker.model.config.sampling

    def run(*values: Any, progress: gr.Progress = gr.Progress()) -> tuple[str, str, str]:  # noqa: B008 (Gradio's way)
        return perform(model, *values, progress=progress)

    with gr.Blocks(title="DiffPoseTalk") as page:
        gr.Markdown("# DiffPoseTalk\nSpeech in, talking 3D head out. Every seed is another performance.")
        with gr.Row():
            with gr.Column():
                speech = gr.Audio(type="filepath", label="Speech", sources=["upload", "microphone"])
                style = gr.Dropdown(list(talker.presets), value=talker.presets[0], label="Manner of speaking")
                reference = gr.File(label="... or as in this motion (.npz, .csv, .json)", type="filepath", height=130)
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
                with gr.Accordion("Amounts", open=True):
                    sliders = [
                        gr.Slider(0, 4, usual.speech_scale, label="Speech: how strongly it drives the face"),
                        gr.Slider(0, 4, usual.style_scale, label="Style: how strongly it shows"),
                        gr.Slider(0, 2, 1.0, label="Expression: amplitude of the face"),
                        gr.Slider(0, 2, 1.0, label="Head: amplitude, 0 holds it still"),
                    ]
                curves = gr.Dropdown(list(CURVES), value=next(iter(CURVES)), label="Curves for other programs")
                go = gr.Button("Animate", variant="primary")
            with gr.Column():
                outputs = [gr.Video(label="Video"), gr.File(label="Motion (.npz)"), gr.File(label="Curves")]
        go.click(run, [speech, style, reference, seed, *sliders, curves], outputs, api_name="animate")
    return page


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="lite", help="bundled name or file (lite)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for the whole network")
    parser.add_argument("--port", type=int, default=7860)
    args = parser.parse_args()
    build(args.model).queue(max_size=16).launch(server_name=args.host, server_port=args.port)
