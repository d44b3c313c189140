"""Run one function on many tasks, in processes of this machine or on a Ray cluster. A dead worker costs only its task.

Both executors yield the same results, as bytes, as soon as each is ready.
"""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Protocol

from diffposetalk.errors import DiffPoseTalkError, UsageError

Function = Callable[..., bytes | None]
MOST_DEATHS = 2
"""Number of workers that may die over a task before the task is given up."""
IN_FLIGHT = 256
"""Number of tasks that Ray has at a time."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that limit a worker to one thread."""


class Unable(DiffPoseTalkError):
    """Raised by a function if it can do no task at all: a package or file is missing on that machine."""


@dataclass(frozen=True)
class Result:
    """Result of a task."""

    name: str
    data: bytes | None = None
    """Return value of the function; None if it failed."""
    seconds: float = 0.0
    """Time of one core that the task took."""
    died: bool = False
    """Whether the workers that tried died."""
    error: str = ""
    """Exception of the function, in one line."""
    unable: str | None = None
    """What the worker's machine lacks; None if nothing is missing."""


class Executor(Protocol):
    """Runs tasks in parallel."""

    def results(self, function: Function, tasks: Mapping[str, tuple[Any, ...]]) -> Generator[Result, None, None]:
        """Yield the result of each task as it becomes ready.

        Args:
            function: importable by its name, so that another process can find it.
            tasks: its arguments by the task's name.

        Raises:
            DiffPoseTalkError: no work can be done at all.
        """
        ...


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, each on one thread.

    A worker that is killed or crashes is replaced. Its task is tried again alone, after all others, so that a task that
    takes all memory is the one that fails.
    """

    jobs: int
    """Number of processes."""
    fresh: bool = False
    """Give each task a process of its own, for functions whose libraries keep state from call to call."""

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise UsageError(f"jobs must be at least 1, not {self.jobs}")

    def results(self, function: Function, tasks: Mapping[str, tuple[Any, ...]]) -> Generator[Result, None, None]:
        """Yield the result of each task as it becomes ready; see `Executor.results`."""
        deaths: Counter[str] = Counter()
        again: list[str] = []
        for result in self._round(function, tasks, self.jobs):
            if result.died:
                deaths[result.name] += 1
                again.append(result.name)
            else:
                yield result
        while again:
            name = again.pop(0)
            for result in self._round(function, {name: tasks[name]}, 1):
                deaths[name] += result.died
                if result.died and deaths[name] < MOST_DEATHS:
                    again.append(name)
                else:
                    yield result

    def _round(
        self, function: Function, tasks: Mapping[str, tuple[Any, ...]], jobs: int
    ) -> Generator[Result, None, None]:
        """Run each task once."""
        waiting = deque(tasks)
        busy: dict[Connection, tuple[_Worker, str]] = {}
        idle: list[_Worker] = []
        try:
            while waiting or busy:
                while waiting and len(busy) < jobs:
                    worker = idle.pop() if idle else _Worker(function)
                    name = waiting.popleft()
                    if worker.give(tasks[name]):
                        busy[worker.connection] = (worker, name)
                    else:  # died before it was given anything
                        worker.end()
                        waiting.appendleft(name)
                for connection in wait(list(busy)):
                    worker, name = busy.pop(connection)  # type: ignore[call-overload]
                    result = worker.answer(name)
                    if result is None:
                        worker.end()
                        yield Result(name, died=True)
                    else:
                        if self.fresh:
                            worker.end()
                        else:
                            idle.append(worker)
                        yield result
        finally:
            for worker in [*idle, *(worker for worker, _ in busy.values())]:
                worker.end()


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, function: Function) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        with _one_thread(), _without_ctrl_c():
            self.process.start()
        theirs.close()

    def give(self, arguments: tuple[Any, ...]) -> bool:
        """Hand over a task; False if the process is gone."""
        try:
            self.connection.send(arguments)
        except OSError:
            return False
        return True

    def answer(self, name: str) -> Result | None:
        """Return what became of the task; None if the process is gone."""
        try:
            result: Result = self.connection.recv()
        except (EOFError, OSError):
            return None
        return replace(result, name=name)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        self.process.terminate()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(connection: Connection, function: Function) -> None:
    """Do tasks in a process of its own, until the one that gives them is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    while True:
        try:
            arguments = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(timed(function, arguments))


