"""`python -m diffposetalk` and the `diffposetalk` command."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        return _main()
    except KeyboardInterrupt:  # before the command line could catch it: while it was being imported
        os.write(2, b"diffposetalk: interrupted; nothing half-written was left behind\n")
        return 130


def _main() -> int:
    # torch's threads wait asleep, not spinning: on a busy machine spinning makes generation several times slower
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for number in range(3):  # a closed stdin, stdout or stderr would hand its number to the first file that is opened
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what a terminal cannot show
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from diffposetalk.cli import run

    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to be cleaned up
    return code


if __name__ == "__main__":
    sys.exit(main())
