"""Progress reports: counting, naming, and staying silent."""

from __future__ import annotations

from diffposetalk.progress import Progress, labelled, over, silent, with_total

Report = tuple[float, float | None, str | None]


def recorder(reports: list[Report]) -> Progress:
    def record(done: float, total: float | None = None, what: str | None = None) -> None:
        reports.append((done, total, what))

    return record


def test_items_are_reported_when_they_are_done() -> None:
    reports: list[Report] = []
    done_before = [len(reports) for _ in over("ab", recorder(reports), "reading")]
    assert done_before == [0, 1]
    assert reports == [(1, 2, "reading"), (2, 2, "reading")]
    assert list(over("ab", None)) == ["a", "b"]


def test_totals_and_names_are_put_in() -> None:
    reports: list[Report] = []
    counted, named = with_total(recorder(reports), 5), with_total(recorder(reports), 5, "writing")
    label = labelled(recorder(reports), "style")
    assert counted and named and label
    counted(1, None, "own")
    named(2)
    label(3, 4)
    label(3, 4, "loss 0.3")
    assert reports == [(1, 5, "own"), (2, 5, "writing"), (3, 4, "style"), (3, 4, "style: loss 0.3")]
    assert with_total(None, 5) is None and labelled(None, "style") is None
    silent(1, 2, "anything")
