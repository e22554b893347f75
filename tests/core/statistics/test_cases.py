from pathlib import Path

import numpy as np
import pytest

from palio.core.errors import PalioError
from palio.core.statistics.cases import DIFFERENT, Answers, Cases, Measurements, Values, read_cases, read_measurements


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "cases.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_cases_in_file_order(tmp_path: Path) -> None:
    path = write(tmp_path, '\ufefffile,truth,prediction\r\nb.jpg,Hand,CXR\r\n\r\n"a,1.jpg",CXR,CXR\r\n')
    assert read_cases(path) == Cases(("a,1.jpg", "b.jpg"), ("CXR", "Hand"), ("CXR", "CXR"))


def test_columns_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path, "prediction,confidence,file,truth\nCXR,0.9,a.jpg,Hand\n")
    assert read_cases(path) == Cases(("a.jpg",), ("Hand",), ("CXR",))


@pytest.mark.parametrize(
    ("content", "evidence"),
    [
        ("", [f"the first line must name the column {name} exactly once" for name in ("file", "truth", "prediction")]),
        ("file,truth,truth,prediction\n", ["the first line must name the column truth exactly once"]),
        ("file,truth,prediction\n", ["no cases below the first line"]),
        ('file,truth,prediction\n"a', ["cases.csv is not CSV: unexpected end of data"]),
        (b"file,truth,prediction\n\xff,a,b\n", ["cases.csv is not UTF-8 text (at byte 23)"]),
        (
            "file,truth,prediction\na,x,\nb,x\na,x,x\n,x,x\n",
            [
                "row 2: no prediction",
                "row 3: 2 fields, but the first line has 3",
                "row 4: 'a' is already in row 2",
                "row 5: no file",
            ],
        ),
    ],
)
def test_all_problems_listed(tmp_path: Path, content: str | bytes, evidence: list[str]) -> None:
    with pytest.raises(PalioError) as caught:
        read_cases(write(tmp_path, content))
    failure = caught.value.failure
    assert list(failure.evidence) == evidence
    assert failure.code == "scores-invalid"
    count = "1 problem" if len(evidence) == 1 else f"{len(evidence)} problems"
    assert failure.message == f"cases.csv, written by the scoring program, cannot be used: {count}."


