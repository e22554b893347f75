"""Run folders as `palio run` writes them, made of a few facts, for tests of what reads them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
CASES = 600

F1 = {
    "key": "f1",
    "title": "F1",
    "descending": True,
    "precision": 4,
    "hidden": False,
    "computation": None,
    "computation_keys": [],
}
SECONDS = F1 | {"key": "seconds", "title": "Seconds", "descending": False, "precision": 1}
LOCK: dict[str, Any] = {
    "bundle": {"title": "MedNIST classification", "digest": "b" * 64},
    "phase": "Final",
    "input_data": {"digest": "1" * 64},
    "reference_data": {"digest": "2" * 64},
    "submission": {"kind": "context", "digest": "3" * 64, "name": "s.zip"},
    "leaderboard": {"title": "Results", "primary": "f1", "columns": [F1, SECONDS]},
    "statistics": {"cases": "cases.csv", "kind": "classification", "metric": "accuracy"},
    "ranking": {"choose": "best", "ties": "min"},
    "phantom": False,
}


def write_run(
    folder: Path,
    *,
    label: str = "",
    wrong: Sequence[int] | None = (),
    scores: Mapping[str, float] | None = None,
    result: Mapping[str, Any] | None = None,
    lock: Mapping[str, Any] | None = None,
    minute: int = 0,
) -> Path:
    """A run that got the cases `wrong` wrong (None: it has no file of cases), or ended as `result` says."""
    folder.mkdir(parents=True)
    lock = LOCK | dict(lock or {})
    config = {"label": label or f"{folder.name}.zip", "submission": "s.zip", "challenge": "c", "engine": "docker"}
    _write(folder / "config.json", config | {"phase": lock["phase"], "created": f"2026-01-01T00:{minute:02}:00+00:00"})
    if result is None:
        scores = scores or {"f1": 1 - len(wrong or ()) / CASES, "seconds": 12.25}
        result = {"verdict": "scored", "scores": scores, "failure": None}
    if result.get("verdict") == "scored":
        _write(folder / "lock.json", lock)
        if wrong is not None:
            write_cases(folder / "scores" / "cases.csv", wrong)
    _write(folder / "result.json", dict(result))
    return folder


def write_cases(path: Path, wrong: Sequence[int]) -> None:
    """100 cases of each class; those that are wrong are taken for the next class."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "truth", "prediction"])
        for case in range(CASES):
            truth = case % len(CLASSES)
            said = (truth + (case in wrong)) % len(CLASSES)
            rows.writerow([f"{case:04}.jpg", CLASSES[truth], CLASSES[said]])


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content))
