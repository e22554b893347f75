"""The note that a job waits for room: written by the worker, read by pages and controllers."""

import os
import time
from pathlib import Path

import pytest

from palio.core.attempt.waiting import FRESH_S, WaitingNote, read_waiting
from palio.core.engine import Waiting


def test_note_is_read_until_the_job_starts(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    note = WaitingNote(tmp_path)
    note.write(None)
    assert read_waiting(tmp_path) is None
    for waiting in (Waiting(3), Waiting(2), Waiting()):
        note.write(waiting)
        assert read_waiting(tmp_path) == waiting
    note.write(None)
    assert [*(tmp_path / ".work").iterdir()] == []


def test_note_of_a_worker_that_is_gone_counts_as_nothing(tmp_path: Path) -> None:
    (tmp_path / ".work").mkdir()
    WaitingNote(tmp_path).write(Waiting(3))
    old = time.time() - FRESH_S - 5
    os.utime(tmp_path / ".work/waiting.json", (old, old))
    assert read_waiting(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "\x00"])
def test_unreadable_note_counts_as_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / ".work").mkdir()
    (tmp_path / ".work/waiting.json").write_text(content)
    assert read_waiting(tmp_path) is None


def test_attempt_that_is_over_has_no_place_for_it(tmp_path: Path) -> None:
    WaitingNote(tmp_path).write(Waiting(3))
    assert [*tmp_path.iterdir()] == []
