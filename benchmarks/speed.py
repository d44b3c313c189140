"""How fast and how large: speech to motion, motion to video, memory of an hour against a minute.

Run from the project's root on an otherwise idle machine::

    python benchmarks/speed.py                       # tables to the screen
    python benchmarks/speed.py --json speed.json     # numbers to a file as well
    python benchmarks/speed.py --write               # tables into benchmarks/README.md

Speech is the bundled sample repeated to the length asked for. Every time is the best of ``--repeats`` runs after one
to warm up, so that other work on the machine disturbs it least. ``--untrained`` measures a model of the same size with
random weights where the bundled one is not there.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from results import publish

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src/diffposetalk/assets/sample.flac"
MARKS = ("<!-- results: written by speed.py --write -->", "<!-- end of results -->")
TARGET_REALTIME, TARGET_FPS, TARGET_GROWTH_MB = 8.0, 25.0, 200.0


def best_of(repeats: int, work: Callable[[], Any]) -> float:
    """Return the shortest of several runs of ``work``, seconds, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def write_speech(path: Path, seconds: float) -> None:
    """Write the sample, repeated to ``seconds``, as a 16 kHz wav file."""
    from diffposetalk.speech import Speech

    pcm = (Speech.load(SAMPLE).samples * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        left = round(seconds * 16000)
        while left > 0:
            file.writeframes(pcm[:left].tobytes())
            left -= len(pcm)


def untrained_model(path: Path) -> None:
    """Write a model of the bundled size with random weights and a neutral style, to measure speed and memory by."""
    import torch

    from diffposetalk.arkit import CHANNELS
    from diffposetalk.config import load_config
    from diffposetalk.model.checkpoint import Model, build_model, fingerprint
    from diffposetalk.motion import MotionSpace, Style
    from diffposetalk.workshop.train.lite.recipe import Recipe

    torch.manual_seed(0)
    recipe = load_config(Recipe, ROOT / "configs/lite.toml", ())
    channels = (*CHANNELS, "head_x", "head_y", "head_z")
    space = MotionSpace("anny", 25.0, channels, np.full(55, 0.1, np.float32), np.full(55, 0.1, np.float32))
    config = replace(recipe, name="untrained").model
    model = build_model(config, space)
    encoder = fingerprint(model.style_encoder)
    style = Style(np.ones(config.style_encoder.dim, np.float32), encoder, "none")
    Model(**{**model.__dict__, "presets": {"neutral": style}}).save(path)


def generation(model: str, seconds: float, repeats: int) -> dict[str, Any]:
    """Time speech to motion, end to end from a sound file, and its parts.

    Returns:
        Seconds for ``decoding`` the file, ``speech_encoder``, ``denoiser`` (sampling and all the rest), ``total``, and
        ``saving`` the motion; ``realtime`` = seconds of speech a second of ``total``; ``loading`` of the model once.
    """
    from diffposetalk.generate.talker import Talker
    from diffposetalk.speech import Speech, SpeechFile

    start = time.perf_counter()
    talker = Talker.from_pretrained(model)
    loading = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "speech.wav"
        write_speech(sound, seconds)
        speech = Speech.load(sound)
        decoding = best_of(repeats, lambda: Speech.load(sound))
        encoding = best_of(repeats, lambda: list(talker.model.speech_encoder.stream(speech.blocks())))
        total = best_of(repeats, lambda: talker.generate(SpeechFile(sound)))
        motion = talker.generate(speech)
        saving = best_of(repeats, lambda: motion.save(Path(folder) / "motion.npz"))
    return {
        "speech_s": seconds,
        "loading": loading,
        "decoding": decoding,
        "speech_encoder": encoding,
        "denoiser": total - decoding - encoding,
        "total": total,
        "saving": saving,
        "realtime": seconds / total,
    }


def sampling(model: str, seconds: float) -> list[dict[str, Any]]:
    """Time one minute or less of speech under several samplers, relative to the model's own setting."""
    from diffposetalk.generate.talker import Talker
    from diffposetalk.speech import Speech

    talker = Talker.from_pretrained(model)
    with tempfile.TemporaryDirectory() as folder:
        write_speech(Path(folder) / "speech.wav", seconds)
        speech = Speech.load(Path(folder) / "speech.wav")
    rows = []
    for name, options in (
        ("model's own", {}),
        ("dpmpp, 4 steps", {"steps": 4}),
        ("dpmpp, 20 steps", {"steps": 20}),
        ("ddim, 25 steps", {"sampler": "ddim", "steps": 25}),
        ("no guidance (both scales 1)", {"speech_scale": 1.0, "style_scale": 1.0}),
        ("ddpm, every step", {"sampler": "ddpm"}),
    ):
        length = 4.0 if options.get("sampler") == "ddpm" else seconds
        part = speech.slice(0, length)
        spent = best_of(1, lambda part=part, chosen=options: talker.generate(part, **chosen))
        rows.append({"sampler": name, "s_per_s": spent / length, "realtime": length / spent})
    return rows


def rendering(seconds: float, size: int, repeats: int) -> dict[str, Any]:
    """Time motion to an mp4 file of ``size`` x ``size`` pixels with sound, and drawing alone."""
    from diffposetalk.head import load_head
    from diffposetalk.render import Renderer, render_motion
    from diffposetalk.speech import Speech
    from diffposetalk.workshop.evaluate.generators import energy_follower

    head = load_head("anny")
    with tempfile.TemporaryDirectory() as folder:
        write_speech(Path(folder) / "speech.wav", seconds)
        speech = Speech.load(Path(folder) / "speech.wav")
        motion = energy_follower(speech)
        out = Path(folder) / "out.mp4"
        to_file = best_of(repeats, lambda: render_motion(motion, head, out, speech, size=size))
    chunks = list(head.iter_vertices(motion))
    vertices = best_of(repeats, lambda: list(head.iter_vertices(motion)))
    with Renderer(head.mesh(), size) as renderer:
        drawing = best_of(repeats, lambda: [renderer.draw(frame) for chunk in chunks for frame in chunk])
    n = len(motion)
    return {
        "size": size,
        "frames": n,
        "fps": n / to_file,
        "fps_drawing_alone": n / drawing,
        "fps_vertices_alone": n / vertices,
    }


def memory(model: str, lengths: tuple[float, ...]) -> list[dict[str, Any]]:
    """Animate speech of several lengths, each by the command line in a process of its own; measure its peak memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seconds in lengths:
            sound, out = Path(folder) / "speech.wav", Path(folder) / "motion.npz"
            write_speech(sound, seconds)
            command = [sys.executable, "-m", "diffposetalk", "animate", str(sound), "--model", model, "-o", str(out)]
            start = time.perf_counter()
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=os.environ
            )
            assert process.stderr is not None
            said = process.stderr.read()
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                sys.exit(f"{' '.join(command)} failed: {said.strip()[-500:]}")
            unit = 1 if sys.platform == "darwin" else 1024
            rows.append(
                {
                    "speech_s": seconds,
                    "peak_mb": usage.ru_maxrss * unit / 1e6,
                    "wall_s": time.perf_counter() - start,
                }
            )
    return rows


def machine() -> dict[str, Any]:
    """Describe where the numbers come from."""
    import torch

    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def report(found: dict[str, Any]) -> str:
    """Lay the numbers out as Markdown."""
    from diffposetalk.workshop.evaluate.command import table, verdict

    where = found["machine"]
    lines = [
        f"{where['cpu']}, {where['cores']} cores, {where['threads']} threads, torch {where['torch']}, "
        f"Python {where['python']}; load before the run {where['load_before']:.1f}; model `{found['model']}`.",
        "",
    ]
    if "generation" in found:
        made = found["generation"]
        parts = ("decoding", "speech_encoder", "denoiser", "total")
        rows = [[p.replace("_", " "), made[p], f"{made[p] / made['total']:.0%}"] for p in parts]
        lines += [
            f"**Speech to motion**, {made['speech_s']:g} s of speech: **{made['realtime']:.1f}x real time** "
            f"(target {TARGET_REALTIME:g}x: {verdict(made['realtime'] >= TARGET_REALTIME)}). Loading the model "
            f"{made['loading']:.2f} s and saving the motion {made['saving']:.2f} s come on top, once.",
            "",
            table(["part", "seconds", "share"], rows),
            "",
        ]
    if "sampling" in found:
        own = found["sampling"][0]["s_per_s"]
        rows = [[r["sampler"], r["s_per_s"], r["realtime"], r["s_per_s"] / own] for r in found["sampling"]]
        header = ["sampler", "s a second of speech", "times real time", "relative to own"]
        lines += ["**Samplers**", "", table(header, rows), ""]
    if "rendering" in found:
        made = found["rendering"]
        lines += [
            f"**Motion to mp4 with sound** at {made['size']}x{made['size']}: **{made['fps']:.1f} frames/s** "
            f"(target {TARGET_FPS:g}: {verdict(made['fps'] >= TARGET_FPS)}); drawing alone "
            f"{made['fps_drawing_alone']:.1f}, vertices alone {made['fps_vertices_alone']:.1f}.",
            "",
        ]
    if "memory" in found:
        rows = [[f"{r['speech_s'] / 60:g} min", r["peak_mb"], r["wall_s"]] for r in found["memory"]]
        growth = found["memory"][-1]["peak_mb"] - found["memory"][0]["peak_mb"]
        lines += [
            f"**Memory** of `animate SPEECH -o motion.npz`: the longest needs **{growth:.0f} MB** more than "
            f"the shortest (target {TARGET_GROWTH_MB:g} MB: {verdict(growth <= TARGET_GROWTH_MB)}).",
            "",
            table(["speech", "peak MB", "wall s"], rows),
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    """Run the benchmarks named on the command line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="*", default=[], help="generation, sampling, rendering, memory; default: all")
    options.add_argument("--model", default="lite", help="bundled name or file (default: %(default)s)")
    options.add_argument("--untrained", action="store_true", help="random weights of the bundled size")
    options.add_argument("--seconds", type=float, default=60.0, help="speech for generation (default: %(default)s)")
    options.add_argument("--size", type=int, default=512, help="side of the video, pixels (default: %(default)s)")
    options.add_argument("--minutes", type=float, default=60.0, help="longest speech for memory (default: %(default)s)")
    options.add_argument("--repeats", type=int, default=3, help="runs of which the best counts (default: %(default)s)")
    options.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the numbers there too")
    options.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    chosen = options.parse_args()
    every = ("generation", "sampling", "rendering", "memory")
    what = chosen.what or every
    for name in what:
        if name not in every:
            options.error(f"no benchmark {name!r}: choose from {', '.join(every)}")
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.model
        if chosen.untrained:
            model = str(Path(folder) / "untrained.safetensors")
            untrained_model(Path(model))
        found: dict[str, Any] = {}
        if "memory" in what:  # first: the system counts this process's own size as a child's smallest peak
            found["memory"] = memory(model, (60.0, chosen.minutes * 60))
        found |= {"machine": machine(), "model": "untrained" if chosen.untrained else model}
        if "generation" in what:
            found["generation"] = generation(model, chosen.seconds, chosen.repeats)
        if "sampling" in what:
            found["sampling"] = sampling(model, min(chosen.seconds, 20.0))
        if "rendering" in what:
            found["rendering"] = rendering(10.0, chosen.size, min(chosen.repeats, 2))
    publish(report(found), found, chosen.json, MARKS if chosen.write else None)


if __name__ == "__main__":
    main()
