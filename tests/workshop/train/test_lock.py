"""Two trainings in one folder: the second is refused and names the first."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.workshop.train.lock import OWNER, training_lock

HOLD = """
import sys, pathlib
from diffposetalk.workshop.train.lock import training_lock
with training_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_second_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    held = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(held, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None and first.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=rf"process {first.pid} on .* trains there.*-o"), training_lock(folder):
            pass
        first.kill()  # as if the machine had gone down
        first.wait()
    with training_lock(folder):
        assert str(os.getpid()) in (folder / OWNER).read_text()
    assert not (folder / OWNER).exists()
    with training_lock(folder):
        pass
