"""Work in several processes: tasks that need a process of their own get one."""

from __future__ import annotations

import os

import pytest

from diffposetalk.parallel import Processes


@pytest.mark.parametrize(("fresh", "n_processes"), [(True, 4), (False, 1)])
def test_fresh_processes_do_one_task(fresh: bool, n_processes: int) -> None:
    tasks = {str(number): () for number in range(4)}
    results = list(Processes(1, fresh).results(os.getpid, tasks))
    assert sorted(result.name for result in results) == sorted(tasks)
    assert len({result.data for result in results} - {os.getpid()}) == n_processes
