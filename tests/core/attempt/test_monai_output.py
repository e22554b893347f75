"""What MONAI's savers write becomes the table that the scoring program reads."""

from pathlib import Path

import pytest

from palio.core.attempt.monai_output import convert_table
from palio.core.bundle.model import MonaiPolicy
from palio.core.errors import PalioError

CLASSES = ("CXR", "Hand", "HeadCT")
POLICY = MonaiPolicy("image", "results.csv", ("file", "class"), CLASSES)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text("x")
    return tmp_path / "in"


def converted(inputs: Path, policy: MonaiPolicy = POLICY, **files: str) -> list[str]:
    out = inputs.parent / "out"
    out.mkdir()
    for stem, text in files.items():
        (out / f"{stem}.csv").write_bytes(text.encode())
    convert_table(out, inputs, policy)
    assert [path.name for path in out.iterdir()] == [policy.csv]
    return (out / str(policy.csv)).read_text().splitlines()


@pytest.mark.parametrize(
    "written",
    [
        "/mnt/in/a.jpg,0.0\n/mnt/in/b.jpg,2.0\n/mnt/in/sub/c.jpg,1.0\n",  # CSVSaver
        "a.jpg,0\nb.jpg,2\nsub\\c.jpg,1\n",
        "/mnt/in/a.jpg,0.9,0.1,0.0\n/mnt/in/b.jpg,-3,-2,-1\n/elsewhere/c.jpg,0.1,1e0,0.3\n",  # one value for each class
        "a.jpg,CXR\r\nb.jpg,HeadCT\r\nc.jpg,Hand\r\n",
        "class,file\nCXR,a.jpg\nHeadCT,b.jpg\n1.0,sub/c.jpg\n",  # what the challenge asks for, in any order
        "\ufefffile,class\na.jpg,CXR\n\nb.jpg,HeadCT\nsub/c.jpg,Hand\n",
    ],
)
def test_table_forms_converted(inputs: Path, written: str) -> None:
    expected = ["file,class", "a.jpg,CXR", "b.jpg,HeadCT", "sub/c.jpg,Hand"]
    assert converted(inputs, predictions=written) == expected


@pytest.mark.parametrize(
    "row", ["a.jpg,3.0", "a.jpg,-1.0", "a.jpg,0.5", "a.jpg,nan", "a.jpg,1e400", "z.jpg,Foot", "a.jpg"]
)
def test_table_unknown_unchanged(inputs: Path, row: str) -> None:
    assert converted(inputs, predictions=f"{row}\na.jpg,0\na.jpg,1\n") == ["file,class", row, "a.jpg,CXR", "a.jpg,Hand"]


def test_several_predicted_columns_stay_numbers(inputs: Path) -> None:
    policy = MonaiPolicy("image", "results.csv", ("file", *CLASSES), CLASSES)
    assert converted(inputs, policy, predictions="/mnt/in/a.jpg,0.5,0.25,0.25\n")[1:] == ["a.jpg,0.5,0.25,0.25"]


def test_table_number_without_classes(inputs: Path) -> None:
    policy = MonaiPolicy("image", "results.csv", ("file", "age"))
    assert converted(inputs, policy, predictions="/mnt/in/a.jpg,5.0\n") == ["file,age", "a.jpg,5.0"]


def test_table_preferred_name(inputs: Path) -> None:
    out = inputs.parent / "out"
    out.mkdir()
    (out / "results.csv").write_text("a.jpg,1.0\n")
    (out / "log.csv").write_text("epoch,loss\n")
    convert_table(out, inputs, POLICY)
    assert (out / "results.csv").read_text() == "file,class\na.jpg,Hand\n"


def test_table_missing(inputs: Path) -> None:
    convert_table(inputs, inputs, MonaiPolicy("image"))
    assert sorted(path.name for path in inputs.iterdir()) == ["a.jpg", "b.jpg", "sub"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no CSV file"),
        ({"x.csv": b"", "y.csv": b""}, "several CSV files"),
        ({"x.csv": b"\xff\xfe"}, "UTF-8"),
        ({"x.csv": b'a,"b'}, "not a CSV file"),
        ({"x.csv": b"a," + b"1" * 200_000}, "not a CSV file"),
    ],
)
def test_table_invalid(inputs: Path, files: dict[str, bytes], said: str) -> None:
    out = inputs.parent / "out"
    out.mkdir()
    for name, content in files.items():
        (out / name).write_bytes(content)
    with pytest.raises(PalioError) as refused:
        convert_table(out, inputs, POLICY)
    assert refused.value.failure.code == "monai-output-unfit"
    assert said in refused.value.failure.message


def test_table_link_not_followed(inputs: Path) -> None:
    out = inputs.parent / "out"
    out.mkdir()
    (inputs.parent / "labels.csv").write_text("a.jpg,1\n")
    (out / "results.csv").symlink_to(inputs.parent / "labels.csv")
    with pytest.raises(PalioError) as refused:
        convert_table(out, inputs, POLICY)
    assert refused.value.failure.code == "monai-output-unfit"
