from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.core.statistics.cases import Answers, Cases, read_cases


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
    with pytest.raises(ValueError, match=r"^the submissions were scored on different cases$"):
        Answers.of([Cases(("1", "2"), ("b", "a"), ("b", "c")), other])
