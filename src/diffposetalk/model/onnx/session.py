"""Sessions of onnxruntime that keep to one core each, and rows of a batch spread over the cores.

Tiny networks gain nothing from several threads inside an operation: the threads wait for each other dozens of times a
millisecond, and as soon as another program wants a core, all of them wait for it. So every run takes one thread that never
spins, and rows that do not depend on each other run at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from diffposetalk.errors import DiffPoseTalkError


def session(graph: bytes) -> Any:
    """Return a session of onnxruntime for a graph.

    Raises:
        DiffPoseTalkError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise DiffPoseTalkError("this needs onnxruntime: pip install onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def n_threads() -> int:
    """Return how many cores may be used: those of this process, or ``OMP_NUM_THREADS`` if that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(threads) if threads.isdigit() else cores))


@cache
def _pool(n: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n, "diffposetalk")


def at_the_same_time(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run tasks that spend their time in onnxruntime side by side, the first in this thread; return their results."""
    if len(tasks) == 1:
        return [tasks[0]()]
    others = [_pool(n_threads()).submit(task) for task in tasks[1:]]
    return [tasks[0](), *(other.result() for other in others)]


def row_groups(n_rows: int) -> list[slice]:
    """Return the rows in as many groups as threads, as alike in size as possible."""
    n = min(n_threads(), n_rows)
    edges = [round(k * n_rows / n) for k in range(n + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def run(runner: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Run a session on float32 inputs."""
    return runner.run(None, {name: np.ascontiguousarray(value, np.float32) for name, value in inputs.items()})
