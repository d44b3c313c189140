"""Real processes: stdout full or closed, signals at any moment, what a killed run leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diffposetalk.motion import Motion

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and /dev/full are POSIX")
PROGRAM = f"{sys.executable} -m diffposetalk"


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("words", ["info m.npz", "info m.npz --json", "--help", "export --help", "export --list"])
def test_a_full_stdout_is_one_line(tmp_path: Path, motion: Motion, words: str) -> None:
    motion.save(tmp_path / "m.npz")
    done = shell(f"{PROGRAM} {words} > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "could not be printed on stdout: No space left" in done.stderr


def test_a_closed_stdout_is_one_line_and_the_work_is_done(tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    done = shell(f"{PROGRAM} export m.npz -o a.csv -o b.npz >&-", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "it is closed; the files of this run are complete" in done.stderr
    assert len(Motion.load(tmp_path / "b.npz")) == len(motion) and (tmp_path / "a.csv").exists()


def test_a_reader_that_has_gone_does_not_stop_the_work(tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    done = shell(f"{PROGRAM} export m.npz -o a.csv -o b.npz | true; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "a.csv").exists() and (tmp_path / "b.npz").exists()


def test_a_closed_stderr_and_stdin_are_no_error(tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    assert shell(f"{PROGRAM} export m.npz -o a.csv 2>&- <&-", tmp_path).returncode == 0
    assert (tmp_path / "a.csv").exists()
    assert shell(f"{PROGRAM} info none.npz 2> /dev/full", tmp_path).returncode == 1


def test_names_that_cannot_be_shown(tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    done = shell(f"LC_ALL=C PYTHONUTF8=0 {PROGRAM} export m.npz -o $'\\xff\\e[31m.csv'", tmp_path)
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 1
    done = shell(f"LC_ALL=C PYTHONUTF8=0 {PROGRAM} info $'\\xff\\e[31m.csv' $'\\e[31m'", tmp_path)
    assert done.returncode == 1 and "\x1b" not in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("delay", [0.1, 0.25, 0.5, 0.9, 1.4])
def test_an_interrupt_at_any_moment_of_the_start_is_at_most_one_line(
    tmp_path: Path, sample_path: Path, tiny_model_path: Path, delay: float
) -> None:
    words = ["animate", sample_path, "--model", tiny_model_path, "-o", tmp_path / "a.npz", "--steps", "50"]
    process = subprocess.Popen(
        [sys.executable, "-m", "diffposetalk", *map(str, words)],
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # impatient
    _, err = process.communicate(timeout=60)
    if process.returncode == 130:
        assert err == "diffposetalk: interrupted; nothing half-written was left behind\n"
    else:  # before Python had come to our first line, or after the end
        assert process.returncode in (-signal.SIGINT, 0, 1) and "defect" not in err
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_ends_a_run_leaves_nothing_for_long(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A run that is killed leaves its neighbour, which the next run of the same output removes."""
    wait = "import sys, time; from diffposetalk.cli import main, run; import diffposetalk.cli.commands.info as info\n" \
        "from diffposetalk.files.atomic import replacing\n" \
        "def work(args, console):\n" \
        "    with replacing('a.npz') as temporary:\n" \
        "        temporary.write_bytes(b'half'); print('ready', flush=True); time.sleep(60)\n" \
        "info.run = work; sys.exit(run(['info']))"  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", wait], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_signals,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    if number != signal.SIGKILL:
        assert err == "diffposetalk: terminated; nothing half-written was left behind\n"
        assert not list(tmp_path.iterdir())
        return
    assert len(list(tmp_path.glob(".a.*.partial.npz"))) == 1
    from diffposetalk.files.atomic import write_atomically

    write_atomically(tmp_path / "a.npz", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def heed_signals() -> None:
    """Let signals end a child also where the tests themselves run with them ignored, as under nohup."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def test_nohup_is_respected(tmp_path: Path, motion: Motion) -> None:
    motion.save(tmp_path / "m.npz")
    code = "import signal, sys; from diffposetalk.cli import run; import os, diffposetalk.cli.commands.info as info\n" \
        "info.run = lambda args, console: os.kill(os.getpid(), signal.SIGHUP) or {}\n" \
        "sys.exit(run(['info']))"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=60, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    assert done.returncode == 0
