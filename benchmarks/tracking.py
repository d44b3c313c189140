"""What tracking costs: seconds of looking for landmarks and of fitting per second of video.

Run from the project's root on an otherwise idle machine::

    python benchmarks/tracking.py talk.mp4 other.mp4                # free head
    python benchmarks/tracking.py talk.mp4 --head generic_model.pkl # FLAME

Processor time is counted as well as time by the clock: it is hardly disturbed by other work. `OMP_NUM_THREADS=1` keeps
the fit to one core.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from diffposetalk.head import load_head
from diffposetalk.track.camera import Pinhole
from diffposetalk.track.follow import follow_main_face
from diffposetalk.track.model import LandmarkModel
from diffposetalk.track.result import track_of


def measured(video: Path, model: LandmarkModel, landmarker: Path | None) -> dict[str, Any]:
    """Return frames, seconds of video, and seconds of looking and fitting, by the clock and of processors."""
    clock, processor = time.perf_counter(), time.process_time()
    followed = follow_main_face(video, landmarker)
    looked, looked_processor = time.perf_counter(), time.process_time()
    found = track_of(followed, model, Pinhole.of_size(followed.face.size))
    return {
        "frames": len(followed.face),
        "size": followed.face.size,
        "seconds": len(followed.face) / followed.face.fps,
        "fitted_seconds": found.quality.seconds,
        "look_s": looked - clock,
        "look_processor_s": looked_processor - processor,
        "fit_s": time.perf_counter() - looked,
        "fit_processor_s": time.process_time() - looked_processor,
    }


def main() -> None:
    """Measure, print a line for each video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--head", default="anny", help="head to fit")
    parser.add_argument("--landmarker", type=Path, help="MediaPipe's face_landmarker.task")
    parser.add_argument("--json", type=Path, help="write all numbers here")
    args = parser.parse_args()
    model = LandmarkModel.of_head(load_head(args.head))
    results = {}
    print("| video | frames | size | look: s per s of video (processor) | fit: s per s of video (processor) |")
    print("|---|---|---|---|---|")
    for video in args.videos:
        found = results[str(video)] = measured(video, model, args.landmarker)
        look, fit = (
            f"{found[f'{step}_s'] / found[length]:.2f} ({found[f'{step}_processor_s'] / found[length]:.2f})"
            for step, length in (("look", "seconds"), ("fit", "fitted_seconds"))
        )
        size = "x".join(map(str, found["size"]))
        print(f"| {video.stem} | {found['frames']} | {size} | {look} | {fit} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
