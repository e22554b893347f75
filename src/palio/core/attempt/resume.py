"""Resumes an attempt from its run folder after a process was killed."""

from datetime import UTC, datetime

from palio.core.attempt.jobs import Attempt
from palio.core.attempt.run_folder import Result, RunFolder
from palio.core.errors import PalioError


def resume(attempt: Attempt, folder: RunFolder) -> tuple[Result, bool]:
    """Returns the result so far, and whether an earlier process started this attempt.

    Raises PalioError "target-not-empty" if the folder holds another attempt, or one with other inputs.
    """
    asked = folder.read_json("config.json") if folder.has("config.json") else None
    locked = folder.read_json("lock.json") if folder.has("lock.json") else None
    if asked and asked["identity"] != attempt.identity:
        raise PalioError("target-not-empty", path=folder.root)
    if locked:
        wanted = (attempt.submission.digest, attempt.bundle.digest, attempt.phase.name, attempt.task.name)
        if (locked["submission"]["digest"], locked["bundle"]["digest"], locked["phase"], locked["task"]) != wanted:
            raise PalioError("target-not-empty", path=folder.root)
    if folder.has("result.json"):
        return Result.from_json(folder.read_json("result.json")), True
    started = datetime.fromisoformat(asked["created"]) if asked else datetime.now(UTC)
    return Result(started=started, stages={}), asked is not None
