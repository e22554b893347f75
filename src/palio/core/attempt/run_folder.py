"""The run folder: everything about one attempt on disk, readable without Palio, the same on laptop and server.

config.json   the request              lock.json    what it resolved to: digests, limits, versions
result.json   verdict, failure, scores, and the start, duration and end of each stage
{build,sample,predict,score}.log       the output of each stage
predictions/  scores/  report.html     the collected files; sample/ has the same for the public cases
participant/  what a participant may read; see core/redaction/participant_view
receipt.json  files.json               signed digests of all of it; see core/receipt
.work/        what a new process needs to continue; removed once the attempt is over and the engine is clean
"""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from palio.core.engine import JobResult
from palio.core.errors import Failure, PalioError
from palio.core.files.staging import writing


class Stage(StrEnum):
    """The stages of an evaluation in order. Each runs at most one container."""

    BUILD = "build"
    SAMPLE = "sample"
    PREDICT = "predict"
    SCORE = "score"


class Verdict(StrEnum):
    SCORED = "scored"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class StageRecord:
    """When a stage ran and how its container ended. Values that were not observed are None."""

    started: datetime
    finished: datetime | None = None
    end: str | None = None
    exit_code: int | None = None
    peak_memory_bytes: int | None = None
    peak_pids: int | None = None
    cpu_s: float | None = None
    image: str | None = None  # of a build: the engine's id of the image

    def with_end(self, result: JobResult) -> Self:
        """With how the container ended; if it is the next task's, with the peaks and CPU time of all."""
        return replace(
            self,
            finished=datetime.now(UTC),
            end=result.end.value,
            exit_code=result.exit_code,
            peak_memory_bytes=_most(self.peak_memory_bytes, result.peak_memory_bytes),
            peak_pids=_most(self.peak_pids, result.peak_pids),
            cpu_s=result.cpu_s if self.cpu_s is None else self.cpu_s + (result.cpu_s or 0),
            image=result.image or self.image,
        )

    @property
    def wall_s(self) -> float | None:
        return (self.finished - self.started).total_seconds() if self.finished else None

    def as_json(self) -> dict[str, object]:
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)} | {"wall_s": self.wall_s}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        given = {field.name: content[field.name] for field in fields(cls)}
        return cls(**given | {name: _time(given[name]) for name in ("started", "finished")})


@dataclass
class Result:
    """The content of result.json. Grows during the evaluation."""

    started: datetime
    stages: dict[Stage, StageRecord]
    verdict: Verdict | None = None
    failure: Failure | None = None
    scores: Mapping[str, float] | None = None
    finished: datetime | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "verdict": self.verdict,
            "scores": dict(self.scores) if self.scores is not None else None,
            "failure": self.failure.as_json() if self.failure else None,
            "started": _plain(self.started),
            "finished": _plain(self.finished),
            "stages": {stage.value: record.as_json() for stage, record in self.stages.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        return cls(
            started=datetime.fromisoformat(content["started"]),
            stages={Stage(name): StageRecord.from_json(record) for name, record in content["stages"].items()},
            verdict=Verdict(content["verdict"]) if content["verdict"] else None,
            failure=Failure.from_json(content["failure"]) if content["failure"] else None,
            scores=content["scores"],
            finished=_time(content["finished"]),
        )


class RunFolder:
    """The paths of a run folder. `work` holds files staged for containers and is removed at the end."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / ".work"
        self.predictions = root / "predictions"
        self.scores = root / "scores"
        self.sample = root / "sample"
        self.report = root / "report.html"

    @classmethod
    def create(cls, root: Path | None, identity: str) -> Self:
        """Creates an empty run folder at `root`, by default runs/<time>-<identity>/ in the current folder.

        Raises PalioError "target-not-empty", "target-unwritable" or "disk-full".
        """
        if root is None:
            root = Path("runs") / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{identity}"
        with writing(root):
            if root.exists() and (not root.is_dir() or any(root.iterdir())):
                raise PalioError("target-not-empty", path=root)
            folder = cls(root.resolve())
            folder.make_work()
        return folder

    @classmethod
    def open(cls, root: Path) -> Self:
        """Opens the run folder at `root`, in any state in which a killed process may have left it.

        Raises PalioError "target-unwritable" or "disk-full".
        """
        with writing(root):
            folder = cls(root.resolve())
            folder.root.mkdir(parents=True, exist_ok=True)
            for partial in folder.root.glob(".*.json.*"):  # left by a killed `write_json`
                partial.unlink()
        return folder

    def log(self, stage: Stage) -> Path:
        return self.root / f"{stage.value}.log"

    def write_json(self, name: str, value: object) -> None:
        """Writes atomically: a reader sees the old content or the new, never a part."""
        partial = self.root / f".{name}.part"  # a leftover of a killed process is overwritten
        try:
            partial.write_text(json_text(value), encoding="utf-8")
            partial.replace(self.root / name)
        except BaseException:  # such as a full disk, which leaves an empty file
            partial.unlink(missing_ok=True)
            raise

    def read_json(self, name: str) -> Any:
        return json.loads((self.root / name).read_text(encoding="utf-8"))

    def has(self, name: str) -> bool:
        return (self.root / name).exists()

    def make_work(self) -> None:
        self.work.mkdir(parents=True, exist_ok=True)
        self.work.chmod(0o700)  # hidden inputs are staged there

    def remove_work(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)


def json_text(value: object) -> str:
    """Formats a JSON file of the run folder."""
    return json.dumps(value, indent=2, default=_plain) + "\n"


def new_identity() -> str:
    return secrets.token_hex(4)


def _most(first: int | None, second: int | None) -> int | None:
    return max((value for value in (first, second) if value is not None), default=None)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple | frozenset | set):
        return list(value)
    return value