def test_many_problems_are_counted(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as caught:
        read_cases(write(tmp_path, "file,truth,prediction\n" + "a,x\n" * 1_500))
    assert len(caught.value.failure.evidence) == 21
    assert caught.value.failure.evidence[-1] == "and 1,480 more"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_cases(tmp_path / "cases.csv")


def test_answers_to_the_same_cases() -> None:
    first, second = Cases(("1", "2"), ("b", "a"), ("b", "c")), Cases(("1", "2"), ("b", "a"), ("a", "a"))
    answers = Answers.of([first, second])
    assert answers.classes == ("a", "b", "c")
    assert answers.truth.tolist() == [1, 0]
    assert answers.predictions.tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize(
    "other", [Cases(("1", "3"), ("b", "a"), ("b", "c")), Cases(("1", "2"), ("b", "b"), ("b", "c"))]
)
def test_answers_to_different_cases(other: Cases) -> None:
    with pytest.raises(ValueError, match=f"^{DIFFERENT}$"):
        Answers.of([Cases(("1", "2"), ("b", "a"), ("b", "c")), other])


# -- numbers


def shown(cases: Measurements) -> tuple[object, ...]:
    return cases.files, cases.groups, cases.labels, cases.values.tolist()


def test_values_to_average_are_in_the_columns_that_metrics_name(tmp_path: Path) -> None:
    path = write(tmp_path, "case,hd95,note,dice,site\nb,2,x,0.5,north\na,1.5,,1,south\n")
    metrics = ["mean(dice)", "median(hd95)", "mean(dice)"]
    cases = read_measurements(path, "mean", metrics, "site")
    assert shown(cases) == (("a", "b"), ("south", "north"), ("dice", "hd95"), [[1, 1.5], [0.5, 2]])


def test_pairs(tmp_path: Path) -> None:
    cases = read_measurements(write(tmp_path, "file,prediction,truth\na,-2.5,3e1\n"), "pairs")
    assert shown(cases) == (("a",), (), ("",), [[30, -2.5]])


@pytest.mark.parametrize(
    ("header", "labels"),
    [
        ("truth,prediction", ("",)),
        ("truth_x,prediction_x", ("x",)),
        ("truth_y,truth_x,prediction_x,prediction_y", ("y", "x")),
    ],
)
def test_probabilities_of_one_label_or_several(tmp_path: Path, header: str, labels: tuple[str, ...]) -> None:
    row = ",".join(f"{name.startswith('truth'):d}" if "truth" in name else "0.25" for name in header.split(","))
    cases = read_measurements(write(tmp_path, f"file,{header}\na,{row}\n"), "probability")
    assert (cases.labels, cases.values.tolist()) == (labels, [[1] * len(labels) + [0.25] * len(labels)])


@pytest.mark.parametrize(
    ("kind", "metrics", "content", "evidence"),
    [
        (
            "mean",
            ["mean(dice)"],
            "case,dice\na,-0.1\nb,nan\nc,\nd,high\ne,1.2\n",
            [
                "row 2: dice is '-0.1'; it must lie from 0 to 1",
                "row 3: dice is 'nan', which is not a finite number",
                "row 4: no dice",
                "row 5: dice is 'high', which is not a finite number",
                "row 6: dice is '1.2'; it must lie from 0 to 1",
            ],
        ),
        ("mean", ["mean(hd95)"], "case,hd95\na,-1\n", ["row 2: hd95 is '-1'; it must be at least 0"]),
        ("mean", ["mean(dice)"], "case,iou\na,1\n", ["the first line must name the column dice exactly once"]),
        ("probability", ["auc"], "file,truth,prediction\na,2,0.5\n", ["row 2: truth is '2'; it must be 0 or 1"]),
        (
            "probability",
            ["auc", "brier"],
            "file,truth,prediction\na,1,1.5\n",
            ["row 2: prediction is '1.5'; it must lie from 0 to 1"],
        ),
        (
            "probability",
            ["auc"],
            "file,truth_x,truth_y,prediction_x\na,1,1,0.5\n",
            ["the first line must name the column prediction_y exactly once"],
        ),
        ("pairs", ["mae"], "file,truth,prediction\na,inf,1\n", ["row 2: truth is 'inf', which is not a finite number"]),
    ],
)
def test_all_problems_with_numbers_are_told_at_once(
    tmp_path: Path, kind: str, metrics: list[str], content: str, evidence: list[str]
) -> None:
    with pytest.raises(PalioError) as caught:
        read_measurements(write(tmp_path, content), kind, metrics)
    assert list(caught.value.failure.evidence) == evidence


def test_scores_for_an_auc_need_not_be_probabilities(tmp_path: Path) -> None:
    cases = read_measurements(write(tmp_path, "file,truth,prediction\na,1,7.5\n"), "probability", ["auc"])
    assert cases.values.tolist() == [[1, 7.5]]


def measured(*files: str, truth: float = 1.0, said: float = 0.5, groups: tuple[str, ...] = ()) -> Measurements:
    return Measurements(files, groups, ("",), np.array([[truth, said]] * len(files)), has_truth=True)


def test_numbers_of_the_same_cases() -> None:
    values = Values.of(
        [measured("a", "b", "c", groups=("y", "x", "y")), measured("a", "b", "c", said=1, groups=("y", "x", "y"))]
    )
    assert values.values.shape == (2, 3, 2)
    assert (values.units.tolist(), values.unit_count, values.cases) == ([1, 0, 1], 2, 3)
    assert Values.of([measured("a", "b")]).units.tolist() == [0, 1]


@pytest.mark.parametrize(
    "other", [measured("a", "c"), measured("a", "b", truth=0), measured("a", "b", groups=("x", "x"))]
)
def test_numbers_of_different_cases(other: Measurements) -> None:
    with pytest.raises(ValueError, match=f"^{DIFFERENT}$"):
        Values.of([measured("a", "b"), other])
