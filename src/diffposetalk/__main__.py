"""`python -m diffposetalk` and the `diffposetalk` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; return its exit code."""
    from diffposetalk.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
