"""What the single cases of a submission say: matrix, classes, distributions, groups, worst cases."""

from pathlib import Path

import numpy as np
import pytest
from tests.run_folders import CASES, write_run

from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.leaderboard.case_summary import summarize

F1 = Column("f1", "F1", descending=True, precision=3, hidden=False)
ACCURACY = StatisticsPolicy("cases.csv", "classification", "accuracy")


def with_rows(folder: Path, rows: list[str]) -> Path:
    write_run(folder, wrong=None)
    (folder / "scores").mkdir()
    (folder / "scores" / "cases.csv").write_text("\n".join(rows))
    return folder


def test_summary_of_classification(tmp_path: Path) -> None:
    found = summarize(write_run(tmp_path / "a", wrong=[0, 1, 6]), ACCURACY, F1, {"f1": 1 - 3 / CASES})
    assert (found["kind"], found["cases"], found["has_other"]) == ("classification", 600, False)
    first, second, *_ = found["classes"]
    assert (first["name"], first["cases"], first["right"], first["predicted"]) == ("AbdomenCT", 100, 98, 98)
    assert (first["low"], first["high"]) == pytest.approx((0.9300, 0.9945), abs=1e-4)  # Wilson
    assert (second["right"], second["predicted"]) == (99, 101)
    assert found["matrix"][0] == [98, 2, 0, 0, 0, 0, 0]
    assert np.array(found["matrix"]).sum() == 600
    assert found["worst"] == [
        {"number": 1, "truth": "AbdomenCT", "prediction": "BreastMRI"},
        {"number": 2, "truth": "BreastMRI", "prediction": "CXR"},
        {"number": 7, "truth": "AbdomenCT", "prediction": "BreastMRI"},
    ]
    low, high = found["interval"]
    assert low < 1 - 3 / CASES < high
    assert found["groups"]["class"]["AbdomenCT"]["score"] == 0.98


def test_prediction_that_is_no_class(tmp_path: Path) -> None:
    rows = ["file,truth,prediction", *(f"{n},{'ab'[n % 2]},{'ab'[n % 2]}" for n in range(20)), "20,a,\x1b[31mx"]
    found = summarize(with_rows(tmp_path / "a", rows), ACCURACY, F1, {"f1": 20 / 21})
    assert found["has_other"]
    assert found["matrix"] == [[10, 0, 1], [0, 10, 0]]
    assert found["worst"][0]["number"] == 14  # names are sorted as texts
    assert "\x1b" not in found["worst"][0]["prediction"]


@pytest.mark.parametrize(("descending", "worst"), [(True, [1, 2]), (False, [40, 39])])
def test_summary_of_means(tmp_path: Path, descending: bool, worst: list[int]) -> None:
    values = [n / 40 for n in range(40)]
    folder = with_rows(tmp_path / "a", ["case,dice", *(f"{n:02},{value}" for n, value in enumerate(values))])
    column = Column("dice", "Dice", descending=descending, precision=3, hidden=False)
    policy = StatisticsPolicy("cases.csv", "mean", "mean(dice)")
    found = summarize(folder, policy, column, {"dice": float(np.mean(values))})
    assert sum(found["counts"]) == 40
    assert len(found["edges"]) == len(found["counts"]) + 1
    assert found["quantiles"] == pytest.approx([0, 0.24375, 0.4875, 0.73125, 0.975])
    assert [each["number"] for each in found["worst"][:2]] == worst


def test_groups_of_columns(tmp_path: Path) -> None:
    rows = ["file,truth,prediction,sex,site,age"]
    rows += [f"{n:03},{'ab'[n % 2]},{'ab'[n % 2] if n else 'b'},{'fm'[n < 30]},{n % 20},{n}" for n in range(60)]
    rows.append("060,a,a,x,0,1")  # one case of its own: nobody can be recognized
    found = summarize(with_rows(tmp_path / "a", rows), ACCURACY, F1, {"f1": 60 / 61})["groups"]
    assert {*found} == {"sex", "class"}  # a site has only three cases, and age is no known column
    assert {name: (each["cases"], each["score"]) for name, each in found["sex"].items()} == {
        "f": (30, 1.0),
        "m": (30, 29 / 30),
    }
    assert all(each["low"] < each["score"] <= each["high"] for each in found["sex"].values())


def test_unusable_cases(tmp_path: Path) -> None:
    found = summarize(write_run(tmp_path / "a", wrong=None), ACCURACY, F1, {"f1": 0.5})
    assert found == {"reason": "scores/cases.csv is missing"}
    contradicting = summarize(write_run(tmp_path / "b", wrong=[1]), ACCURACY, F1, {"f1": 0.5})
    assert contradicting["reason"].startswith("the accuracy of scores/cases.csv is 0.998")
