"""What short commands cost: processor seconds and peak memory of a process, now and at an earlier commit, in turn.

python benchmarks/startup.py
python benchmarks/startup.py --before v0.0.9

Two seconds of the bundled sample are animated, and their motion exported. Each command runs in a process of its own, now
and before in turn, so that other work on the machine meets both; the least of several runs counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "import torch": [],
    "--help": ["--help"],
    "info talk.npz": ["info", "talk.npz"],
    "export to .csv": ["export", "talk.npz", "-o", "talk.csv"],
    "export to .csv, --fps 30": ["export", "talk.npz", "--fps", "30", "-o", "talk.csv"],
    "export to .glb": ["export", "talk.npz", "-o", "talk.glb"],
    "animate to .npz": ["animate", "talk.wav", "-o", "new.npz"],
    "animate to .mp4": ["animate", "talk.wav", "-o", "new.mp4"],
}
PROCESS = """
import resource, sys
words = sys.argv[1:]
if words:
    from diffposetalk.cli import run
    assert run(words) == 0
else:
    import torch
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def cost(source: Path, words: list[str], folder: Path) -> tuple[float, float]:
    """Return processor seconds and peak megabytes of one process that imports the package from a folder."""
    environment = os.environ | {"PYTHONPATH": str(source)}
    command = [sys.executable, "-c", PROCESS, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr.strip().splitlines()[-1]}")
    seconds, megabytes = done.stderr.split()[-2:]
    return float(seconds), float(megabytes)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="also measure this commit, and print ratios")
    parser.add_argument("--runs", type=int, default=4, metavar="N", help="runs of each (default: 4)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [ROOT / "src"]
        if args.before:
            subprocess.run(
                ["git", "-C", ROOT, "worktree", "add", "-q", "--detach", folder / "old", args.before], check=True
            )
            sources.append(folder / "old" / "src")
        try:
            _print(sources, folder, args.runs)
        finally:
            if args.before:
                subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", folder / "old"], check=True)


def _print(sources: list[Path], folder: Path, runs: int) -> None:
    make = (
        "from diffposetalk.speech import Speech; import sys; Speech.load(sys.argv[1]).slice(3, 5).save('talk.wav')\n"
        "from diffposetalk.cli import run; run(['animate', 'talk.wav', '-o', 'talk.npz', '-o', 'warm.mp4'])"
    )
    sample = ROOT / "src" / "diffposetalk" / "assets" / "sample.flac"
    environment = os.environ | {"PYTHONPATH": str(sources[0])}
    subprocess.run([sys.executable, "-c", make, sample], cwd=folder, env=environment, check=True, capture_output=True)
    before = " before: s | MB | ratio of s |" if len(sources) > 1 else ""
    print(f"| command | processor s | MB |{before}\n|---|---|---|{'---|---|---|' if before else ''}")
    for title, words in COMMANDS.items():
        costs = [[cost(source, words, folder) for source in sources] for _ in range(runs)]
        least = [[min(run[i][k] for run in costs) for k in (0, 1)] for i in range(len(sources))]
        cells = [f"{seconds:.2f} | {megabytes:.0f}" for seconds, megabytes in least]
        if len(sources) > 1:
            cells.append(f"{least[1][0] / least[0][0]:.2f}")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
