"""What an attempt sees of an engine that goes away and comes back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.fakes import FakeEngine

from palio.core.engine import Engine, Limits
from palio.core.errors import PalioError
from palio.engines.fault import Unavailable
from palio.web.controller.engine_retry import RetryingEngine
from palio.web.controller.engines import Engines

LIMITS = Limits(time_s=1, memory_bytes=1 << 20, cpus=1)


class Failing(FakeEngine):
    """`check` fails as often as it is told to."""

    def __init__(self, *failures: PalioError) -> None:
        super().__init__(Path())
        self.failures = [*failures]

    def check(self, limits: Limits) -> None:
        if self.failures:
            raise self.failures.pop(0)


def unreachable() -> PalioError:
    return PalioError("cluster-unreachable", reason="connection refused", next_step="Start it.")


def retrying(
    engine: Engine, fault: Callable[[], Unavailable | None], back_s: float = 60.0
) -> tuple[RetryingEngine, list[float]]:
    """With how long it has waited."""
    waited: list[float] = []
    engines = Engines(lambda _: (engine, ""), lambda _: fault())
    return RetryingEngine("kubernetes", engines, waited.append, back_s=back_s), waited


def test_cluster_that_is_back_when_asked_is_tried_again() -> None:
    """The API server was killed during a call, and is up again before anybody has asked how it is."""
    engine, waited = retrying(Failing(unreachable(), unreachable()), lambda: None)
    engine.check(LIMITS)
    assert len(waited) == 2


def test_cluster_that_responds_but_not_to_a_call_ends_the_attempt() -> None:
    engine, waited = retrying(Failing(unreachable()), lambda: None, back_s=0.0)
    with pytest.raises(PalioError, match="does not respond"):
        engine.check(LIMITS)
    assert waited == []


def test_fault_of_an_engine_that_responds_ends_the_attempt() -> None:
    fault = PalioError("engine-fault", engine="kubernetes", action="starting x", reason="it broke")
    engine, waited = retrying(Failing(fault), lambda: None)
    with pytest.raises(PalioError, match="it broke"):
        engine.check(LIMITS)
    assert waited == []


def test_unreachable_engine_is_waited_for() -> None:
    faults = [Unavailable("it is down", "Start it."), None]
    engine, waited = retrying(Failing(unreachable()), lambda: faults.pop(0))
    engine.check(LIMITS)
    assert len(waited) == 1
