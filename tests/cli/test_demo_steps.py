from pathlib import Path

import pytest
from tests.fakes import FakeEngine

from palio.cli.demo_platform import accepted_by_its_operator
from palio.cli.demo_steps import Demo
from palio.core.engine import Enforcement, Guarantee


def test_demo_accepts_what_its_engine_does_not_enforce(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    enforcements = {"network": Enforcement.NONE, "time": Enforcement.WATCHING, "output": Enforcement.NONE}
    promises = tuple(Guarantee(name, enforcement) for name, enforcement in enforcements.items())
    engine = FakeEngine(tmp_path, promises=promises)
    demo = Demo("kubernetes", tmp_path, None, open_engine=lambda name: (engine, ""))
    assert demo._find_engine() == "kubernetes"
    assert "Not enforced here: network, output. Accepted, because you run your own program." in capfd.readouterr().out
    assert accepted_by_its_operator(demo._unenforced)["PALIO_ACCEPT_UNENFORCED"] == "network,output"
