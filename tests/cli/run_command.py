"""Runs `palio` in this process, and submissions to a small challenge."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.bundles import DOCKERFILE, PREDICT, write_context

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    out: str
    err: str


@dataclass
class Submitter:
    """Packs and runs a folder; returns the outcome and its failure."""

    palio: Callable[..., Outcome]
    bundle: Path
    home: Path
    engine: str

    def run(self, *, predict: str = PREDICT, dockerfile: str = DOCKERFILE) -> Outcome:
        context = write_context(self.home / "context", predict=predict, dockerfile=dockerfile)
        subprocess.run(["zip", "-q", "-r", self.home / "s.zip", "."], cwd=context, check=True)
        return self.palio("run", "s.zip", "--challenge", self.bundle, "--engine", self.engine, "-o", "run", "--json")

    def failure(self, **submission: str) -> dict[str, object]:
        outcome = self.run(**submission)
        failure: dict[str, object] = json.loads(outcome.out)["failure"]
        assert str(failure["message"]) in outcome.err
        assert outcome.exit_code == {"participant": 10, "organizer": 11, "platform": 12}[str(failure["cause"])]
        return failure
