"""From sound to motion: cost of the parts, by steps, samples and threads; the second core; a busy neighbour; a plain sampler.

Run from the project's root::

    python benchmarks/motion_speed.py                    # tables to the screen
    python benchmarks/motion_speed.py --before eb51d4d   # also an earlier commit, in turn
    python benchmarks/motion_speed.py --write            # tables into benchmarks/README.md

Every time is the least of several runs, taken in turn where they are compared, so that other work on the machine disturbs them
least. Processor seconds count the work of all threads; other work on the machine lengthens only the seconds of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from results import publish

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "src/diffposetalk/assets/sample.flac"
MARKS = ("<!-- motion: written by motion_speed.py --write -->", "<!-- end of motion -->")
SPEECH_S = 24.0
"""Seconds of speech that are made into motion."""
CHILD = """
import sys, time, json
import numpy as np
started = time.perf_counter(), time.process_time()
from diffposetalk.generate.talker import Talker
from diffposetalk.speech import Speech
talker = Talker.from_pretrained({model!r})
loaded = time.perf_counter() - started[0], time.process_time() - started[1]
one = Speech.load({sample!r})
samples = np.tile(one.samples, 10)[: round({seconds} * 16000)]
begin = time.perf_counter()
first = next(iter(talker.windows(Speech(samples, 16000))))
first_s = time.perf_counter() - begin
runs = []
for _ in range({repeats}):
    begin = time.perf_counter(), time.process_time()
    talker.generate_many(Speech(samples, 16000), {n_samples})
    runs.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
print(json.dumps(dict(wall=min(r[0] for r in runs), cpu=min(r[1] for r in runs), load=loaded, first=first_s)))
"""


def child(source: Path, model: str, threads: int, n_samples: int = 1, repeats: int = 3) -> dict[str, Any]:
    """Generate in a process of its own with so many threads; return its seconds."""
    code = CHILD.format(model=model, sample=str(SAMPLE), seconds=SPEECH_S, repeats=repeats, n_samples=n_samples)
    env = {**os.environ, "PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], env=env, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def least(runs: list[dict[str, Any]]) -> dict[str, float]:
    """Return the least of each number of several runs."""
    return {key: min(run[key] for run in runs) for key in ("wall", "cpu", "first")}


def threads(model: str, before: Path | None, rounds: int) -> list[dict[str, Any]]:
    """Compare one thread with two, one sample with four, and an earlier commit (one thread, one sample), in turn."""
    rows: dict[str, list[dict[str, Any]]] = {}
    sources = ([("before", before)] if before else []) + [("now", ROOT)]
    for _ in range(rounds):
        for name, source in sources:
            for n in (1, 2) if source == ROOT else (1,):
                for n_samples in (1, 4) if source == ROOT else (1,):
                    key = f"{name}, {n} thread{'s' * (n > 1)}, {n_samples} sample{'s' * (n_samples > 1)}"
                    rows.setdefault(key, []).append(child(source, model, n, n_samples, 3 if source == ROOT else 1))
    made = {key: SPEECH_S * (4 if "4 samples" in key else 1) for key in rows}
    return [{"what": key, **least(runs), "realtime": made[key] / least(runs)["wall"]} for key, runs in rows.items()]


def neighbour(model: str, rounds: int) -> list[dict[str, Any]]:
    """Generate alone and beside a process that keeps one core busy, in turn."""
    rows: dict[str, list[dict[str, Any]]] = {}
    for _ in range(rounds):
        for n in (1, 2):
            rows.setdefault(f"{n} thread{'s' * (n > 1)}, alone", []).append(child(ROOT, model, n, repeats=2))
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                rows.setdefault(f"{n} thread{'s' * (n > 1)}, a core is busy", []).append(
                    child(ROOT, model, n, repeats=2)
                )
            finally:
                busy.kill()
                busy.wait()
    return [{"what": key, **least(runs), "realtime": SPEECH_S / least(runs)["wall"]} for key, runs in rows.items()]


def cpu_of(work: Callable[[], Any], repeats: int = 5) -> float:
    """Return the least processor seconds of several runs, after one to warm up."""
    work()
    spent = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return min(spent)


def parts(model: str) -> dict[str, Any]:
    """Return the processor seconds of each part for `SPEECH_S` of speech, and how near a step comes to the processor's best."""
    from diffposetalk.diffusion.samplers import generators_of
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.networks import WindowInput
    from diffposetalk.speech import Speech, SpeechFile
    from diffposetalk.speech.activity import SpeechMeter

    talker = Talker.from_pretrained(model)
    one = Speech.load(SAMPLE)
    speech = Speech(np.tile(one.samples, 10)[: round(SPEECH_S * 16000)], 16000)
    config, rng = talker.model.config.denoiser, np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "speech.wav"
        speech.save(sound)
        decoding = cpu_of(lambda: list(SpeechFile(sound).blocks()))
    n_windows = int(np.ceil(SPEECH_S * 25 / config.window))
    denoiser = talker.model.denoiser
    inputs = WindowInput(normal(1, config.window, config.speech_dim), normal(1, config.style_dim))
    conditions = denoiser.prepare_sets(inputs, [(True, True)])
    x_n = normal(1, config.window, config.motion_dim)
    step = cpu_of(lambda: denoiser.predict_sets(x_n, 100, conditions), 30)
    prepare = cpu_of(lambda: denoiser.prepare_sets(inputs, [(True, True)]), 30)
    sampler = talker.sampler()
    window = cpu_of(lambda: sampler.sample(inputs.speech[0], config.window, None, generators_of(0, 1)), 10)
    whole = cpu_of(lambda: talker.generate(speech), 3)
    a = normal(1024, 1024)
    peak = 1024**3 / cpu_of(lambda: a @ a, 20)
    tokens, dim = 1 + config.context + config.window, config.dim
    products = config.n_layers * tokens * dim * (4 * dim + 2 * config.feed_forward_factor * dim + 2 * tokens)
    return {
        "rows": [
            ["decoding a wav file", decoding],
            ["telling speech from other sound", cpu_of(lambda: list(SpeechMeter(speech).blocks()), 3)],
            ["speech encoder", cpu_of(lambda: list(talker.model.speech_encoder.stream(speech.blocks())), 3)],
            ["sampling of all windows", window * n_windows],
            ["all", whole],
        ],
        "step_ms": step * 1e3,
        "prepare_ms": prepare * 1e3,
        "window_ms": window * 1e3,
        "share_of_peak": products / step / peak,
        "gmacs": products / step / 1e9,
    }


