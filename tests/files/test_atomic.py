"""Output files: whole or absent, through links, into devices and pipes, with the mode that was there."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from diffposetalk.errors import DiffPoseTalkError, UsageError
from diffposetalk.files import atomic
from diffposetalk.files.atomic import check_new_folder, check_output, replacing, replacing_folder, write_atomically
from diffposetalk.files.partial import partial_beside

posix = pytest.mark.skipif(os.name != "posix", reason="devices, pipes and modes are POSIX")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.npz"]
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and names(tmp_path) == ["a.npz"]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_hands_on_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")
    path.chmod(mode)
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert stat.S_IMODE(temporary.stat().st_mode) == mode  # nobody else reads it meanwhile
    assert stat.S_IMODE(path.stat().st_mode) == mode and path.read_bytes() == b"new"


@posix
def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "a.npz", b"new")
    assert (tmp_path / "a.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_links_stay_and_their_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "real.npz", tmp_path / "link.npz"
    target.write_bytes(b"old")
    link.symlink_to(Path("far") / "real.npz")
    write_atomically(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert names(tmp_path) == ["far", "link.npz"] and names(tmp_path / "far") == ["real.npz"]


def test_a_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link.npz"
    link.symlink_to("new.npz")
    write_atomically(check_output(link, (".npz",)), b"new")
    assert link.is_symlink() and (tmp_path / "new.npz").read_bytes() == b"new"
    lost = tmp_path / "lost.npz"
    lost.symlink_to("none/new.npz")
    with pytest.raises(UsageError, match="does not exist"):
        check_output(lost, (".npz",))


@posix
def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").symlink_to("a.npz")
    with pytest.raises(UsageError, match="leads to itself"):
        check_output(tmp_path / "a.npz", (".npz",))


@posix
def test_a_device_is_written_into(tmp_path: Path) -> None:
    null = tmp_path / "null.npz"
    null.symlink_to("/dev/null")
    write_atomically(check_output(null, (".npz",)), b"new")
    assert null.is_symlink() and stat.S_ISCHR(os.stat("/dev/null").st_mode)
    full = tmp_path / "full.npz"
    full.symlink_to("/dev/full")
    with pytest.raises(DiffPoseTalkError, match="disk is full"):
        write_atomically(full, b"new")


@posix
def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.npz"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomically(check_output(pipe, (".npz",)), b"x" * 300_000)
    reader.join(20)
    assert got == [b"x" * 300_000] and stat.S_ISFIFO(pipe.stat().st_mode)


@posix
def test_a_pipe_without_a_reader_does_not_block_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, "READER_S", 0.1)
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(DiffPoseTalkError, match="no program reads from this pipe"):
        write_atomically(tmp_path / "pipe.npz", b"new")


@posix
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.npz")
        with pytest.raises(UsageError, match="disk or a socket"):
            check_output("s.npz", (".npz",))


@pytest.mark.parametrize("check", [lambda path: check_output(path, (".npz",)), check_new_folder])
def test_names_that_cannot_be_are_refused_before_the_work(tmp_path: Path, check: object) -> None:
    for name, what in (("x" * 300 + ".npz", "too long"), ("y" * 300 + "/a.npz", "too long"), ("a\0.npz", "null")):
        with pytest.raises(UsageError, match=what):
            check(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(UsageError, match="empty"):
        check("")  # type: ignore[operator]


@pytest.mark.parametrize("name", ["x" * 251 + ".npz", "ä" * 125 + ".npz", "a." + "s" * 200, "12:30 talk.npz"])
def test_every_name_that_the_disk_takes_can_be_written(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"new")
    with replacing_folder(tmp_path / f"{name[:-4]}_dir") as folder:
        (folder / "a").write_bytes(b"new")
    assert len(names(tmp_path)) == 2


@posix
def test_what_dead_processes_left_is_removed_and_what_living_ones_write_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.npz"
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    ).stdout.strip()
    mine = partial_beside(target)
    theirs = mine.with_name(mine.name.replace(str(os.getpid()), str(os.getppid())))
    gone = mine.with_name(mine.name.replace(str(os.getpid()), dead))
    other = gone.with_name(gone.name.replace(".a.", ".b."))
    for path in (mine, theirs, gone, other):
        path.write_bytes(b"half")
    folder = gone.with_name(f"{gone.name}folder")
    folder.mkdir()
    (folder / "inside").write_bytes(b"half")
    write_atomically(target, b"new")
    assert set(names(tmp_path)) == {"a.npz", mine.name, theirs.name, other.name}


@posix
def test_what_another_machine_left_is_removed_after_a_day(tmp_path: Path) -> None:
    target = tmp_path / "a.npz"
    name = partial_beside(target).name
    host = name.split(".partial")[0][-8:]
    fresh, old = (tmp_path / name.replace(host, f"{number:08x}") for number in (1, 2))
    for path in (fresh, old):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    write_atomically(target, b"new")
    assert names(tmp_path) == sorted(["a.npz", fresh.name])


def test_threads_that_write_one_file_never_mix(tmp_path: Path) -> None:
    def write(letter: bytes) -> None:
        for _ in range(30):
            write_atomically(tmp_path / "a.npz", letter * 200_000)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "a.npz").exists():
            assert len(set((tmp_path / "a.npz").read_bytes())) == 1
    assert names(tmp_path) == ["a.npz"]


@posix
def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"old")
    (tmp_path / "a.npz").chmod(0o400)
    if os.access(tmp_path / "a.npz", os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(UsageError, match="read-only"):
        check_output(tmp_path / "a.npz", (".npz",))
