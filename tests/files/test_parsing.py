"""Whatever a parser raises becomes one line with the file's name."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.errors import DiffPoseTalkError, InputError, ModelError, UsageError
from diffposetalk.files.parsing import first_line, parsing


@pytest.mark.parametrize("error", [KeyError("x"), ValueError("bad\nlong text"), RecursionError(), OverflowError("inf")])
def test_any_failure_names_the_file(error: Exception) -> None:
    with (
        pytest.raises(InputError, match=r"^a\.npz: not a readable motion file \(.+\)$") as caught,
        parsing("a.npz", "motion file"),
    ):
        raise error
    assert "\n" not in str(caught.value)


def test_our_own_errors_pass() -> None:
    with pytest.raises(DiffPoseTalkError, match=r"^needs a package$"), parsing("a.npz", "motion file"):
        raise DiffPoseTalkError("needs a package")
    with pytest.raises(UsageError, match=r"^a\.npz: dim must be even$"), parsing("a.npz", "motion file"):
        raise UsageError("dim must be even")


def test_our_own_errors_name_the_file_once_in_one_line_of_moderate_length() -> None:
    with pytest.raises(ModelError, match=r"^a\.npz: as it was$"), parsing("a.npz", "motion file"):
        raise ModelError("as it was")
    with pytest.raises(InputError, match=r"^in b/a\.npz: bad text$"), parsing("b/a.npz", "motion file"):
        raise InputError("in b/a.npz: bad\ntext")
    with pytest.raises(UsageError, match=r"^a\.npz: x{490} \.\.\. x{497}$"), parsing("a.npz", "motion file"):
        raise UsageError("x" * 54000)


def test_missing_and_too_large() -> None:
    with pytest.raises(InputError, match=r"^gone\.npz: no such motion file$"), parsing("gone.npz", "motion file"):
        Path("/nowhere/gone.npz").read_bytes()
    with pytest.raises(InputError, match="more memory"), parsing("a.npz", "motion file"):
        raise MemoryError


def test_long_messages_are_cut() -> None:
    assert len(first_line(ValueError("x" * 54000))) == 160
    assert first_line(RecursionError()) == "RecursionError"
    assert first_line(KeyError("fps")) == "it lacks 'fps'"
