"""The same call for many things, in a few threads: for files by the thousand, whose calls let other threads run."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

THREADS = 2  # more of them only wait for one disk, one folder and one interpreter
FEW = 32  # for so few, starting threads takes longer than it saves

Thing = TypeVar("Thing")
Outcome = TypeVar("Outcome")


def several_at_once(call: Callable[[Thing], Outcome], things: Sequence[Thing]) -> list[Outcome]:
    """`[call(thing) for thing in things]`, begun in that order; after an exception or Ctrl-C, no other is begun."""
    if len(things) <= FEW:
        return [call(thing) for thing in things]
    from concurrent.futures import ThreadPoolExecutor  # here, as it imports logging

    outcomes: dict[int, Outcome] = {}
    waiting = iter(range(len(things)))  # shared: whoever is free takes the next

    def take() -> None:
        try:
            for index in waiting:
                outcomes[index] = call(things[index])
        finally:
            deque(waiting, maxlen=0)

    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for ended in [pool.submit(take) for _ in range(THREADS)]:
                ended.result()
        finally:
            deque(waiting, maxlen=0)
    return [outcomes[index] for index in range(len(things))]