def by_steps(model: str) -> list[list[Any]]:
    """Return times real time (by processor seconds) for several numbers of steps."""
    from diffposetalk.generate.talker import Talker
    from diffposetalk.speech import Speech

    talker, one = Talker.from_pretrained(model), Speech.load(SAMPLE)
    rows = []
    for steps in (10, 5, 4, 2, 1):
        spent = cpu_of(lambda steps=steps: talker.generate(one, steps=steps), 3)
        rows.append([steps, one.duration / spent])
    return rows


def plain(model: str) -> dict[str, float]:
    """Compare one window of the model's own setting with a plain sampler of the same network, by torch.

    The plain sampler takes all steps of the schedule with three full evaluations each, and computes everything anew in every
    step, as the released code does.
    """
    import torch

    from diffposetalk.diffusion.samplers import generators_of
    from diffposetalk.generate.pretrained import model_path
    from diffposetalk.generate.talker import Talker
    from diffposetalk.model.checkpoint import load_model
    from diffposetalk.model.networks import WindowInput

    torch.set_num_threads(1)
    network = load_model(model_path(model)).denoiser
    talker, config = Talker.from_pretrained(model), network.config
    speech, style = torch.randn(3, config.window, config.speech_dim), torch.randn(3, config.style_dim)
    x_n, n_steps, n_timed = torch.randn(3, config.window, config.motion_dim), talker.schedule.n_steps, 20

    @torch.inference_mode()
    def some_steps() -> None:
        for n in range(n_timed, 0, -1):
            network(x_n, torch.full((3,), n), network.prepare(WindowInput(speech, style)))

    sampler = talker.sampler()
    ours = cpu_of(lambda: sampler.sample(speech[0].numpy(), config.window, None, generators_of(0, 1)), 10)
    theirs = cpu_of(some_steps, 3) * n_steps / n_timed
    return {"plain_s": theirs, "ours_s": ours, "times": theirs / ours}


def report(found: dict[str, Any]) -> str:
    """Lay the numbers out as Markdown."""
    from diffposetalk.workshop.evaluate.tables import table

    made, against = found["parts"], found["plain"]
    header = ["", "s by the clock", "processor s", "first window, s", "x real time"]

    def rows(of: list[dict[str, Any]]) -> list[list[Any]]:
        return [[row["what"], row["wall"], row["cpu"], row["first"], row["realtime"]] for row in of]

    return "\n".join(
        [
            f"{found['cpu']}, load before the run {found['load']:.1f}; model `{found['model']}`, {SPEECH_S:g} s of speech.",
            "",
            table(["part", "processor s"], made["rows"]),
            "",
            f"A step of one row takes {made['step_ms']:.2f} ms: {made['gmacs']:.0f} billion multiply-adds a second, "
            f"{made['share_of_peak']:.0%} of what a large matrix product reaches in the same run. What the steps of a window "
            f"share takes {made['prepare_ms']:.2f} ms, a whole window {made['window_ms']:.1f} ms.",
            "",
            table(["steps", "x real time, by processor s"], found["steps"]),
            "",
            table(header, rows(found["threads"])),
            "",
            table(header, rows(found["neighbour"])),
            "",
            f"A plain sampler of the same network (500 steps, three evaluations each, everything anew in every step) takes "
            f"{against['plain_s']:.1f} processor s a window, ours {against['ours_s'] * 1e3:.1f} ms: "
            f"**{against['times']:.0f} times less**.",
            "",
        ]
    )


def main() -> None:
    """Run everything."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="lite", help="bundled name or file (default: %(default)s)")
    options.add_argument("--before", metavar="COMMIT", help="an earlier commit to compare with")
    options.add_argument("--rounds", type=int, default=2, help="runs of each setting (default: %(default)s)")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    options.add_argument("--write", action="store_true", help="put the tables into benchmarks/README.md")
    chosen = options.parse_args()
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    found: dict[str, Any] = {"cpu": cpu, "load": os.getloadavg()[0], "model": chosen.model}
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before" if chosen.before else None
        if before:
            subprocess.run(["git", "worktree", "add", "-q", "--detach", before, chosen.before], cwd=ROOT, check=True)
        try:
            found["threads"] = threads(chosen.model, before, chosen.rounds)
        finally:
            if before:
                subprocess.run(["git", "worktree", "remove", "--force", before], cwd=ROOT, check=True)
    found["neighbour"] = neighbour(chosen.model, chosen.rounds)
    os.environ["OMP_NUM_THREADS"] = "1"
    found |= {"parts": parts(chosen.model), "steps": by_steps(chosen.model), "plain": plain(chosen.model)}
    publish(report(found), found, chosen.json, MARKS if chosen.write else None)


if __name__ == "__main__":
    main()
