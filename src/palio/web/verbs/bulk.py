"""Applies an action to several items independently, so that one refusal does not affect the others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from palio.core.errors import PalioError

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class BulkRefusal:
    """An item that was refused: its name and the reason."""

    name: str
    code: str
    message: str


@dataclass(frozen=True)
class BulkResult:
    done: int
    refused: tuple[BulkRefusal, ...]


def several(things: Iterable[Thing], act: Callable[[Thing], object], name: Callable[[Thing], str]) -> BulkResult:
    done, refused = 0, []
    for thing in things:
        try:
            act(thing)
        except PalioError as error:
            refused.append(BulkRefusal(name(thing), error.failure.code, error.failure.message))
        else:
            done += 1
    return BulkResult(done, tuple(refused))
