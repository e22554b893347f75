"""Calls a function for many items in a few threads. Meant for thousands of small files, whose I/O releases the GIL."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

THREADS = 2  # more would only wait for the same disk, folder and interpreter
FEW = 32  # for so few, starting threads costs more than it saves

Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each_parallel(call: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`[call(item) for item in items]` in parallel, started in order; stops after an exception or Ctrl-C."""
    if len(items) <= FEW:
        return [call(thing) for thing in items]
    from concurrent.futures import ThreadPoolExecutor  # imported here because it imports logging

    results: dict[int, Result] = {}
    waiting = iter(range(len(items)))  # shared: a free thread takes the next one

    def take() -> None:
        try:
            for index in waiting:
                results[index] = call(items[index])
        finally:
            deque(waiting, maxlen=0)

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for ended in [pool.submit(take) for _ in range(THREADS)]:
                ended.result()
        finally:
            deque(waiting, maxlen=0)
    return [results[index] for index in range(len(items))]
