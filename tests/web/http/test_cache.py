"""What is kept for as long as it is right, and who waits while it is made."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

import pytest

from palio.web.http.cache import forget, kept

Fetch = Callable[[int], "Future[str]"]


@pytest.fixture(autouse=True)
def _nothing_is_there() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.fixture
def slowly() -> Iterator[tuple[Fetch, Event, Event]]:
    """Asks in a thread, where making begins with the first event and ends with the second."""
    begun, may_end = Event(), Event()

    def make() -> str:
        begun.set()
        assert may_end.wait(30)
        return "new"

    with ThreadPoolExecutor(4) as pool:
        yield lambda stamp: pool.submit(kept, "key", stamp, make), begun, may_end
        may_end.set()


def refuse() -> str:
    raise AssertionError("it was made once more")


def test_what_is_right_is_made_once() -> None:
    assert kept("key", 1, lambda: "made") == "made"
    assert kept("key", 1, refuse) == "made"
    assert kept("another key", 1, lambda: "other") == "other"


def test_newer_stamp_has_it_made_anew_and_older_one_takes_what_is_there() -> None:
    kept("key", 1, lambda: "old")
    assert kept("key", 2, lambda: "new") == "new"
    assert kept("key", 1, refuse) == "new"


def test_what_cannot_be_made_is_not_kept() -> None:
    with pytest.raises(AssertionError, match="once more"):
        kept("key", 1, refuse)
    assert kept("key", 1, lambda: "made") == "made"


def test_others_take_what_was_there_while_it_is_made_anew(slowly: tuple[Fetch, Event, Event]) -> None:
    kept("key", 1, lambda: "old")
    ask, begun, may_end = slowly
    maker = ask(2)
    assert begun.wait(30)
    assert kept("key", 2, refuse) == "old"
    may_end.set()
    assert maker.result(30) == "new"


def test_others_wait_where_nothing_was_there(slowly: tuple[Fetch, Event, Event]) -> None:
    ask, begun, may_end = slowly
    maker = ask(1)
    assert begun.wait(30)
    other = ask(1)
    ended, _ = wait([other], timeout=0.2)
    assert not ended
    may_end.set()
    assert (maker.result(30), other.result(30)) == ("new", "new")
