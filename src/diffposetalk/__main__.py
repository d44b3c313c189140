"""`python -m diffposetalk` and the `diffposetalk` command."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line; return its exit code."""
    # torch's threads wait asleep, not spinning: on a busy machine spinning makes generation several times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from diffposetalk.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
