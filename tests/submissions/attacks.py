"""The folders under hostile/ as attacks; hostile/README.md says what is in them."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import yaml

HOME = Path(__file__).parent
HOSTILE, HONEST, ROOT = HOME / "hostile", HOME / "honest", HOME.parents[1]
EXPECTATION, GENERATOR, SCORING_PROGRAM, EARLIER = "expect.yaml", "make.py", "score.py", "earlier"
SCORING_DOCKERFILE = "score.Dockerfile"
SCORED = "scored"
BUILT_BY_DOCKER = ("docker", "kubernetes")  # engines whose images a Docker engine builds
AS_USER = "-user"  # behind an engine's name: run by an ordinary user, where the tests are run by root
# What a builder or Palio itself refuses, before the engine has a part in it. Kubernetes has Docker's builder.
ROWS_AS_ON_DOCKER = {22, 24, 25, 26, 29, 30, 34, 35}
ROWS_AS_USER = {1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 29, 31, 32, 33}


@dataclass(frozen=True)
class Expectation:
    """How an attack has to end: as one of the failures `ends` that says all of `says`, or scored with `score`."""

    ends: tuple[str, ...]
    within_s: float
    turn: str = "participant"
    says: tuple[str, ...] = ()
    score: tuple[float, float] | None = None

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        ends, score = content["ends"], content.get("score")
        return cls(
            ends=(ends,) if isinstance(ends, str) else tuple(ends),
            within_s=content["within_s"],
            turn=content.get("turn", "participant"),
            says=tuple(content.get("says", ())),
            score=tuple(score) if isinstance(score, list) else (score, score) if score is not None else None,
        )


@dataclass(frozen=True)
class Attack:
    """One folder. `not_on` says for engines it does not apply to why."""

    folder: Path
    description: str
    content: Mapping[str, Any]
    not_on: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        content = yaml.safe_load((folder / EXPECTATION).read_text(encoding="utf-8"))
        known = {"attack", "ends", "turn", "says", "score", "within_s", "not_on", "differs_on", "hands_in", "network"}
        assert not (unknown := content.keys() - known), f"{folder.name}: {unknown}"
        return cls(folder, content["attack"], content, content.get("not_on", {}))

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def scoring_program(self) -> str | None:
        """The scoring program that takes the place of the challenge's own, where the organizer is the attacker."""
        program = self.folder / SCORING_PROGRAM
        return program.read_text(encoding="utf-8") if program.exists() else None

    @property
    def earlier(self) -> Self | None:
        """What is submitted before, if it takes two submissions; it ends otherwise."""
        folder = self.folder / EARLIER
        return replace(self, folder=folder) if folder.is_dir() else None

    @property
    def scoring_dockerfile(self) -> bytes | None:
        """The Dockerfile of the scoring program, where that is the attack."""
        path = self.folder / SCORING_DOCKERFILE
        return path.read_bytes() if path.exists() else None

    def expectation(self, engine: str) -> Expectation:
        """For `bubblewrap-user`: as for bubblewrap, but where that differs."""
        differs = self.content.get("differs_on", {})
        of_engine = differs.get(engine.removesuffix(AS_USER), {})
        return Expectation.read({**self.content, **of_engine, **differs.get(engine, {})})

    def applies_to(self, engine: str) -> bool:
        """An ordinary user's sandboxes are given the attacks on limits and isolation alone; the rest is the same."""
        if engine.endswith(AS_USER) and int(self.name[:2]) not in ROWS_AS_USER:
            return False
        if engine == "kubernetes" and int(self.name[:2]) in ROWS_AS_ON_DOCKER:
            return False
        return engine not in self.not_on and engine.removesuffix(AS_USER) not in self.not_on

    def pack(self, home: Path, **values: str) -> Path:
        """The submission: what the folder's generator makes, or the honest one with the folder's files in it.

        `@name@` in the Dockerfile stands for what only the test knows, such as an image's id.
        """
        if (self.folder / GENERATOR).exists():
            target = home / "submission.zip"
            command: list[str | Path] = [sys.executable, self.folder / GENERATOR, HONEST, target]
            subprocess.run(command, check=True, timeout=60, env={"PYTHONPATH": str(ROOT)})
            return next(home.glob("submission.*"))
        context = home / "context"
        shutil.copytree(HONEST, context)
        shutil.copytree(self.folder, context, dirs_exist_ok=True, ignore=shutil.ignore_patterns(EXPECTATION, EARLIER))
        dockerfile = context / "Dockerfile"
        text = dockerfile.read_bytes()
        for name, value in values.items():
            text = text.replace(f"@{name}@".encode(), value.encode())
        dockerfile.write_bytes(text)
        return Path(shutil.make_archive(str(home / "submission"), "zip", context))


def read_attacks() -> list[Attack]:
    return [Attack.read(path.parent) for path in sorted(HOSTILE.glob(f"*/{EXPECTATION}"))]
