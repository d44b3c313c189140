"""Tables as text: every dialect is read alike, wrong cells are named, and size is limited before reading."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffposetalk.arkit import CHANNELS
from diffposetalk.errors import InputError
from diffposetalk.exchange import export, load_motion, text_numbers
from diffposetalk.exchange.tables import Table
from diffposetalk.motion import Motion


def semicolons(text: str) -> str:
    return text.replace(",", ";")


def decimal_commas(text: str) -> str:
    header, _, rows = semicolons(text).partition("\n")
    return header + "\n" + rows.replace(".", ",")


def quoted(text: str) -> str:
    return "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines())


def quoted_commas(text: str) -> str:
    return quoted(text).replace(".", ",")


def drop_frame(text: str) -> str:
    """`HH:MM:SS;FF` is unambiguous in a table of commas or tabs."""
    head, *rows = text.splitlines()
    codes = (row.partition(",") for row in rows)
    return "\n".join(
        [head, *(f"{':'.join(code.split(':')[:3])};{code.split(':')[3]},{rest}" for code, _, rest in codes)]
    )


DIALECTS: dict[str, Callable[[str], bytes]] = {
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "cr": lambda text: text.replace("\n", "\r").encode(),
    "bom": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "semicolons": lambda text: semicolons(text).encode(),
    "tabs": lambda text: text.replace(",", "\t").encode(),
    "bars": lambda text: text.replace(",", "|").encode(),
    "spaces": lambda text: text.replace(",", ", ").encode(),
    "decimal commas": lambda text: decimal_commas(text).encode(),
    "quoted": lambda text: quoted(text).encode(),
    "quoted decimal commas": lambda text: quoted_commas(text).encode(),
    "Excel's first line": lambda text: ("sep=;\n" + semicolons(text)).encode("utf-16"),
    "empty lines": lambda text: ("\n\n" + text.replace("\n", "\n\n") + "\n\n").encode(),
    "lower case": lambda text: (text.partition("\n")[0].lower() + "\n" + text.partition("\n")[2]).encode(),
    "latin-1": lambda text: (
        text.replace("Timecode,", "Gr\u00f6\u00dfe,Timecode,", 1).replace("\n0", "\n1,0").encode("latin-1")
    ),
    "a column of words": lambda text: (
        text.replace("Timecode,", "Note,Timecode,", 1).replace("\n0", "\nword,0").encode()
    ),
    "drop-frame": lambda text: drop_frame(text).encode(),
    "drop-frame and semicolons": lambda text: drop_frame(text).replace(",", ";").encode(),
    "drop-frame and tabs": lambda text: drop_frame(text).replace(",", "\t").encode("utf-16"),
}


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(4)
    motion = Motion(rng.random((150, 52)), CHANNELS, 0.1 * rng.random((150, 3)), 60.0)
    return export(motion, tmp_path_factory.mktemp("take") / "take.csv").path


@pytest.mark.parametrize("parser", ["numpy", "pyarrow"])
@pytest.mark.parametrize("name", DIALECTS)
def test_dialects_are_read_alike(
    tmp_path: Path, take: Path, name: str, parser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parser == "pyarrow":
        pytest.importorskip("pyarrow")
        monkeypatch.setattr(text_numbers, "PYARROW_BYTES", 0)
    (tmp_path / "a.csv").write_bytes(DIALECTS[name](take.read_text()))
    again, before = load_motion(tmp_path / "a.csv"), load_motion(take)
    assert np.abs(again.expression - before.expression).max() < 1e-6
    assert np.abs(again.head_pose - before.head_pose).max() < 1e-6
    assert again.fps == pytest.approx(60 * 1000 / 1001 if name.startswith("drop") else 60)


@pytest.mark.parametrize("name", ["table", "nim"])
@pytest.mark.parametrize("dialect", ["decimal commas", "utf-16", "tabs", "crlf", "bom"])
def test_other_tables_in_dialects(tmp_path: Path, motion: Motion, name: str, dialect: str) -> None:
    text = export(motion, tmp_path / "a.csv", name).path.read_text()
    (tmp_path / "b.csv").write_bytes(DIALECTS[dialect](text))
    again, before = load_motion(tmp_path / "b.csv"), load_motion(tmp_path / "a.csv")
    assert np.array_equal(again.expression, before.expression) and again.fps == before.fps


def with_words(take: Path, folder: Path) -> Path:
    """Write the same table with a column of words, which keeps it from the fast parsers."""
    path = folder / "words.csv"
    path.write_text(take.read_text().replace("Timecode,", "Note,Timecode,", 1).replace("\n0", "\nx,0"))
    return path


def test_all_parsers_agree(take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow")
    by_numpy, by_rows = Table.read(take), Table.read(with_words(take, tmp_path))
    monkeypatch.setattr(text_numbers, "PYARROW_BYTES", 0)
    by_pyarrow = Table.read(take)
    assert by_numpy.cells is None and by_pyarrow.cells is None and by_rows.values is None
    names = by_numpy.names[1:]
    for table in (by_pyarrow, by_rows):
        assert np.array_equal(by_numpy.numbers(names), table.numbers(names))
        assert np.array_equal(by_numpy.codes().fields, table.codes().fields)
        assert np.array_equal(by_numpy.lines, table.lines)


def test_pyarrow_parses_what_is_a_table_of_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every large file would be parsed by numpy, unnoticed."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(text_numbers, "PYARROW_BYTES", 0)
    monkeypatch.setattr(text_numbers, "_by_numpy", lambda text: None)
    values = text_numbers.numbers_of(b"1,-0.5\n2.5e-3, nan\n", 2)
    np.testing.assert_array_equal(values, [[1, -0.5], [0.0025, np.nan]])
    for text in (b"1,2\n3\n", b"1,2\n\n3,4\n", b"1,2\n3,x\n", b"1,2\n3,\n", b"1,2,3\n"):
        assert text_numbers.numbers_of(text, 2) is None


def test_a_clean_table_is_read_many_times_faster_than_by_rows(take: Path, tmp_path: Path) -> None:
    header, *rows = take.read_text().splitlines()
    (tmp_path / "long.csv").write_text("\n".join([header, *rows * 100]))
    words = with_words(tmp_path / "long.csv", tmp_path)

    def seconds(path: Path) -> float:
        start = time.process_time()
        table = Table.read(path)
        table.numbers([name for name in table.names if name not in ("Note", "Timecode")])
        return time.process_time() - start

    seconds(tmp_path / "long.csv")
    assert seconds(words) > 4 * min(seconds(tmp_path / "long.csv") for _ in range(3))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (20, "oops", "line 90, column MouthClose: 'oops' is not a finite number"),
        (20, "nan", "line 90, column MouthClose: 'nan' is not a finite number"),
        (20, "inf", "line 90, column MouthClose: 'inf' is not a finite number"),
        (20, "", "line 90, column MouthClose: '' is not a finite number"),
        (20, "1e999", "line 90, column MouthClose: "),
        (0, "00:00:xx:10.000", "line 90: the timecode '00:00:xx:10.000' is not HH:MM:SS:FF"),
        (0, "00:00:01", "line 90: the timecode '00:00:01' is not HH:MM:SS:FF"),
        (0, "00:00:61:10.000", "line 90: the timecode "),
        (0, "00:00:01:71.000", "line 90: the timecode "),
    ],
)
def test_wrong_cells_are_named(tmp_path: Path, take: Path, place: int, value: str, message: str) -> None:
    lines = take.read_text().splitlines()
    cells = lines[89].split(",")
    cells[place] = value
    (tmp_path / "a.csv").write_text("\n".join([*lines[:89], ",".join(cells), *lines[90:]]))
    with pytest.raises(InputError) as caught:
        load_motion(tmp_path / "a.csv")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_table_without_times_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Zeit;JawOpen;Mund\n0;0,1;0,2\n")
    with pytest.raises(InputError, match=r"it has the columns Zeit, JawOpen, Mund, \.\.\. but no Timecode"):
        load_motion(tmp_path / "a.csv")


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, bytes(range(256)), b"\xff\xfe", b"\xff\xfea", b"sep=;\n", b'"', b'"\n"', b",,\n"]
)
def test_bytes_that_are_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.csv"):
        load_motion(tmp_path / "a.csv")


def test_many_columns_take_linear_time(tmp_path: Path) -> None:
    """Eight times the columns take about eight times as long, not sixty-four."""

    def seconds(n_columns: int) -> float:
        names = ["Timecode", "JawOpen", *(f"c{i}" for i in range(n_columns))]
        rows = [",".join([f"00:00:00:{i:02d}.500", *["0.5"] * (n_columns + 1)]) for i in range(0, 59, 2)]
        (tmp_path / "a.csv").write_text("\n".join([",".join(names), *rows]))
        start = time.process_time()
        load_motion(tmp_path / "a.csv")
        return time.process_time() - start

    seconds(100)
    assert min(seconds(32_000) for _ in range(2)) < 24 * min(seconds(4_000) for _ in range(2))


@pytest.mark.parametrize("time", ["time", "Time", "timestamp", "Timecode", "time_code", "Time Code"])
@pytest.mark.parametrize(
    "channel", ["jawOpen", "ARKit_jawOpen", "A25_Jaw_Open", "blendShape2.Jaw-Open", "jawOpenShape"]
)
def test_columns_in_the_spellings_that_heads_use(tmp_path: Path, time: str, channel: str) -> None:
    path = tmp_path / "a.csv"
    stamps = [f"00:00:{n // 30:02d}:{n % 30:02d}" if "ode" in time else f"{n / 30:.5f}" for n in range(60)]
    path.write_text("\n".join([f"{time},{channel}", *(f"{stamp},{n / 60:.4f}" for n, stamp in enumerate(stamps))]))
    motion = load_motion(path)
    assert motion.fps == pytest.approx(30, rel=1e-3)
    assert motion.channel("jawOpen") == pytest.approx(np.arange(60) / 60, abs=1e-3)
