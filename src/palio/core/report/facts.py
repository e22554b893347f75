"""What a bundle says about the design of its challenge, as JSON. The export has it as challenge.json.

Programs and hidden data appear as counts by format and class, never with content or names of files.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from palio.core.bundle.case_metrics import KINDS, WrittenMetric, measured_columns
from palio.core.bundle.contents import contents_of
from palio.core.bundle.feedback import sentence
from palio.core.bundle.leaderboards import leaderboards_of, ranking_of
from palio.core.bundle.model import Bundle, Leaderboard, Phase, Task
from palio.core.bundle.task_columns import columns_of
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile

FORMAT = "palio-challenge/1"
NAME = "challenge.json"
LABEL_COLUMNS = ("class", "label", "truth", "target", "diagnosis", "category")
MOST_CLASSES = 50  # a column with more values is no class
_TABLE_BYTES = 16 * 1024**2
_LONG_SUFFIXES = (".nii.gz", ".tar.gz")


def facts_of(bundle: Bundle, now: datetime | None = None) -> dict[str, Any]:
    """The design as the bundle has it. `now` is aware, by default the present; it decides which phases are open."""
    now = now or datetime.now(UTC)
    return {
        "format": FORMAT,
        "title": bundle.title,
        "description": bundle.description,
        "digest": bundle.digest,
        "registration": "open" if bundle.auto_approve else "approval",
        "pages": [page.title for page in bundle.pages],
        "has_terms": bundle.terms is not None,
        "questions": [{"key": each.key, "title": each.title} for each in bundle.fact_sheet],
        "tasks": [_task(task) for task in bundle.tasks],
        "phases": [_phase(bundle, phase, now) for phase in bundle.phases],
    }


def hidden_and_open(facts: Mapping[str, Any]) -> list[str]:
    """The names of phases with hidden data that have not ended; single cases of theirs are for organizers only."""
    return [each["name"] for each in facts["phases"] if each["data"] != "public" and each["state"] != "closed"]


def file_counts(path: Path | None) -> dict[str, Any] | None:
    """The number and size of the files of a folder or zip, by format; None if there is none to read."""
    if path is None or not path.exists():
        return None
    try:
        contents = contents_of(path)
    except (UnfitFile, OSError, PalioError):
        return None
    names = contents.names
    return {"files": len(names), "formats": dict(sorted(Counter(map(_suffix, names)).items()))}


def class_counts(path: Path | None) -> dict[str, dict[str, int]]:
    """Cases by class in each split of a data folder, where the layout tells: tables with a column of classes, or
    folders of classes (`training/Hand/1.png`). The key of a split is the table or folder; empty if nothing tells.
    """
    if path is None or not path.exists():
        return {}
    try:
        contents = contents_of(path)
        tables = {
            name: found
            for name in contents.names
            if name.lower().endswith(".csv") and (found := _classes_of_table(contents.head(name, _TABLE_BYTES)))
        }
    except (UnfitFile, OSError, PalioError):
        return {}
    return tables or _classes_of_folders(contents.names)


def _classes_of_table(content: bytes) -> dict[str, int]:
    if len(content) >= _TABLE_BYTES:
        return {}
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        column = next((name for name in reader.fieldnames or () if (name or "").strip().lower() in LABEL_COLUMNS), None)
        if column is None:
            return {}
        counts = Counter(row[column] for row in reader if row.get(column))
    except (csv.Error, UnicodeDecodeError):
        return {}
    return dict(sorted(counts.items())) if 1 < len(counts) <= MOST_CLASSES else {}


def _classes_of_folders(names: Iterable[str]) -> dict[str, dict[str, int]]:
    splits: dict[str, Counter[str]] = {}
    for name in names:
        above = PurePosixPath(name).parts[:-1]
        if len(above) >= 2:
            splits.setdefault(above[-2], Counter())[above[-1]] += 1
    return {split: dict(sorted(counts.items())) for split, counts in splits.items() if 1 < len(counts) <= MOST_CLASSES}


def _summed(splits: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Over all tables or folders."""
    total = Counter[str]()
    for counts in splits.values():
        total.update(counts)
    return dict(sorted(total.items()))


def long_suffix(name: str) -> str:
    """The suffix of a file's name in lower case, such as `.png` or `.nii.gz`; empty without one."""
    lower = name.lower()
    return next((each for each in _LONG_SUFFIXES if lower.endswith(each)), PurePosixPath(lower).suffix)


def _suffix(name: str) -> str:
    return long_suffix(name) or "without suffix"


def _task(task: Task) -> dict[str, Any]:
    return {
        "index": task.index,
        "name": task.name,
        "description": task.description,
        "inputs": file_counts(task.input_data),
        "reference": file_counts(task.reference_data),
        "reference_classes": _summed(class_counts(task.reference_data)),
        "has_ingestion_program": task.ingestion_program is not None,
    }


def _phase(bundle: Bundle, phase: Phase, now: datetime) -> dict[str, Any]:
    rules = phase.rules
    return {
        "index": phase.index,
        "name": phase.name,
        "description": phase.description,
        "start": phase.start.isoformat(),
        "end": phase.end.isoformat() if phase.end else None,
        "state": "soon" if now < phase.start else "closed" if phase.end and phase.end <= now else "open",
        "tasks": [task.index for task in phase.tasks],
        "data": rules.data,
        "submissions": [kind.value for kind in rules.submissions],
        "max_submissions": phase.max_submissions,
        "max_submissions_per_day": phase.max_submissions_per_day,
        "takes_over": phase.auto_migrate and phase.index > 0,
        "limits": {name: vars(getattr(rules, name)) for name in ("build", "predict", "score")},
        "logs": {name: getattr(rules, f"logs_{name}").value for name in ("sample", "predict", "score")},
        "feedback": {**vars(rules.feedback), "says": sentence(rules.feedback)},
        "hides_names": rules.blind is not None,
        "sample": file_counts(rules.sample.input) if rules.sample else None,
        "public_data": file_counts(phase.public_data),
        "public_classes": class_counts(phase.public_data),
        "statistics": _statistics(phase),
        "leaderboards": [_board(phase, board) for board in leaderboards_of(bundle, phase)],
    }


def _statistics(phase: Phase) -> dict[str, Any] | None:
    policy = phase.rules.statistics
    return None if policy is None else {**vars(policy), "metrics": dict(policy.metrics)}


def _board(phase: Phase, board: Leaderboard) -> dict[str, Any]:
    policy, ranking = phase.rules.statistics, ranking_of(phase, board)
    columns = columns_of(board.columns, phase)
    measured = measured_columns(policy, columns, board.primary) if policy else []
    metrics = {
        column.key: written for column in measured if policy and (written := policy.metric_of(column, board.primary))
    }
    known = KINDS.get(policy.kind, {}) if policy else {}
    return {
        "key": board.key,
        "title": board.title,
        "hidden": board.hidden,
        "primary": board.primary.key,
        "ranking": vars(ranking),
        "columns": [
            {
                "key": column.key,
                "title": column.title,
                "descending": column.descending,
                "precision": column.precision,
                "hidden": column.hidden,
                "computation": column.computation,
                "computation_keys": [*column.computation_keys],
                "task": column.task,
                "metric": metrics.get(column.key),
                "interval": getattr(known.get(WrittenMetric.parse(metrics.get(column.key, "")).name), "interval", None),
                "test": getattr(known.get(WrittenMetric.parse(metrics.get(column.key, "")).name), "test", None),
            }
            for column in columns
        ],
    }
