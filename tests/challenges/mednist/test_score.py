"""The scoring program: its values against scikit-learn, all it accepts, and every sentence with which it refuses."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CLASSES = ["AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"]
ALLOWED = "AbdomenCT, BreastMRI, CXR, ChestCT, Hand, HeadCT"
REFERENCE = (
    "file,class\n"
    "testing-data/1.jpg,AbdomenCT\ntesting-data/2.jpg,BreastMRI\ntesting-data/3.jpg,CXR\n"
    "testing-data/4.jpg,ChestCT\ntesting-data/5.jpg,Hand\ntesting-data/6.jpg,HeadCT\n"
)
# One of six is wrong: 6.jpg, a HeadCT classified as Hand.
PREDICTIONS = REFERENCE.replace("HeadCT", "Hand")
# Precision: 4 classes at 1, Hand at 1/2, HeadCT at 0. Recall: 5 of 6. F1: 4 at 1, Hand at 2/3, HeadCT at 0.
SCORES = {"precision": 4.5 / 6, "recall": 5 / 6, "f1": (4 + 2 / 3) / 6}
matrices = st.lists(st.lists(st.integers(0, 30), min_size=6, max_size=6), min_size=6, max_size=6).filter(
    lambda rows: any(map(any, rows))
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """INPUT with a reference in ref/ and an empty res/, and OUTPUT."""
    for name in ("ref", "res"):
        (tmp_path / "input" / name).mkdir(parents=True)
    (tmp_path / "input" / "ref" / "testing_solution.csv").write_text(REFERENCE)
    return tmp_path / "input", tmp_path / "output"


def run(score: ModuleType, folders: tuple[Path, Path], predictions: str | bytes) -> int:
    content = predictions.encode() if isinstance(predictions, str) else predictions
    (folders[0] / "res" / "p.csv").write_bytes(content)
    status: int = score.main(list(map(str, folders)))
    return status


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@settings(deadline=None)
@given(matrices)
def test_scores_equal_scikit_learn(score: ModuleType, matrix: list[list[int]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    cells = np.array(matrix)
    truth, prediction = (np.repeat(axis.ravel(), cells.ravel()) for axis in np.indices(cells.shape))
    report = metrics.classification_report(
        truth, prediction, labels=range(6), target_names=CLASSES, output_dict=True, zero_division=0
    )

    def expected(row: str) -> tuple[float, float, float]:
        return report[row]["precision"], report[row]["recall"], report[row]["f1-score"]

    single = score.class_scores(matrix)
    support = [sum(row) for row in matrix]
    found = {
        **dict(zip(CLASSES, single, strict=True)),
        "macro avg": score.average(single, [1] * 6),
        "weighted avg": score.average(single, support),
    }
    assert {row: (s.precision, s.recall, s.f1) for row, s in found.items()} == {row: expected(row) for row in found}
    assert [report[name]["support"] for name in CLASSES] == support


def test_program_output(challenge: Path, tmp_path: Path) -> None:
    for name, text in (("ref/truth.csv", REFERENCE), ("res/classification_results.csv", PREDICTIONS)):
        path = tmp_path / "input" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    result = subprocess.run(
        [sys.executable, "-I", challenge / "scoring_program" / "score.py"], cwd=tmp_path, capture_output=True, text=True
    )
    lines = f"precision: 0.75\nrecall: 0.8333333333333334\nf1: {SCORES['f1']}\n"
    assert (result.returncode, result.stdout, result.stderr) == (0, lines, "")
    written = contents(tmp_path / "output")
    assert sorted(written) == ["cases.csv", "detailed_results.html", "scores.json", "scores.txt"]
    assert written["scores.txt"] == lines
    assert json.loads(written["scores.json"]) == SCORES
    assert written["cases.csv"] == (
        "file,truth,prediction\n1.jpg,AbdomenCT,AbdomenCT\n2.jpg,BreastMRI,BreastMRI\n3.jpg,CXR,CXR\n"
        "4.jpg,ChestCT,ChestCT\n5.jpg,Hand,Hand\n6.jpg,HeadCT,Hand\n"
    )


@pytest.mark.parametrize(
    "predictions",
    [
        pytest.param(PREDICTIONS.replace("testing-data/", ""), id="no-folders"),
        pytest.param(PREDICTIONS.replace("testing-data/", "/mnt/in/"), id="other-folders"),
        pytest.param(PREDICTIONS.replace("testing-data/", "C:\\images\\"), id="windows-folders"),
        pytest.param(PREDICTIONS.replace("\n", "\r\n"), id="crlf"),
        pytest.param(PREDICTIONS.replace("\n", "\r"), id="cr"),
        pytest.param(PREDICTIONS.removesuffix("\n"), id="no-last-newline"),
        pytest.param(PREDICTIONS.replace("\n", "\n\n"), id="blank-lines"),
        pytest.param("\ufeff" + PREDICTIONS, id="bom"),
        pytest.param(re.sub("(.+),(.+)", r"\2,\1", PREDICTIONS), id="columns-swapped"),
        pytest.param("file,class\n" + "\n".join(PREDICTIONS.splitlines()[:0:-1]), id="rows-reversed"),
        pytest.param(re.sub("(.+),(.+)", r'"\1","\2"', PREDICTIONS), id="quoted"),
    ],
)
def test_predictions_in_other_form(score: ModuleType, folders: tuple[Path, Path], predictions: str) -> None:
    assert run(score, folders, predictions) == 0
    assert json.loads((folders[1] / "scores.json").read_text()) == SCORES


answer_files = st.lists(
    st.tuples(
        st.sampled_from(["1", "1.jpg", "1 .jpg", "ä.jpg", '"a,b.jpg"', "d/1", "d/1.jpg", "d/", "d/d/1", "d\\1", ""]),
        st.sampled_from([*CLASSES[:3], "Foot"]),
    ),
    max_size=5,
).map(lambda rows: "file,class\n" + "".join(f"{name},{answer}\n" for name, answer in rows))
UNUSUAL = ("/", "\\", '"', "\n\n")  # read with care: folders that differ, quotes, empty lines


@settings(deadline=None)
@given(answer_files | st.text('1,\n"CXR', max_size=30).map("file,class\n1.jpg,CXR\n{}".format))
def test_fast_reader_agrees_with_careful(score: ModuleType, content: str) -> None:
    fast = score.faultless_answers(content.encode())
    try:
        careful = score.careful_answers(content.encode(), "p.csv", None)
    except score.UnusableError:
        careful = None
    assert fast in (None, careful)
    assert fast or not careful or any(mark in content for mark in UNUSUAL)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("folder", ["", "testing-data/", "/mnt/in/"])
def test_fast_reader_any_order_and_folder(score: ModuleType, folder: str, end: str) -> None:
    rows = [f"{folder}{number:05}.jpg,{CLASSES[number % 6]}" for number in range(2500)]
    for order in (rows, rows[::-1]):
        answers = score.faultless_answers(end.join(["file,class", *order]).encode())
        assert answers.files == [f"{number:05}.jpg" for number in range(2500)]
        assert answers.classes == [CLASSES[number % 6] for number in range(2500)]


def test_fast_reader_row_without_comma(score: ModuleType) -> None:
    assert score.faultless_answers(b"file,class\nx\ny/z,CXR\nx\ny/a,CXR\n") is None


def test_other_files_ignored(score: ModuleType, folders: tuple[Path, Path]) -> None:
    for name in ("metadata", "best_metric_model.pth", "scores.txt", "._p.csv"):
        (folders[0] / "res" / name).write_bytes(b"\0")
    assert run(score, folders, PREDICTIONS) == 0


HEADER = "its first line must be 'file,class': exactly these two columns, in either order.\n"
NUL = "'res/p.csv' contains NUL bytes, like UTF-16 text and binary files. Save it as UTF-8 text.\n"


@pytest.mark.parametrize(
    ("predictions", "problems"),
    [
        pytest.param("", f"'res/p.csv' begins with ''; {HEADER}", id="empty"),
        pytest.param(
            PREDICTIONS.replace("file,class", "name,label"),
            f"'res/p.csv' begins with 'name,label'; {HEADER}",
            id="wrong-header",
        ),
        pytest.param(
            PREDICTIONS.replace("file,class", "file,class,confidence"),
            f"'res/p.csv' begins with 'file,class,confidence'; {HEADER}",
            id="extra-column",
        ),
        pytest.param(
            "file,class\n",
            "'res/p.csv' has 6 rows missing: '1.jpg', '2.jpg', '3.jpg', '4.jpg', '5.jpg' and 1 more. "
            "Add one row for each of these files.\n",
            id="missing",
        ),
        pytest.param(
            PREDICTIONS + "7.jpg,Hand\nx/8.jpg,Hand\n",
            "'res/p.csv' has 2 rows for unknown files: '7.jpg' (line 8), 'x/8.jpg' (line 9). "
            "Remove them or correct their names.\n",
            id="unknown",
        ),
        pytest.param(
            PREDICTIONS + "other/6.jpg,Hand\n",
            "'res/p.csv' has 1 row for files named in an earlier row: 'other/6.jpg' (line 8). "
            "Keep one row for each file; folders are ignored.\n",
            id="duplicate",
        ),
        pytest.param(
            PREDICTIONS.replace("CXR", "cxr").replace("ChestCT", " ChestCT"),
            "'res/p.csv' has 2 rows with an unknown class: 'cxr' (line 4), ' ChestCT' (line 5). "
            f"Use exactly one of {ALLOWED}.\n",
            id="unknown-class",
        ),
        pytest.param(
            PREDICTIONS.replace("CXR", "").replace("ChestCT", " "),
            f"'res/p.csv' has 2 rows without a class: line 4, line 5. Use one of {ALLOWED}.\n",
            id="empty-class",
        ),
        pytest.param(
            PREDICTIONS + ",Hand\nfolder/,Hand\n",
            "'res/p.csv' has 2 rows without a file name: line 8, line 9. Name the image in each row.\n",
            id="nameless",
        ),
        pytest.param(
            PREDICTIONS + "7.jpg\n8.jpg,Hand,0.9\n",
            "'res/p.csv' has 2 rows without exactly two fields: line 8 (1 field), line 9 (3 fields). "
            "Write one file name and one class in each row.\n",
            id="fields",
        ),
        pytest.param(
            PREDICTIONS + '"7.jpg,Hand\n',
            "'res/p.csv' is not valid CSV after line 8: unexpected end of data. Close every quotation mark.\n",
            id="quote",
        ),
        pytest.param(
            PREDICTIONS + "x" * 200_000 + ",Hand\n",
            "'res/p.csv' is not valid CSV after line 8: field larger than field limit (131072). "
            "Close every quotation mark.\n",
            id="field-limit",
        ),
        pytest.param(PREDICTIONS.encode("utf-16"), NUL, id="utf-16"),
        pytest.param(PREDICTIONS + "\0", NUL, id="nul"),
        pytest.param(
            PREDICTIONS.encode() + "7.jpg,H\u00e4nd\n".encode("latin-1"),
            "'res/p.csv' is not UTF-8 text: see line 8. Save it as UTF-8 text.\n",
            id="latin-1",
        ),
        pytest.param(
            "file,class\n1.jpg\n,Hand\n2.jpg,Hand\n2.jpg,Hand\n3.jpg,\n4.jpg,Foot\n\x1b[31m\u202e9.jpg,Hand\n",
            "'res/p.csv' has 1 row without exactly two fields: line 2 (1 field). "
            "Write one file name and one class in each row.\n"
            "'res/p.csv' has 1 row without a file name: line 3. Name the image in each row.\n"
            "'res/p.csv' has 1 row for unknown files: '\\x1b[31m\\u202e9.jpg' (line 8). "
            "Remove them or correct their names.\n"
            "'res/p.csv' has 1 row for files named in an earlier row: '2.jpg' (line 5). "
            "Keep one row for each file; folders are ignored.\n"
            f"'res/p.csv' has 1 row without a class: line 6. Use one of {ALLOWED}.\n"
            "'res/p.csv' has 1 row with an unknown class: 'Foot' (line 7). "
            f"Use exactly one of {ALLOWED}.\n"
            "'res/p.csv' has 3 rows missing: '1.jpg', '5.jpg', '6.jpg'. Add one row for each of these files.\n",
            id="all-at-once",
        ),
    ],
)
def test_predictions_all_problems_listed(
    score: ModuleType,
    folders: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    predictions: str | bytes,
    problems: str,
) -> None:
    assert run(score, folders, predictions) == 10
    assert contents(folders[1]) == {"problems.txt": problems}
    assert capsys.readouterr() == ("", problems)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        pytest.param([], "no CSV files", id="none"),
        pytest.param(["a.csv", "B.CSV"], "2 CSV files ('B.CSV', 'a.csv')", id="two"),
        pytest.param(
            [f"{number}.csv" for number in range(7)],
            "7 CSV files ('0.csv', '1.csv', '2.csv', '3.csv', '4.csv', ...)",
            id="many",
        ),
    ],
)
def test_predictions_in_no_or_several_files(
    score: ModuleType, folders: tuple[Path, Path], names: list[str], found: str
) -> None:
    for name in names:
        (folders[0] / "res" / name).write_text(PREDICTIONS)
    assert score.main(list(map(str, folders))) == 10
    assert contents(folders[1]) == {
        "problems.txt": f"The folder 'res' contains {found}; "
        "it must contain exactly one, with the columns file and class.\n"
    }


@given(st.binary(max_size=200) | st.text('file,class\n\r"1.jpgHandCXR/\\\0', max_size=200).map(str.encode))
@settings(deadline=None)
def test_any_bytes_scored_or_refused(
    score: ModuleType, tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    root = tmp_path_factory.mktemp("any")
    for name, data in (("ref", b"file,class\n1.jpg,Hand\n"), ("res", content)):
        (root / name).mkdir()
        (root / name / "p.csv").write_bytes(data)
    status = score.main([str(root), str(root / "output")])
    found = {path.name for path in (root / "output").iterdir()}
    assert (status, found) in [
        (0, {"scores.txt", "scores.json", "cases.csv", "detailed_results.html"}),
        (10, {"problems.txt"}),
    ]


def test_reference_faulty(score: ModuleType, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (folders[0] / "ref" / "testing_solution.csv").write_text("file,class\na/1.jpg,Hand\nb/1.jpg,Hand\n2.jpg,Foot\n")
    assert run(score, folders, PREDICTIONS) == 11
    assert capsys.readouterr().err == (
        "'ref/testing_solution.csv' has 1 row for files named in an earlier row: 'b/1.jpg' (line 3). Keep one row "
        "for each file; folders are ignored.\n"
        f"'ref/testing_solution.csv' has 1 row with an unknown class: 'Foot' (line 4). Use exactly one of "
        f"{ALLOWED}.\n"
    )
    assert contents(folders[1]) == {}


def test_reference_without_rows(
    score: ModuleType, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[0] / "ref" / "testing_solution.csv").write_text("file,class\n")
    assert run(score, folders, PREDICTIONS) == 11
    assert capsys.readouterr().err == (
        "'ref/testing_solution.csv' has no rows. Write one row for each file below its header.\n"
    )


@pytest.mark.parametrize("lacking", ["ref", "res"])
def test_folder_missing(
    score: ModuleType, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str], lacking: str
) -> None:
    folder = folders[0] / lacking
    folder.rename(folder.with_name("elsewhere"))
    assert score.main(list(map(str, folders))) == 11
    assert capsys.readouterr().err == (
        f"Cannot use {score.shown(str(folder))}: No such file or directory. INPUT must be a readable folder with "
        "ref and res, and OUTPUT a writable folder on a disk with free space.\n"
    )


def test_output_is_a_file(score: ModuleType, folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    folders[1].write_text("")
    assert run(score, folders, PREDICTIONS) == 11
    assert capsys.readouterr().err == (
        f"Cannot use '{folders[1]}': File exists. INPUT must be a readable folder with ref and res, "
        "and OUTPUT a writable folder on a disk with free space.\n"
    )


def test_failed_run_removes_earlier_scores(score: ModuleType, folders: tuple[Path, Path]) -> None:
    assert run(score, folders, PREDICTIONS) == 0
    assert run(score, folders, "file,class\n") == 10
    assert sorted(contents(folders[1])) == ["problems.txt"]
    assert run(score, folders, PREDICTIONS) == 0
    assert sorted(contents(folders[1])) == ["cases.csv", "detailed_results.html", "scores.json", "scores.txt"]


@given(st.floats(0, 1))
def test_numbers_without_exponent(score: ModuleType, value: float) -> None:
    text = score.plain(value)
    assert "e" not in text
    assert float(text) == value


class Report(HTMLParser):
    """The cells of the report's table by row, and all tags and addresses in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.addresses: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and self.lasttag in ("td", "th"):
            self.rows[-1][-1] += data.strip()


