"""The scorer that a receipt speaks of: program, version of the challenge, and whose predictions it re-scored.

Reads the statement's lock, which anyone can have written: what has another shape than Palio's counts as not stated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SHOWN = 12  # digits of a digest


@dataclass(frozen=True)
class Scorer:
    """`programs` are the digests of the scoring programs, each once, in the order of the tasks. `version` is the number
    of the challenge's version on the platform that scored; None elsewhere. `rescored` is the attempt whose predictions
    were re-scored; empty if the attempt made its own. `image` is the bundle's image that its programs ran in.
    """

    programs: tuple[str, ...]
    version: int | None = None
    rescored: str = ""
    image: str = ""

    @property
    def sentence(self) -> str:
        named = " and ".join(digest[:_SHOWN] for digest in self.programs)
        parts = [f"scoring program {named}" if len(self.programs) == 1 else f"scoring programs {named}"]
        if self.version is not None:
            parts.append(f"version {self.version} of the challenge")
        if self.image:
            parts.append(f"in {self.image}")
        text = ", ".join(parts)
        return f"{text}; re-scored the predictions of attempt {self.rescored}" if self.rescored else text


def scorer_of(lock: Mapping[str, Any] | None) -> Scorer | None:
    """None if the lock names no scoring program, as of an attempt that failed early."""
    if lock is None:
        return None
    tasks = lock.get("tasks")
    found = [_digest(task) for task in (tasks if isinstance(tasks, list) and tasks else [lock])]
    programs = tuple(dict.fromkeys(digest for digest in found if digest))
    if not programs:
        return None
    version, rescored, image = lock.get("version"), lock.get("rescored"), lock.get("image")
    used = (image.get("substitute") or image.get("name")) if isinstance(image, dict) else ""
    return Scorer(
        programs,
        version if isinstance(version, int) else None,
        rescored if isinstance(rescored, str) else "",
        used if isinstance(used, str) else "",
    )


def _digest(task: Any) -> str:
    program = task.get("scoring_program") if isinstance(task, dict) else None
    digest = program.get("digest") if isinstance(program, dict) else None
    return digest if isinstance(digest, str) else ""
