"""The phase that is meant, before, between, in and after the phases of a challenge."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle

from palio.core.bundle.model import Bundle
from palio.core.bundle.pick_phase import find_phase, phase_state, pick_phase
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

PHASES = """\
  - {index: 0, name: Practice, start: 2026-01-01, end: 2026-02-01 00:00, tasks: [0]}
  - {index: 1, name: Final, start: 2026-03-01, end: 2026-04-01 00:00, tasks: [0]}
  - {index: 2, name: Open end, start: 2026-04-01, tasks: [0]}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    before, after = YAML.split("  - max_submissions: 20\n    name: Final\n    start: 2026-01-01\n    tasks: [0]\n")
    return read_bundle(write_bundle(tmp_path / "bundle", yaml=before + PHASES + after))


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "picked"),
    [
        (at(12, 1, 2025), "Practice"),  # before all: the first to open
        (at(1, 1), "Practice"),
        (at(2, 1), "Final"),  # between two: the next to open
        (at(3, 1), "Final"),
        (at(4, 1), "Open end"),
        (at(12, 1), "Open end"),
    ],
)
def test_pick_phase_without_a_name(bundle: Bundle, now: datetime, picked: str) -> None:
    assert pick_phase(bundle, None, now).name == picked


def test_pick_phase_after_all(bundle: Bundle) -> None:
    assert phase_state(bundle.phases[1], at(4, 1)) == "closed"
    closed = type(bundle)(**{**vars(bundle), "phases": bundle.phases[:2]})
    assert pick_phase(closed, None, at(12, 1)).name == "Final"


def test_pick_phase_by_name_ignoring_case(bundle: Bundle) -> None:
    assert pick_phase(bundle, "open END", at(1, 1)) is bundle.phases[2]
    assert find_phase(bundle, "final") is bundle.phases[1]


def test_pick_phase_unknown(bundle: Bundle) -> None:
    assert find_phase(bundle, "Semifinal") is None
    with pytest.raises(PalioError) as refused:
        pick_phase(bundle, "Semifinal")
    assert refused.value.failure.code == "phase-unknown"


def test_phase_state_around_start_and_end(bundle: Bundle) -> None:
    times = [at(12, 31, 2025), at(1, 1), at(1, 31), at(2, 1)]
    assert [phase_state(bundle.phases[0], time) for time in times] == ["soon", "open", "open", "closed"]
