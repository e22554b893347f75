from pathlib import Path

import click
import pytest
from tests.fakes import FakeEngine

from palio.cli import demo_platform, demo_steps
from palio.cli.demo_platform import accepted_by_its_operator, submit_as_participant
from palio.cli.demo_steps import Demo
from palio.cli.submit import submit
from palio.client.login import TOKEN, URL
from palio.core.engine import Enforcement, Guarantee


def test_demo_accepts_what_its_engine_does_not_enforce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    enforcements = {"network": Enforcement.NONE, "time": Enforcement.WATCHING, "output": Enforcement.NONE}
    promises = tuple(Guarantee(name, enforcement) for name, enforcement in enforcements.items())
    engine = FakeEngine(tmp_path, promises=promises)
    monkeypatch.setattr(demo_steps, "open_engine", lambda name: (engine, "as requested"))
    demo = Demo("kubernetes", tmp_path, None)
    assert demo._find_engine() == "kubernetes"
    assert "Not enforced here: network, output. Accepted, because you run your own program." in capfd.readouterr().out
    assert accepted_by_its_operator(demo._unenforced)["PALIO_ACCEPT_UNENFORCED"] == "network,output"


def test_demo_submits_with_the_options_of_palio_submit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: dict[str, object] = {}
    monkeypatch.setattr(submit, "callback", lambda **options: given.update(options) or 10)
    monkeypatch.setattr(demo_platform, "join", click.Command("join", callback=lambda **_: None))
    monkeypatch.setattr(demo_platform, "_sign_up", lambda address, name: "token")
    for name in (URL, TOKEN):
        monkeypatch.setenv(name, "")
    with click.Context(submit):
        assert submit_as_participant("http://127.0.0.1:9", tmp_path / "submission.zip") == 10
    assert given.keys() == {option.name for option in submit.params}
    assert (given["submission"], given["wait"]) == (str(tmp_path / "submission.zip"), True)
