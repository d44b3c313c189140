"""Work in processes and on Ray: every task is done once, whatever dies."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from types import ModuleType

import pytest

from diffposetalk.errors import UsageError
from diffposetalk.parallel import Executor, OnRay, Processes, Result


def doubled(results: list[Result]) -> dict[str, bytes | None]:
    return {result.name: result.data for result in results}


def tasks(tmp_path: Path, deaths: dict[int, int]) -> dict[str, tuple[int, str, int]]:
    return {f"t{k}": (k, str(tmp_path / f"mark{k}"), deaths.get(k, 0)) for k in range(6)}


@pytest.fixture(params=["processes", "ray"])
def executor(request: pytest.FixtureRequest) -> Executor:
    if request.param == "processes":
        return Processes(2)
    return request.getfixturevalue("on_ray")


def test_all_are_done(executor: Executor, fake: ModuleType) -> None:
    found = list(executor.results(fake.number, {str(k): (k,) for k in range(7)}))
    assert doubled(found) == {str(k): str(2 * k).encode() for k in range(7)}
    assert not any(result.died or result.error for result in found)
    assert not multiprocessing.active_children()


def test_a_worker_that_dies_costs_nothing(executor: Executor, fake: ModuleType, tmp_path: Path) -> None:
    found = list(executor.results(fake.number_or_death, tasks(tmp_path, {1: 1, 4: 1})))
    assert doubled(found) == {f"t{k}": str(2 * k).encode() for k in range(6)}
    assert (tmp_path / "mark1").read_text() == ".."
    assert (tmp_path / "mark0").read_text() == "."


def test_a_task_that_always_kills_is_given_up(executor: Executor, fake: ModuleType, tmp_path: Path) -> None:
    found = {result.name: result for result in executor.results(fake.number_or_death, tasks(tmp_path, {2: 99}))}
    assert found.pop("t2") == Result("t2", died=True)
    assert {name: result.data for name, result in found.items()} == {
        f"t{k}": str(2 * k).encode() for k in (0, 1, 3, 4, 5)
    }
    assert (tmp_path / "mark2").read_text() == ".."


def test_a_worker_that_hangs_is_ended(executor: Executor, fake: ModuleType) -> None:
    found = list(executor.results(fake.number_or_hang, {"a": (1, False), "b": (2, True), "c": (3, False)}))
    assert doubled(found) == {"a": b"2", "b": None, "c": b"6"}
    assert [result.name for result in found if result.died] == ["b"]


def test_errors_are_results(executor: Executor, fake: ModuleType) -> None:
    found = list(executor.results(fake.complaint, {"a": (1,), "b": (2,)}))
    assert sorted(result.error for result in found) == ["ValueError: no 1 here", "ValueError: no 2 here"]
    assert all(result.data is None and not result.died for result in found)


def test_stopping_early_leaves_no_process(fake: ModuleType) -> None:
    results = Processes(2).results(fake.number, {str(k): (k,) for k in range(50)})
    next(results)
    assert multiprocessing.active_children()
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()


def test_the_environment_is_left_alone(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    list(Processes(1).results(fake.number, {"a": (1,)}))
    assert dict(os.environ) == before


def test_wrong_requests(fake: ModuleType) -> None:
    with pytest.raises(UsageError, match="jobs must be at least 1"):
        Processes(0)


def test_no_cluster(fake: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="needs Ray, which is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **settings: (_ for _ in ()).throw(ConnectionError("nobody there")))
    with pytest.raises(UsageError, match=r"no Ray cluster could be joined \(nobody there\).*--ray local"):
        list(OnRay("auto").results(fake.number, {"a": (1,)}))
