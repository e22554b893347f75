"""Whether scores follow from the file of single cases, as the program writes it."""

from pathlib import Path

import pytest
from tests.bundles import SCORE, YAML, write_bundle
from tests.core.self_test.test_run import experiments, failed

STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
WRITE = """\
rows = [f"{{name}},{{answer}},{{given[name]}}" for name, answer in {cases}]
(target / "{file}").write_text("\\n".join(["file,truth,prediction", *rows]))
"""
NAME = "the scores follow from cases.csv"


@pytest.mark.parametrize(
    ("cases", "file", "passed", "outcome"),
    [
        ("truth.items()", "cases.csv", True, "accuracy"),
        # Right for the reference data, where all cases are right.
        ("list(truth.items())[:1]", "cases.csv", False, "the accuracy of scores/cases.csv is "),
        ("truth.items()", "case.csv", False, "scores/cases.csv is missing"),
    ],
)
def test_scores_follow_from_cases(tmp_path: Path, cases: str, file: str, passed: bool, outcome: str) -> None:
    score = SCORE + WRITE.format(cases=cases, file=file)
    report = experiments(write_bundle(tmp_path / "b", yaml=YAML + STATISTICS, score=score), tmp_path / "work")
    assert report[NAME].passed is passed
    assert report[NAME].outcome.startswith(outcome)
    assert failed(report) == ([] if passed else [NAME])
    assert ("no intervals" in report[NAME].next_step) is not passed


def test_nothing_is_compared_without_statistics(tmp_path: Path) -> None:
    assert NAME not in experiments(write_bundle(tmp_path / "b"), tmp_path / "work")