def test_report_table_self_contained(score: ModuleType, folders: tuple[Path, Path]) -> None:
    run(score, folders, PREDICTIONS)
    page = (folders[1] / "detailed_results.html").read_text()
    report = Report(page)
    assert report.rows == [
        ["Class", "precision", "recall", "f1-score", "support"],
        ["AbdomenCT", "1.0000", "1.0000", "1.0000", "1"],
        ["BreastMRI", "1.0000", "1.0000", "1.0000", "1"],
        ["CXR", "1.0000", "1.0000", "1.0000", "1"],
        ["ChestCT", "1.0000", "1.0000", "1.0000", "1"],
        ["Hand", "0.5000", "1.0000", "0.6667", "1"],
        ["HeadCT", "0.0000", "0.0000", "0.0000", "1"],
        ["accuracy", "", "", "0.8333", "6"],
        ["macro avg", "0.7500", "0.8333", "0.7778", "6"],
        ["weighted avg", "0.7500", "0.8333", "0.7778", "6"],
    ]
    assert (report.tags & {"script", "link", "img", "iframe"}, report.addresses) == (set(), [])
    assert "url(" not in page
    assert "@import" not in page


def test_report_picture_with_description(score: ModuleType) -> None:
    matrix = [[10 * (j == k) for j in range(6)] for k in range(6)]
    matrix[5][4], matrix[2][0] = 2, 1
    picture = ET.fromstring(score.confusion_picture(matrix))  # noqa: S314 - our own
    texts = [element.text for element in picture.iter("text")]
    numbers = [text for text in texts if text and text.isdigit()]
    assert numbers == [str(count) for row in matrix for count in row]
    assert [text for text in texts if text in CLASSES] == [CLASSES[0]] * 2 + [
        name for name in CLASSES[1:] for _ in range(2)
    ]
    assert score.mistakes(matrix) == "Mistakes: 2 HeadCT classified as Hand, 1 CXR classified as AbdomenCT."
    assert score.mistakes([[int(j == k) for j in range(6)] for k in range(6)]) == "No mistakes."


def test_report_phantom_images(score: ModuleType, folders: tuple[Path, Path]) -> None:
    (folders[0] / "ref/PHANTOM.txt").write_text("These are synthetic pictures, not MedNIST.\n")
    run(score, folders, PREDICTIONS)
    page = (folders[1] / "detailed_results.html").read_text()
    assert page.count(" — on PHANTOM images: synthetic pictures, not medical ones") == 2  # title and heading
