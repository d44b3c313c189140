"""Read damaged files with each reader and say what came of it.

python -m tests.fuzz                         ten minutes a reader
python -m tests.fuzz --seconds 20 glb npz    of two readers
python -m tests.fuzz --read glb FILE         one file again, with the whole traceback
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .campaign import campaign
from .readers import READERS


def main() -> int:
    """Run the campaigns; return the number of readers with hits."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"default: all of {', '.join(READERS)}")
    parser.add_argument("--seconds", type=float, default=600.0, help="for each reader (default: 600)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the damage (default: the time)")
    parser.add_argument("-o", "--output", type=Path, default=Path("fuzz-hits"), help="folder for files that are hits")
    parser.add_argument("--read", action="store_true", help="read a file: the second word, by the reader of the first")
    args = parser.parse_args()
    if args.read:
        name, path = args.readers
        print(READERS[name].read(Path(path)))
        return 0
    bad = 0
    for name in args.readers or READERS:
        if not READERS[name].usable:
            print(f"{name}: skipped, needs {' '.join(READERS[name].needs)}")
            continue
        tally = campaign(READERS[name], args.seconds, seed=args.seed)
        print(f"{name}: {tally.cases} cases, {dict(tally.kinds)}", flush=True)
        for path, (text, _) in zip(tally.save(args.output), tally.hits.values()):
            print(f"  {text}\n    {path}", flush=True)
        bad += bool(tally.hits)
    return bad


if __name__ == "__main__":
    sys.exit(main())
