"""What the controller knows of its engine, as that changes."""

import threading
from pathlib import Path

from tests.fakes import FakeEngine

from palio.core.engine import Enforcement, Guarantee
from palio.web.controller.engines import Engines, EngineWatch

NOT_TESTED = Guarantee("pids", Enforcement.NONE, "no node was ready to test it")
TESTED = Guarantee("pids", Enforcement.KERNEL, "tested")


def watch(*promises: Guarantee, open_again_s: float = 300.0) -> EngineWatch:
    """Of an engine that promises each of these, one after the other, when it is opened."""
    opened = [FakeEngine(Path(), name="kubernetes", promises=(each,)) for each in promises]
    engines = Engines(lambda _: (opened.pop(0), ""), lambda _: None)
    return EngineWatch("kubernetes", engines, threading.Event(), open_again_s=open_again_s)


def test_what_an_engine_did_not_enforce_is_looked_at_again() -> None:
    """The API server was killed while the engine tested what the cluster enforces."""
    made = watch(NOT_TESTED, TESTED, open_again_s=-1.0)
    seen = []
    for _ in range(3):  # the third time, there is nothing to open
        made.look()
        seen.append(made.found.unenforced)
    assert seen == [("pids",), (), ()]


def test_it_is_not_looked_at_all_the_time() -> None:
    made = watch(NOT_TESTED)
    for _ in range(2):
        made.look()
    assert made.found.unenforced == ("pids",)
