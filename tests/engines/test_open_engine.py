"""Which engine `open_engine` picks, and what it says of the choice."""

import pytest

from palio.core.errors import PalioError
from palio.engines import open_engine
from palio.engines.fault import Unavailable

NO_DOCKER = Unavailable("the Docker engine does not respond", "Start it.")
NO_BUBBLEWRAP = Unavailable("bwrap is not installed", "Install bubblewrap.")


def test_an_engine_that_was_named_needs_no_reason() -> None:
    assert open_engine("bubblewrap", {"bubblewrap": None}.get)[1] == ""


def test_auto_says_why_it_took_bubblewrap() -> None:
    engine, why = open_engine("auto", {"docker": NO_DOCKER, "bubblewrap": None}.get)
    assert engine.describe().startswith("bubblewrap")
    assert why == " (because Docker is unavailable: the Docker engine does not respond)"


def test_without_any_engine_both_reasons_are_given() -> None:
    with pytest.raises(PalioError) as raised:
        open_engine("auto", {"docker": NO_DOCKER, "bubblewrap": NO_BUBBLEWRAP}.get)
    assert "does not respond; bwrap is not installed" in str(raised.value)
    assert raised.value.failure.next_step == "Start it. Or: Install bubblewrap."
