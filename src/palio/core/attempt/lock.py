"""Writes lock.json: the digests, limits and versions that determine an attempt's outcome."""

import platform
from dataclasses import asdict
from pathlib import Path

import palio
from palio.core.attempt.bundle_image import BundleImage
from palio.core.bundle.leaderboards import leaderboards_of, ranking_of
from palio.core.bundle.model import Bundle, Leaderboard, Phase, Rules, SubmissionKind, Task
from palio.core.engine import Engine
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile
from palio.core.files.tree import RULE, digest_copy
from palio.core.submission.kinds import SubmissionFile
from palio.core.submission.reference import read_reference

PHANTOM_NOTICE = "PHANTOM.txt"  # lies next to reference data that belongs to synthetic images


def lock(
    *,
    bundle: Bundle,
    phase: Phase,
    task: Task,
    submission: SubmissionFile,
    engine: Engine,
    code: str | None = None,
    image: BundleImage | None = None,
    version: int | None = None,
    rescored: str = "",
) -> dict[str, object]:
    """Returns the content of lock.json. Runs whose locks differ only in engine, host and image evaluated the same.

    `task` is the phase's first task; `tasks` is only there if it has several, and so is `leaderboards`. `code` says how
    a code submission starts (core.attempt.code). `image` is the bundle's image or its substitute, if a program runs in
    it. `version` (of the challenge, on a platform) and `rescored` (the attempt whose predictions are scored) are only
    there if known.

    The submission's image is not included: it is built from the submission, and its id differs between engines.
    result.json has it.
    """
    several = phase.tasks if len(phase.tasks) > 1 else ()
    boards = leaderboards_of(bundle, phase)
    return {
        "bundle": {"title": bundle.title, "digest": bundle.digest},
        "phase": phase.name,
        "task": task.name,
        "submission": {"kind": submission.kind, "digest": submission.digest, "name": submission.name}
        | ({"runs": code} if code else {})
        | _reference(submission),
        **_digests(bundle, task),
        **({"tasks": [_task(bundle, each) for each in several]} if several else {}),
        "image": image.as_json() if image else None,
        **({"version": version} if version is not None else {}),
        **({"rescored": rescored} if rescored else {}),
        "digest_rule": RULE,
        "limits": _limits(phase.rules),
        "blind": phase.rules.blind is not None,
        "leaderboard": _leaderboard(boards[0]),
        **({"leaderboards": [{"key": each.key, **_leaderboard(each)} for each in boards]} if boards[1:] else {}),
        "statistics": asdict(phase.rules.statistics) if phase.rules.statistics else None,
        "ranking": asdict(ranking_of(phase, boards[0])),
        "phantom": any(map(is_phantom, phase.tasks)),
        "palio": palio.__version__,
        "engine": {
            "name": engine.name,
            "version": engine.describe(),
            "guarantees": [asdict(guarantee) for guarantee in engine.guarantees()],
        },
        "host": {"platform": platform.platform(), "machine": platform.machine(), "python": platform.python_version()},
    }


def _reference(submission: SubmissionFile) -> dict[str, object]:
    """What a reference was pinned to. Without its file, as in a re-score, the digest covers it."""
    if submission.kind is not SubmissionKind.REFERENCE or not submission.path.is_file():
        return {}
    found = read_reference(submission.path, submission.name)
    return {
        "reference": {
            "image": found.name,
            "tag": found.tag,
            "manifest": found.manifest,
            "platform": found.platform,
        }
    }


def _leaderboard(board: Leaderboard) -> dict[str, object]:
    columns = [asdict(column) for column in board.columns]
    return {"title": board.title, "primary": board.primary.key, "columns": columns}


def _task(bundle: Bundle, task: Task) -> dict[str, object]:
    return {"task": task.name, "index": task.index, **_digests(bundle, task)}


def _digests(bundle: Bundle, task: Task) -> dict[str, object]:
    return {
        "input_data": _digest(bundle, task.input_data),
        "reference_data": _digest(bundle, task.reference_data),
        "scoring_program": _digest(bundle, task.scoring_program, executable=True),
        "ingestion_program": _digest(bundle, task.ingestion_program, executable=True),
    }


def is_phantom(task: Task) -> bool:
    """Whether the task's images are synthetic. Anything that shows scores on them must say so."""
    data = task.reference_data
    return data is not None and data.is_dir() and (data / PHANTOM_NOTICE).is_file()


def _digest(bundle: Bundle, path: Path | None, *, executable: bool = False) -> dict[str, str] | None:
    """Digests what a job sees of `path`, which is what attempt.prepared copies."""
    if path is None or not path.exists():
        return None
    try:
        return {"digest": digest_copy(path, executable=executable, within=bundle.root)}
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=path, reason=fault) from fault


def _limits(rules: Rules) -> dict[str, object]:
    return {"build": asdict(rules.build), "predict": asdict(rules.predict), "score": asdict(rules.score)}
