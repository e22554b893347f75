"""Measures many files in a few processes, with limits, so that a hostile file harms only the process that reads it.

Covered: a file on which a process crashes, runs out of memory, or never ends: it is named, and the others are
measured. The order of files is drawn once, so that an audit with a time limit looks at a random sample.
"""

import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeAlias

from palio.core.quantities import GIB, MIB
from palio.data.audit.listing import Source
from palio.data.audit.measure import Measured, measure

MEMORY_BYTES = 3 * GIB  # address space of a process, of which libraries take some
FILE_S = 20.0  # for one file
_BATCH_BYTES = 64 * MIB
_BATCH = 64
_FEW = 300  # files, for which a second process takes longer to start than it saves


Item: TypeAlias = tuple[int, str, str | None, bytes | None]
Measure: TypeAlias = Callable[[Path | None, bytes | None, str], Measured]


def measure_all(
    sources: Sequence[Source],
    *,
    time_s: float | None = None,
    progress: Callable[[int], None] | None = None,
    measure: Measure = measure,
    file_s: float = FILE_S,
) -> Iterator[tuple[int, Measured]]:
    """Yields the index of each source and what was measured, in no order. After `time_s` seconds, starts no more.

    `measure` is a function of a module, as it runs in other processes; on one file for at most `file_s` seconds.
    """
    order = list(range(len(sources)))
    if time_s is not None:
        Random(0).shuffle(order)  # noqa: S311 - nothing secret depends on it
    until = None if time_s is None else time.monotonic() + time_s
    processes = 1 if len(sources) < _FEW else max(1, min(4, len(os.sched_getaffinity(0))))
    batches = _batches(sources, order)
    suspects: deque[list[Item]] = deque()
    done = 0
    pool = _Pool(processes, partial(_measure_batch, measure, file_s), file_s)
    try:
        while True:
            try:
                for results in pool.map(batches, until):
                    done += len(results)
                    yield from results
                    if progress:
                        progress(done)
            except _BrokenError as broken:
                suspects += [[item] for batch in broken.batches for item in batch]
                pool = pool.renewed()
                continue
            break
        # Those that were being read when a process ended: each by itself, so that it is known which one it was.
        while suspects:
            batch = suspects.popleft()
            pool = pool.renewed(1)
            try:
                for results in pool.map(iter([batch]), None):
                    yield from results
            except _BrokenError as broken:
                yield batch[0][0], Measured(fault=broken.reason)
                pool = pool.renewed(1)
            done += 1
            if progress:
                progress(done)
    finally:
        pool.end()


class _BrokenError(Exception):
    def __init__(self, reason: str, batches: list[list[Item]]) -> None:
        super().__init__(reason)
        self.reason, self.batches = reason, batches


class _Pool:
    """A few processes. `map` raises _BrokenError with what was not finished."""

    def __init__(
        self, processes: int, measure_batch: Callable[[list[Item]], list[tuple[int, Measured]]], file_s: float
    ) -> None:
        self.processes, self._measure_batch, self._file_s = processes, measure_batch, file_s
        # "spawn": the caller may have threads. The pool starts its processes when they are first needed.
        context = multiprocessing.get_context("spawn")
        self._executor = ProcessPoolExecutor(processes, context, initializer=_begin)

    def renewed(self, processes: int | None = None) -> "_Pool":
        """This one if it is as good as new, else another."""
        if processes in (None, self.processes) and not self._is_broken():
            return self
        self.end()
        return _Pool(processes or self.processes, self._measure_batch, self._file_s)

    def _is_broken(self) -> bool:
        return bool(getattr(self._executor, "_broken", False)) or self._executor._processes is None

    def map(self, batches: Iterator[list[Item]], until: float | None) -> Iterator[list[tuple[int, Measured]]]:
        waiting: dict[Future[list[tuple[int, Measured]]], list[Item]] = {}
        try:
            while True:
                while len(waiting) < self.processes + 1 and (until is None or time.monotonic() < until):
                    batch = next(batches, None)
                    if batch is None:
                        break
                    waiting[self._executor.submit(self._measure_batch, batch)] = batch
                if not waiting:
                    return
                longest = self._file_s + 10 + max(map(len, waiting.values())) * self._file_s / _BATCH
                finished, _ = wait(waiting, longest, FIRST_COMPLETED)
                if not finished:
                    raise _BrokenError(_too_slow(self._file_s), list(waiting.values()))
                for future in finished:
                    results = future.result()
                    del waiting[future]
                    yield results
        except BrokenExecutor:
            raise _BrokenError("crashed the program that reads it", list(waiting.values())) from None
        except _BrokenError:
            self.end()
            raise

    def end(self) -> None:
        """Ends the processes, whatever they are doing."""
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with suppress(OSError, ValueError, AttributeError):
                process.kill()
        for process in processes:
            with suppress(OSError, ValueError, AssertionError):
                process.join(5)


def _size(source: Source) -> int:
    try:
        return source.path.stat().st_size if source.path else 0
    except OSError:
        return 0


def _batches(sources: Sequence[Source], order: Sequence[int]) -> Iterator[list[Item]]:
    """Some files at a time; fewer if they are large."""
    batch: list[Item] = []
    size = 0
    for index in order:
        source = sources[index]
        content = source.read() if source.read else None
        batch.append((index, source.name, None if source.path is None else str(source.path), content))
        size += len(content) if content is not None else _size(source)
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _begin() -> None:
    """Limits a worker. Ctrl-C is for its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for kind, value in ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


class _TooLongError(BaseException):
    """Not an Exception, which a library could swallow."""


def _too_long(*_: object) -> None:
    raise _TooLongError


def _too_slow(file_s: float) -> str:
    return f"took longer than {file_s:g} s to read"


def _measure_batch(measure: Measure, file_s: float, batch: list[Item]) -> list[tuple[int, Measured]]:
    signal.signal(signal.SIGALRM, _too_long)
    found = []
    for index, name, path, content in batch:
        signal.setitimer(signal.ITIMER_REAL, file_s)
        try:
            measured = measure(Path(path) if path else None, content, name)
        except _TooLongError:
            measured = Measured(fault=_too_slow(file_s))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        found.append((index, measured))
    return found
