"""What experiments find out about a scoring program, which runs here as a plain process."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, SCORE, YAML, answers, write_bundle
from tests.fakes import FakeEngine, ended

from palio.core.bundle.read import read_bundle
from palio.core.engine import Job, JobResult
from palio.core.self_test.run import phases_to_test, run_self_test
from palio.core.self_test.scoring import Check

FIRST = "the reference data as predictions"
MISSING_ARE_LEFT_OUT = SCORE.replace("if missing:", "if False:").replace(
    "right = sum(given[name] == answer for name, answer in truth.items())",
    "truth = {name: answer for name, answer in truth.items() if name in given} or {'': ''}\n"
    "right = sum(given.get(name) == answer for name, answer in truth.items())",
)
HEAD = SCORE.split("truth =")[0]


def scoring(job: Job, output: Path) -> JobResult:
    """Runs the job's command with the folders of /app in a folder of this test."""
    app = output.parent / "app"
    for mount in (*job.mounts, *job.own_copies):
        place = app / mount.target.removeprefix("/app/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(mount.source)
    place = app / "output"
    place.unlink(missing_ok=True)
    place.symlink_to(output)
    words = [word.replace("/app", str(app)) for word in job.command or ()]
    environment = {"PYTHONHASHSEED": "0", **job.environment}
    ran = subprocess.run(
        [sys.executable, *words[1:]], cwd=app / "program", env=environment, capture_output=True, text=True
    )
    job.log.write_text((ran.stdout + ran.stderr).replace(str(app), "/app"))
    return ended(exit_code=ran.returncode)


def experiments(bundle: Path, work: Path) -> dict[str, Check]:
    work.mkdir()
    engine = FakeEngine(work / "engine", {"score": scoring})
    found = read_bundle(bundle)
    return {check.name: check for check in run_self_test(found, found.phases[0], engine, work)}


def failed(checks: dict[str, Check]) -> list[str]:
    return [name for name, check in checks.items() if check.passed is False]


def test_scores_that_change(tmp_path: Path) -> None:
    lucky = f'{HEAD}(target / "scores.json").write_text(json.dumps({{"accuracy": __import__("random").random()}}))\n'
    report = experiments(write_bundle(tmp_path / "b", score=lucky), tmp_path / "work")
    assert "the same predictions again" in failed(report)


def test_scores_that_depend_on_the_hash_seed(tmp_path: Path) -> None:
    hashed = f'{HEAD}(target / "scores.json").write_text(json.dumps({{"accuracy": hash("a") % 1000 / 1000}}))\n'
    report = experiments(write_bundle(tmp_path / "b", score=hashed), tmp_path / "work")
    assert report["the same predictions again"].passed
    assert "the same predictions with another hash seed" in failed(report)


def test_omitted_difficult_cases(tmp_path: Path) -> None:
    report = experiments(write_bundle(tmp_path / "b", score=MISSING_ARE_LEFT_OUT), tmp_path / "work")
    assert failed(report) == ["only the first half of the rows"]


@pytest.mark.parametrize("fault", ["import no_such_library\n", "(\n", "open('/app/input/ref/no-such-file')\n"])
def test_program_log_shown_on_failure(fault: str, tmp_path: Path) -> None:
    report = experiments(write_bundle(tmp_path / "b", score=HEAD + fault), tmp_path / "work")
    assert failed(report) == [FIRST]
    assert any("Error" in line for line in report[FIRST].log)


def test_predictions_form_differs_from_reference(tmp_path: Path) -> None:
    other = f'{HEAD}scores = [float(line) for line in (source / "res" / "answers.csv").open()]\n'
    report = experiments(write_bundle(tmp_path / "b", score=other), tmp_path / "work")
    assert ([*report], report[FIRST].passed) == ([FIRST], None)
    assert any("ValueError" in line for line in report[FIRST].log)


ASKS = """\
if not (source / "res" / "answers.csv").exists():
    raise SystemExit("The file must be named 'answers.csv', but 'truth.csv' was found.")
"""


@pytest.mark.parametrize("asks", ["", ASKS])
def test_reference_data_renamed_for_program(asks: str, tmp_path: Path) -> None:
    score = HEAD + asks + SCORE.removeprefix(HEAD).replace('"ref" / "answers.csv"', '"ref" / "truth.csv"')
    bundle = write_bundle(tmp_path / "b", score=score)
    (bundle / "reference_data/answers.csv").rename(bundle / "reference_data/truth.csv")
    report = experiments(bundle, tmp_path / "work")
    assert report[f"{FIRST}, named answers.csv"].outcome == "accuracy 1"


@pytest.mark.parametrize("data", ["truth.zip", "reference_data/answers.csv"])
def test_reference_data_in_every_form(data: str, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", yaml=YAML.replace(": reference_data", f": {data}"))
    with zipfile.ZipFile(bundle / "truth.zip", "w") as archive:
        archive.write(bundle / "reference_data/answers.csv", "answers.csv")
    report = experiments(bundle, tmp_path / "work")
    assert report[FIRST].outcome == "accuracy 1"


@pytest.mark.parametrize("right", [True, False])
def test_own_solution_is_run(right: bool, tmp_path: Path) -> None:
    yaml = YAML.replace("phases:", "solutions:\n  - {index: 0, tasks: [0], path: solution}\nphases:")
    bundle = write_bundle(tmp_path / "b", yaml=yaml)
    (bundle / "solution").mkdir()
    given = ANSWERS if right else {"one.txt": "yes"}
    (bundle / "solution" / "answers.csv").write_text(answers(given))
    report = experiments(bundle, tmp_path / "work")
    name = "the bundle's own solution, solution"
    assert (report[name].passed, report[name].solution) == (right, "solution")
    assert failed(report) == ([] if right else [name])
    assert (FIRST in report) is not right  # tried instead


@pytest.mark.parametrize("is_there", [True, False])
def test_own_solution_without_files_is_not_tested(is_there: bool, tmp_path: Path) -> None:
    yaml = YAML.replace("phases:", "solutions:\n  - {index: 0, tasks: [0], path: solution}\nphases:")
    bundle = write_bundle(tmp_path / "b", yaml=yaml)
    if is_there:
        (bundle / "solution").mkdir()
    report = experiments(bundle, tmp_path / "work")
    solution = report["the bundle's own solution, solution"]
    assert (solution.passed, solution.outcome) == (
        None,
        "does not exist or is empty, so it was not tested; put it there",
    )
    assert report[FIRST].passed


def test_own_solution_with_failing_program(tmp_path: Path) -> None:
    yaml = YAML.replace("phases:", "solutions:\n  - {index: 0, tasks: [0], path: solution.csv}\nphases:")
    bundle = write_bundle(tmp_path / "b", yaml=yaml, score=f"{HEAD}import no_such_library\n")
    (bundle / "solution.csv").write_text(answers(ANSWERS))
    report = experiments(bundle, tmp_path / "work")
    assert failed(report) == ["the bundle's own solution, solution.csv", FIRST, "correct answers are scored"]


def test_reference_data_scores_like_empty(tmp_path: Path) -> None:
    zero = f'{HEAD}(target / "scores.json").write_text(json.dumps({{"accuracy": 0}}))\n'
    report = experiments(write_bundle(tmp_path / "b", score=zero), tmp_path / "work")
    assert failed(report) == []
    assert report["an empty answers.csv"].passed is None


def test_constant_scores_of_a_solution_are_noted(tmp_path: Path) -> None:
    """Such as a first bundle whose program does not look at predictions yet."""
    constant = f'{HEAD}(target / "scores.json").write_text(json.dumps({{"accuracy": 0.5}}))\n'
    solutions = "solutions:\n  - {index: 0, path: solution, tasks: [0]}\n"
    bundle = write_bundle(tmp_path / "b", score=constant, yaml=YAML + solutions)
    (bundle / "solution").mkdir()
    (bundle / "solution" / "answers.csv").write_text(answers(ANSWERS))
    report = experiments(bundle, tmp_path / "work")
    assert failed(report) == []
    assert report["no rows"].passed is None
    assert report["no rows"].outcome.startswith("the same scores as for all other predictions")


def test_equal_phases_tested_once(tmp_path: Path) -> None:
    again = "  - {index: 1, name: Alike, start: 2026-02-01, tasks: [0]}\n"
    other = "  - {index: 2, name: Other, start: 2026-03-01, tasks: [0], palio: {submissions: [results]}}\n"
    yaml = YAML.replace("start: 2026-01-01", "start: 2026-01-01\n    end: 2026-01-02")
    again = again.replace("02-01,", "02-01, end: 2026-02-02,")
    yaml = yaml.replace("leaderboards:", f"{again}{other}leaderboards:")
    phases = phases_to_test(read_bundle(write_bundle(tmp_path / "b", yaml=yaml)))
    assert [phase.name for phase in phases] == ["Final", "Other"]
