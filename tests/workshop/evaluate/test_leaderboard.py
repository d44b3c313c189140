"""The leaderboard file and its page."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffposetalk.cli import run
from diffposetalk.errors import InputError
from diffposetalk.workshop.evaluate.comparison.leaderboard import read_leaderboard

ROOT = Path(__file__).parents[3]
GOOD = """system,commit,protocol,data,latency,by,gap_pearson,bcs
ours,1a2b3c4,0123456789ab,corpus,offline,Ann,0.51,48.2
"theirs, live",1.2.0,0123456789ab,corpus,causal,Bob,0.32,
"""


def test_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, page = tmp_path / "board.csv", tmp_path / "board.html"
    file.write_text(GOOD)
    assert [entry.figures["bcs"] for entry in read_leaderboard(file)] == [48.2, None]
    pytest.importorskip("jinja2")
    assert run(["evaluate", "--leaderboard", str(file), "-o", str(page)]) == 0
    assert "2 lines" in capsys.readouterr().out
    text = page.read_text()
    assert text.index("ours") < text.index("theirs, live") and "0123456789ab" in text
    assert run(["evaluate", "--leaderboard", str(file)]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("offline", "quick"), "line 2: latency is 'quick'; choose from offline, look-ahead, causal"),
        (("1a2b3c4", "main"), "line 2: commit is 'main'; write 7 to 40 hexadecimal digits"),
        (("0123456789ab,corpus,offline", "xyz,corpus,offline"), "line 2: protocol is 'xyz'"),
        (("0.51", "good"), "line 2: gap_pearson is 'good', not a number"),
        (("0.51", "nan"), "line 2: gap_pearson is 'nan', not a number"),
        (("0.51,48.2", "0.51"), "line 2: has 7 columns, the first line has 8"),
        (("0.32,", ","), "line 3: has no figure"),
        (("Bob", ""), "line 3: the column 'by' is empty"),
        (("gap_pearson,bcs", "gap_pearson,beauty"), "line 1: 'beauty' is no metric"),
        (("gap_pearson,bcs", "gap_pearson,gap_pearson"), "line 1: has the column 'gap_pearson' twice"),
        (("latency,", ""), "line 1: lacks the column 'latency'"),
        ((GOOD, ""), "is empty"),
        (('"theirs, live",1.2.0,0123456789ab,corpus,causal', "ours,1a2b3c4,0123456789ab,corpus,offline"), "as line 2"),
        (('"theirs', 'the"irs'), "not a readable leaderboard|line 3"),
    ],
)
def test_a_malformed_line_is_one_clear_error(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    file = tmp_path / "board.csv"
    file.write_text(GOOD.replace(*change))
    with pytest.raises(InputError, match=message) as error:
        read_leaderboard(file)
    assert str(file) in str(error.value)


def test_the_file_that_ships() -> None:
    entries = read_leaderboard(ROOT / "benchmarks" / "leaderboard.csv")
    assert {entry.words["system"] for entry in entries} >= {"lite", "base"}


def test_the_protocols_of_the_lines_ship() -> None:
    from diffposetalk.workshop.evaluate.protocol.toml_file import read_protocol

    hashes = {read_protocol(path).hash for path in (ROOT / "benchmarks" / "protocols").glob("*.toml")}
    lines = read_leaderboard(ROOT / "benchmarks" / "leaderboard.csv")
    assert {entry.words["protocol"] for entry in lines} <= hashes
