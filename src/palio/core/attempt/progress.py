"""Records an attempt's progress in the run folder's .work, so that a new process can continue.

    <folder>/        prepared for a container, complete; <folder>.half/ while in preparation
    <job>.json       the job was started; once it finishes, its result
    <step>.done      a step that must not be repeated, because a container may be reading its output

Covered: a process killed at any moment. Each entry appears atomically, by a rename, after what it records. Not covered:
power loss, because nothing is synced to disk; two processes working on one attempt.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from palio.core.engine import JobResult, Work


class Progress:
    def __init__(self, work: Path) -> None:
        self.work = work

    def folder(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder `name`, filled by `make`. Created once and only ever visible when complete."""
        place = self.work / name
        if not place.exists():
            half = self.work / f"{name}.half"
            clear(half)
            half.mkdir(parents=True)
            make(half)
            half.rename(place)
        return place

    def is_done(self, step: str) -> bool:
        return (self.work / f"{step}.done").exists()

    def note_done(self, step: str) -> None:
        (self.work / f"{step}.done").touch()

    def is_started(self, work: Work) -> bool:
        return self._record(work).exists()

    def note_start(self, work: Work) -> None:
        self._write(work, None)

    def result(self, work: Work) -> JobResult | None:
        """The recorded result, or None."""
        if not self.is_started(work):
            return None
        content: dict[str, Any] | None = json.loads(self._record(work).read_text())
        return JobResult.from_json(content) if content else None

    def note_end(self, work: Work, result: JobResult) -> None:
        self._write(work, result.as_json())

    def _record(self, work: Work) -> Path:
        return self.work / f"{work.name}.json"

    def _write(self, work: Work, content: dict[str, Any] | None) -> None:
        half = self.work / f"{work.name}.json.half"
        half.write_text(json.dumps(content))
        half.replace(self._record(work))


def clear(folder: Path) -> None:
    """Removes what a killed process may have left of a folder, so that it can be created again."""
    if folder.exists():
        shutil.rmtree(folder)
