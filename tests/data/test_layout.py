from collections import Counter
from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.data.layout import (
    Image,
    expected_files,
    found_files,
    lay_out,
    manifest_csv,
    read_manifest,
    sample_of,
    solutions,
)

MANIFEST = Path(__file__).resolve().parents[2] / "challenges" / "mednist" / "manifest.csv"
CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
A, B, C = "a" * 64, "b" * 64, "c" * 64
IMAGES = (
    Image("training", "2.jpg", "cat", A),
    Image("training", "1.jpg", "dog, or wolf", B),
    Image("validation", "1.jpg", "cat", C),
    Image("testing", "1.jpg", "cat", A),
)


def test_manifest_images_per_class_and_split() -> None:
    images = read_manifest(MANIFEST)
    assert len(images) == 1800
    assert manifest_csv(images) == MANIFEST.read_text()
    for split in ("training", "validation", "testing"):
        labels = [image.label for image in images if image.split == split]
        assert {label: labels.count(label) for label in sorted(set(labels))} == dict.fromkeys(CLASSES, 100)


def test_manifest_solutions_as_published(mednist: Path) -> None:
    lists = solutions(read_manifest(MANIFEST))
    sample = lists.pop("input_data/sample-solution/sample_solution.csv")
    for place, text in lists.items():
        assert text == (mednist / Path(place).name).read_text()
    published = (mednist / "validation_solution.csv").read_text()
    rows = [row.replace("sample-data/", "validation-data/") for row in sample.splitlines()]
    assert (len(rows), [row for row in rows if row not in published]) == (13, [])


def test_sample_has_two_images_of_each_class() -> None:
    sample = sample_of(read_manifest(MANIFEST))
    assert Counter(image.label for image in sample) == dict.fromkeys(CLASSES, 2)
    assert {image.split for image in sample} == {"validation"}


def test_manifest_csv_is_sorted_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(manifest_csv(IMAGES))
    assert path.read_text() == (
        "split,file,class,sha256\n"
        f'training,1.jpg,"dog, or wolf",{B}\n'
        f"training,2.jpg,cat,{A}\n"
        f"validation,1.jpg,cat,{C}\n"
        f"testing,1.jpg,cat,{A}\n"
    )
    assert sorted(read_manifest(path), key=str) == sorted(IMAGES, key=str)


def test_read_manifest_bom_and_crlf(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(f"\ufeffsplit,file,class,sha256,source\r\ntesting,1.jpg,cat,{A},cat/x.jpg\r\n".encode())
    assert read_manifest(path) == (Image("testing", "1.jpg", "cat", A, "cat/x.jpg"),)


def test_read_manifest_problems_with_lines(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(
        "split,file,class,sha256\n"
        f"train,1.jpg,cat,{A}\n"
        f"training,../1.jpg,cat,{A}\n"
        f"training,1.jpg,,{A}\n"
        "training,1.jpg,cat,123\n"
        "training,1.jpg\n"
        f"training,1.jpg,cat,{A}\n"
        f"training,1.jpg,cat,{B}\n"
    )
    with pytest.raises(PalioError) as raised:
        read_manifest(path)
    assert str(raised.value) == f"{path} has 6 problems."
    assert raised.value.failure.evidence == (
        "line 2: split is 'train'; use one of training, validation, testing",
        "line 3: file is '../1.jpg'; use a bare file name",
        "line 4: class is empty",
        "line 5: sha256 is '123'; use 64 lower-case hex digits",
        "line 6: 2 values, but 4 columns",
        "line 8: training has 1.jpg twice",
    )
    assert raised.value.exit_code == 11


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "line 1: the columns are nothing; use split,file,class,sha256[,source]"),
        (b"file,class\n", "line 1: the columns are file,class; use split,file,class,sha256[,source]"),
        (b"split,file,class,sha256\n", "line 2: there are no images"),
        (b"split,\xff", "byte 6: not UTF-8"),
    ],
)
def test_read_manifest_invalid(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(PalioError) as raised:
        read_manifest(path)
    assert raised.value.failure.evidence == (problem,)


def test_lay_out_without_testing_labels(tmp_path: Path) -> None:
    inputs, reference = tmp_path / "input_data", tmp_path / "reference_data"
    lay_out(IMAGES, lambda image, path: path.write_text(image.label), inputs, reference)
    assert set(found_files(tmp_path)) == set(expected_files(IMAGES))
    assert {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.csv")} == {
        "input_data/sample-solution/sample_solution.csv": "file,class\nsample-data/1.jpg,cat\n",
        "input_data/training_solution.csv": (
            'file,class\ntraining-data/1.jpg,"dog, or wolf"\ntraining-data/2.jpg,cat\n'
        ),
        "input_data/validation_solution.csv": "file,class\nvalidation-data/1.jpg,cat\n",
        "reference_data/testing_solution.csv": "file,class\ntesting-data/1.jpg,cat\n",
    }
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert modes == {(True, 0o755), (False, 0o644)}
    assert {path.stat().st_mtime for path in tmp_path.rglob("*") if path.is_file()} == {315532800}
