"""`python -m diffposetalk` and the `diffposetalk` command."""

from __future__ import annotations

import os
import signal
import sys


def main() -> int:
    """Run the command line; return its exit code."""
    try:
        return _main()
    except KeyboardInterrupt:  # during the imports, before the command line can catch it
        os.write(2, b"diffposetalk: interrupted; nothing half-written was left behind\n")
        return 130


def _main() -> int:
    # idle threads of torch sleep instead of spinning, which makes generation several times slower on a busy machine
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.argv[1:2] in (["animate"], ["live"], ["serve"]):
        # these multiply small matrices by numpy: threads only wait for each other, on a busy machine four times longer
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for number in range(3):  # if stdin, stdout or stderr is closed, the next opened file would take its number
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):  # file names may hold characters that the terminal cannot show
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from diffposetalk.cli import run

    code = run(sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to clean up
    return code


if __name__ == "__main__":
    sys.exit(main())
