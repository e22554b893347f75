"""What is kept for as long as it is right, and who waits while it is made."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

import pytest

from palio.web.http import cache
from palio.web.http.cache import cached, clear, recompute_in_background

Fetch = Callable[[int], "Future[str]"]


@pytest.fixture(autouse=True)
def _nothing_is_there() -> Iterator[None]:
    clear()
    yield
    clear()


@pytest.fixture
def slowly() -> Iterator[tuple[Fetch, Event, Event]]:
    """Asks in a thread, where making begins with the first event and ends with the second."""
    begun, may_end = Event(), Event()

    def make() -> str:
        begun.set()
        assert may_end.wait(30)
        return "new"

    with ThreadPoolExecutor(4) as pool:
        yield lambda stamp: pool.submit(cached, "key", stamp, make), begun, may_end
        may_end.set()


def refuse() -> str:
    raise AssertionError("it was made once more")


def test_fresh_value_computed_once() -> None:
    assert cached("key", 1, lambda: "made") == "made"
    assert cached("key", 1, refuse) == "made"
    assert cached("another key", 1, lambda: "other") == "other"


def test_newer_stamp_recomputes() -> None:
    cached("key", 1, lambda: "old")
    assert cached("key", 2, lambda: "new") == "new"
    assert cached("key", 1, refuse) == "new"


def test_failed_value_not_cached() -> None:
    with pytest.raises(AssertionError, match="once more"):
        cached("key", 1, refuse)
    assert cached("key", 1, lambda: "made") == "made"


def test_stale_value_served_while_recomputing(slowly: tuple[Fetch, Event, Event]) -> None:
    cached("key", 1, lambda: "old")
    ask, begun, may_end = slowly
    maker = ask(2)
    assert begun.wait(30)
    assert cached("key", 2, refuse) == "old"
    may_end.set()
    assert maker.result(30) == "new"


def test_first_value_waited_for(slowly: tuple[Fetch, Event, Event]) -> None:
    ask, begun, may_end = slowly
    maker = ask(1)
    assert begun.wait(30)
    other = ask(1)
    ended, _ = wait([other], timeout=0.2)
    assert not ended
    may_end.set()
    assert (maker.result(30), other.result(30)) == ("new", "new")


@pytest.fixture
def background(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    recompute_in_background()
    monkeypatch.setattr(cache, "SLOW_S", -1.0)
    yield
    assert cache._background
    cache._background.shutdown()
    cache._background = None


@pytest.mark.usefixtures("background")
def test_slow_value_recently_fresh_not_waited_for(slowly: tuple[Fetch, Event, Event]) -> None:
    cached("key", 1, lambda: "old")
    ask, begun, may_end = slowly
    assert ask(2).result(30) == "old"
    assert begun.wait(30)
    assert cached("key", 2, refuse) == "old"
    may_end.set()
    assert cache._background
    cache._background.submit(lambda: None).result(30)
    assert cached("key", 2, refuse) == "new"


@pytest.mark.usefixtures("background")
def test_slow_value_long_stale_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cached("key", 1, lambda: "old")
    monkeypatch.setattr(cache, "MOMENT_S", 0.0)
    assert cached("key", 2, lambda: "new") == "new"


@pytest.mark.usefixtures("background")
def test_background_failure_raised_in_request(monkeypatch: pytest.MonkeyPatch) -> None:
    cached("key", 1, lambda: "old")
    assert cached("key", 2, refuse) == "old"
    assert cache._background
    cache._background.submit(lambda: None).result(30)
    monkeypatch.setattr(cache, "MOMENT_S", 0.0)
    with pytest.raises(AssertionError, match="once more"):
        cached("key", 2, refuse)
