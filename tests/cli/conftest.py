"""Fixtures of the tests that run `palio` on real engines."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bundles import write_bundle
from tests.cli.run_command import ENGINES, Outcome, Submitter

from palio.cli import main


@pytest.fixture
def palio(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Outcome:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def submitter(palio: Callable[..., Outcome], bundle: Path, tmp_path: Path, engine: str) -> Submitter:
    return Submitter(palio, bundle, tmp_path, engine)
