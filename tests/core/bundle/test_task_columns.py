"""Columns of single tasks, and the scores of all tasks as one row."""

from pathlib import Path

import pytest
from tests.bundles import YAML, two_tasks, write_bundle

from palio.core.bundle.read import read_bundle
from palio.core.bundle.task_columns import columns_of, combined, own_columns


def test_task_columns(tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path / "b", yaml=two_tasks()))
    columns = bundle.leaderboard.columns
    assert [(column.key, column.title, column.task) for column in columns] == [
        ("accuracy", "Accuracy", None),
        ("accuracy@0", "Accuracy, Vowels", 0),
        ("accuracy@1", "Accuracy, Again", 1),
    ]
    assert bundle.leaderboard.primary == columns[0]
    assert own_columns(columns) == [columns[0]]


def test_single_task_columns(tmp_path: Path) -> None:
    phases = "  - {index: 0, name: First, start: 2025-01-01, end: 2025-02-01, tasks: [0]}\n"
    yaml = (
        two_tasks()
        .replace("phases:\n", f"phases:\n{phases}")
        .replace("  - max_submissions: 20\n    name: Final", "  - index: 1\n    name: Final")
    )
    bundle = read_bundle(write_bundle(tmp_path / "b", yaml=yaml))
    first, final = bundle.phases
    columns = bundle.leaderboard.columns
    assert [column.key for column in columns_of(columns, first)] == ["accuracy"]
    assert columns_of(columns, final) == list(columns)


def test_single_task_scores(tmp_path: Path) -> None:
    bundle = read_bundle(write_bundle(tmp_path / "b", yaml=YAML))
    assert [column.key for column in bundle.leaderboard.columns] == ["accuracy"]


def test_mean_with_missing_task() -> None:
    found = combined({0: {"dice": 0.5, "time": 2.0}, 3: {"dice": 0.7}})
    assert found == {"dice": pytest.approx(0.6), "dice@0": 0.5, "time@0": 2.0, "dice@3": 0.7}