def timed(function: Function, arguments: tuple[Any, ...]) -> Result:
    """Call a function; return what became of it, still without a name."""
    started = time.process_time()
    data, error, unable = None, "", None
    try:
        data = function(*arguments)
    except Unable as raised:
        error = unable = str(raised)
    except Exception as raised:  # a task that fails must not end the others
        error = " ".join(f"{type(raised).__name__}: {raised}".split())
    return Result("", data, time.process_time() - started, error=error, unable=unable)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """End this process if the work inside takes longer, in whatever code it hangs; only for a worker that can be replaced."""
    with Path(os.devnull).open("w") as nowhere:
        faulthandler.dump_traceback_later(seconds, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()


@contextlib.contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Let processes started now not hear Ctrl-C, which reaches the whole group: the main process ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let processes started now use one thread each: as many work side by side as there are cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass(frozen=True)
class OnRay:
    """A Ray cluster, which may be of many machines.

    Each needs this package, and the files that tasks name at the same paths; results come back over the network.
    """

    address: str
    """`auto` for the cluster of this machine, `local` for a new one on it, else an address."""
    jobs: int | None = None
    """Of a new cluster, processes at a time; None for one per core."""

    def results(self, function: Function, tasks: Mapping[str, tuple[Any, ...]]) -> Generator[Result, None, None]:
        """Yield the result of each task as it becomes ready; see `Executor.results`."""
        ray = _ray()
        ours = self.join()
        work = ray.remote(timed).options(num_cpus=1, max_retries=MOST_DEATHS - 1)
        waiting = deque(tasks)
        pending: dict[Any, str] = {}
        try:
            while waiting or pending:
                while waiting and len(pending) < IN_FLIGHT:
                    name = waiting.popleft()
                    pending[work.remote(function, tasks[name])] = name
                for ready in ray.wait(list(pending), num_returns=1)[0]:
                    name = pending.pop(ready)
                    try:
                        yield replace(ray.get(ready), name=name)
                    except _deaths(ray):
                        yield Result(name, died=True)
                    except ray.exceptions.RayError as error:
                        reason = " ".join(str(error).split())[-300:]
                        raise DiffPoseTalkError(
                            f"Ray could not do the work; is this package installed on all its machines? ({reason})"
                        ) from None
        finally:
            with contextlib.suppress(Exception):  # the cluster may be gone
                for each in pending:
                    ray.cancel(each, force=True)
            if ours:
                ray.shutdown()

    def join(self) -> bool:
        """Connect to the cluster, or start one; False if this process is connected already.

        Raises:
            UsageError: there is no such cluster.
            DiffPoseTalkError: Ray is not installed.
        """
        ray = _ray()
        if ray.is_initialized():
            return False
        names = (*THREADS, "DIFFPOSETALK_ASSETS", "OMP_WAIT_POLICY")
        variables = {name: os.environ[name] for name in names if name in os.environ} | dict.fromkeys(THREADS, "1")
        settings: dict[str, Any] = {"log_to_driver": False, "runtime_env": {"env_vars": variables}}
        if self.address == "local":
            settings |= {"address": "local", "num_cpus": self.jobs or os.cpu_count(), "include_dashboard": False}
        else:
            settings["address"] = self.address
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(logging_level="ERROR", **settings)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:160]
            raise UsageError(
                f"--ray {self.address}: no Ray cluster could be joined ({reason}); start one with `ray start --head`, "
                "or use --ray local"
            ) from None
        return True


def _deaths(ray: Any) -> tuple[type[BaseException], ...]:
    """Return what Ray raises where a worker, or the machine it ran on, is gone."""
    names = ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "ObjectLostError")
    return tuple(getattr(ray.exceptions, name) for name in names if hasattr(ray.exceptions, name))


def _ray() -> Any:
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise DiffPoseTalkError("--ray needs Ray: pip install 'diffposetalk[cluster]'") from None
    return ray
