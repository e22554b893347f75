"""Time and memory at more rows: the larger files, and what the figures say."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle
from tests.core.self_test.test_run import scoring
from tests.fakes import FakeEngine, ended

from palio.core.bundle.read import read_bundle
from palio.core.engine import End, Job, JobResult, Limits
from palio.core.quantities import GIB
from palio.core.self_test.answers import Answers
from palio.core.self_test.growth import Measured, Tables, too_long, warning
from palio.core.self_test.run import run_self_test
from palio.core.self_test.scoring import Check

NAME = "time and memory at 1, 10 and 100 times the rows"
LIMITS = Limits(time_s=60, memory_bytes=GIB, cpus=1)


def answers(folder: Path, text: str, name: str = "a.csv") -> Answers:
    folder.mkdir()
    (folder / name).write_text(text)
    return Answers(folder, {})


def test_cases_are_repeated_under_new_names(tmp_path: Path) -> None:
    predictions = answers(tmp_path / "p", "file;score;n\nb.nii.gz;1;2\na.jpg;0;2\na.jpg;3;4\n")
    reference = answers(tmp_path / "r", "id,truth\na.jpg,x\nb.nii.gz,y\n", "t.csv")
    tables = Tables.read(predictions, reference)
    assert tables
    more, expected = tables.repeated(3)
    rows = more.content("a.csv").decode().splitlines()
    assert (rows[0], len(rows), rows[4], rows[-1]) == ("file;score;n", 10, "b-1.nii.gz;1;2", "a-2.jpg;3;4")
    assert expected.content("t.csv").decode().splitlines()[3:5] == ["a-1.jpg,x", "b-1.nii.gz,y"]


def test_numbers_stay_numbers(tmp_path: Path) -> None:
    tables = Tables.read(answers(tmp_path / "p", "i,a\n1,x\n7,y\n"), answers(tmp_path / "r", "i,b\n7,x\n1,y\n"))
    assert tables
    names = [line.split(",")[0] for line in tables.repeated(3)[0].content("a.csv").decode().splitlines()[1:]]
    assert names == ["1", "7", "9", "15", "17", "23"]


@pytest.mark.parametrize("reference", ["i,b\n1,x\n2,y\n", "no table"])
def test_files_naming_other_cases(tmp_path: Path, reference: str) -> None:
    assert Tables.read(answers(tmp_path / "p", "i,a\n1,x\n7,y\n"), answers(tmp_path / "r", reference)) is None


@pytest.mark.parametrize(
    ("times", "warned"),
    [
        ((2.5, 2.5, 2.6), False),
        ((2.5, 3.4, 12.4), False),
        ((0.1, 0.2, 10.2), True),
        ((2.5, 3.4, 29), False),
        ((2.5, 3.4, 31), True),  # half of the limit
        ((0.2, 20), True),
    ],
)
def test_warning_about_growth(times: tuple[float, ...], warned: bool) -> None:
    measured = [Measured(10**place, wall_s, 1) for place, wall_s in enumerate(times)]
    assert bool(warning(measured, LIMITS)) is warned


def test_warning_about_memory() -> None:
    assert "memory" in warning([Measured(1, 1, 1), Measured(10, 1, GIB * 3 // 4)], LIMITS)


@pytest.mark.parametrize(("times", "long"), [((2.5,), False), ((31,), True), ((2, 3), False), ((2, 14), True)])
def test_growth_too_slow(times: tuple[float, ...], long: bool) -> None:
    assert too_long([Measured(10**place, wall_s, None) for place, wall_s in enumerate(times)]) is long


def growth(tmp_path: Path, timed: Callable[[int], JobResult | None], yaml: str = YAML) -> Check:
    def score(job: Job, output: Path) -> JobResult:
        reference = next(mount.source for mount in job.mounts if mount.target.endswith("ref"))
        rows = len((reference / "answers.csv").read_text().splitlines()) - 1
        return timed(rows) or scoring(job, output)

    found = read_bundle(write_bundle(tmp_path / "b", yaml=yaml))
    (tmp_path / "work").mkdir()
    engine = FakeEngine(tmp_path / "engine", {"score": score})
    for check in run_self_test(found, found.phases[0], engine, tmp_path / "work"):
        if check.name == NAME:
            return check
    raise AssertionError("nothing was measured")


def test_figures_of_a_scoring_program(tmp_path: Path) -> None:
    check = growth(tmp_path, lambda rows: None)
    assert check.passed
    assert [part.split(":")[0] for part in check.outcome.split("; ")] == ["1x", "10x", "100x"]


def test_growth_program_stopped(tmp_path: Path) -> None:
    check = growth(tmp_path, lambda rows: ended(End.TIME, None, seconds=20) if rows > 3 else None)
    assert check.passed is None
    assert "10x: stopped by its time limit" in check.outcome


def test_growth_beyond_output_limit(tmp_path: Path) -> None:
    yaml = YAML.replace("output: 1 MiB", "output: 2 KiB")
    assert "100x skipped" in growth(tmp_path, lambda rows: None, yaml).outcome
