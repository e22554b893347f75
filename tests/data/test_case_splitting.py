"""Splits of cases that labels or masks name."""

import csv
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from palio.core.errors import PalioError
from palio.data.cases import Sources
from palio.data.label_table import Row, classes, columns_of, read_labels
from palio.data.splitting import Percent, SplitReport, split_folder

COUNTS = {"training": 6, "validation": 3, "testing": 3}
NUMBERS = range(12)


def written(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def labels(path: Path, rows: Iterable[str], header: str = "file,class") -> list[Row]:
    path.write_text("\n".join([header, *rows]) + "\n")
    optional = {f"{what}_column": what if what in header.split(",") else None for what in ("group", "split")}
    return read_labels(
        path,
        file_column="file",
        label_column="class" if "class" in header else None,
        stratify_by=["site"] if "site" in header.split(",") else [],
        **optional,
    )


def manifest(to: Path) -> list[dict[str, str]]:
    with (to / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def split(folder: Path, to: Path, sources: Sources, counts: dict[str, int] | None = COUNTS) -> SplitReport:
    """Splits, and asserts that no name shows."""
    report = split_folder(folder, to, counts, sources=sources, seed="7")
    for path in (to / "input_data").rglob("*"):
        assert re.fullmatch(
            r"\w+-(data|masks|solution)|masks|\w+_solution\.csv|([0-9a-f]{24})?[_.]?[a-z0-9_]*(\.png|\.nii\.gz)?",
            path.name,
        ), path
        assert not re.search(r"p\d", path.name) or re.match("[0-9a-f]{24}", path.name)
    return report


def test_labels_in_a_table(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", (f"p{n}.png" for n in NUMBERS))
    rows = labels(tmp_path / "labels.csv", [f"p{n}{'.png' if n % 2 else ''},{'ab'[n % 2]}" for n in NUMBERS])
    report = split(folder, tmp_path / "out", Sources(rows))
    assert report.images == COUNTS
    assert {label: sum(row.values()) for label, row in report.classes.items()} == {"a": 6, "b": 6}
    assert all(2 <= row["training"] <= 4 for row in report.classes.values())
    for row in manifest(tmp_path / "out"):
        assert row["class"] == "ab"[int(row["source"][1:-4]) % 2]
    assert not (tmp_path / "out/input_data/testing_solution.csv").exists()


def test_masks_in_a_folder(tmp_path: Path) -> None:
    names = [f"p{n}" for n in NUMBERS]
    folder = written(tmp_path / "in", (f"{name}.png" for name in names))
    masks = written(tmp_path / "masks", (f"{name}_mask.png" for name in names))
    to = tmp_path / "out"
    report = split(folder, to, Sources(masks=masks, mask_suffix="_mask"))
    assert report.images == COUNTS
    images = {path.name: path.read_text() for path in (to / "input_data/testing-data").iterdir()}
    answers = {path.name: path.read_text() for path in (to / "reference_data/masks").iterdir()}
    assert {name: text.replace(".png", "_mask.png") for name, text in images.items()} == answers
    assert not (to / "input_data/testing-masks").exists()
    sample = {path.name for path in (to / "input_data/sample-data").iterdir()}
    assert sample == {path.name for path in (to / "input_data/sample-solution/masks").iterdir()}


@pytest.mark.parametrize(
    ("files", "suffix", "images"),
    [
        (("{}/flair.nii.gz", "{}/t1.nii.gz", "{}/seg.nii.gz"), "_seg", {"flair.nii.gz", "t1.nii.gz"}),
        (("{0}/{0}_t1.nii.gz", "{0}/{0}_t2.nii.gz", "{0}/{0}_seg.nii.gz"), "_seg", {"{}_t1.nii.gz", "{}_t2.nii.gz"}),
        (("{}_t1.nii.gz", "{}_t2.nii.gz", "{}_seg.nii.gz"), "_seg", {"{}_t1.nii.gz", "{}_t2.nii.gz"}),
        (("{}.png", "{}_mask.png"), "_mask", {"{}.png"}),
    ],
)
def test_masks_beside_images(tmp_path: Path, files: tuple[str, ...], suffix: str, images: set[str]) -> None:
    folder = written(tmp_path / "in", (file.format(f"p{n}") for n in NUMBERS for file in files))
    to = tmp_path / "out"
    report = split(folder, to, Sources(mask_suffix=suffix))
    assert (report.images, report.ignored) == (COUNTS, ())
    rows = manifest(to)
    assert len(rows) == 12 * len(files)
    for row in rows:
        if row["split"] == "testing" and "masks" not in row["file"]:
            assert row["file"].rpartition("/")[2] in {image.format(row["case"]) for image in images}
    assert len({row["case"] for row in rows}) == 12
    assert len(list((to / "reference_data/masks").iterdir())) == 3


def test_several_files_of_a_label(tmp_path: Path) -> None:
    """p1 and p1_2 are two cases, although the name of one begins with the other's."""
    names = [f"p{n}" for n in range(6)] + [f"p{n}_2" for n in range(6)]
    folder = written(tmp_path / "in", [f"{name}_{role}.png" for name in names for role in ("left", "right")])
    rows = labels(tmp_path / "labels.csv", [f"{name},x" for name in names])
    split(folder, tmp_path / "out", Sources(rows))
    cases: dict[str, set[str]] = {}
    for row in manifest(tmp_path / "out"):
        cases.setdefault(row["case"], set()).add(row["source"])
    assert sorted(map(sorted, cases.values())) == sorted([f"{name}_left.png", f"{name}_right.png"] for name in names)


def test_cases_by_pattern_in_class_folders(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "in", [f"{label}/{label}p{n}/{role}.png" for label in "ab" for n in NUMBERS for role in ("x", "y")]
    )
    report = split(folder, tmp_path / "out", Sources(case="*/{case}/"))
    assert report.images == COUNTS
    assert {label: row["training"] for label, row in report.classes.items()} == {"a": 3, "b": 3}
    assert len(manifest(tmp_path / "out")) == 24


def test_groups_and_sites(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", (f"p{n}.png" for n in range(48)))
    lines = [f"p{n},{n % 2},g{n // 4},{'xyz'[n // 4 % 3]}" for n in range(48)]
    rows = labels(tmp_path / "labels.csv", lines, "file,class,group,site")
    counts = {"training": 24, "validation": 12, "testing": 12}
    report = split(folder, tmp_path / "out", Sources(rows), counts)
    assert set(report.classes) == {f"{label}, {site}" for label in "01" for site in "xyz"}
    assert {tuple(row.values()) for row in report.classes.values()} == {(4, 2, 2)}
    assert report.groups == 12


def test_an_existing_split(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", (f"p{n}.png" for n in NUMBERS))
    words = ["train", "Training", "VAL", "test"]
    rows = labels(tmp_path / "labels.csv", [f"p{n},x,{words[n % 4]}" for n in NUMBERS], "file,class,split")
    report = split(folder, tmp_path / "out", Sources(rows), None)
    assert report.images == {"training": 6, "validation": 3, "testing": 3}
    (folder / "p3.png").write_text((folder / "p0.png").read_text())
    with pytest.raises(PalioError) as caught:
        split_folder(folder, tmp_path / "other", None, sources=Sources(rows))
    assert caught.value.failure.evidence[1] == "p0 (training), p3 (testing)"


def test_percentages(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", (f"p{n}.png" for n in range(51)))
    rows = labels(tmp_path / "labels.csv", [f"p{n},{n % 2}" for n in range(51)])
    counts = {"training": Percent(70), "validation": Percent(15), "testing": Percent(15)}
    report = split_folder(folder, tmp_path / "out", counts, sources=Sources(rows))
    assert (sum(report.images.values()), report.images["training"]) == (51, 36)
    with pytest.raises(PalioError, match="add up to 110"):
        split_folder(folder, tmp_path / "x", counts | {"training": Percent(80)}, sources=Sources(rows))


def test_classes_of_numbers() -> None:
    ages = [str(age) for age in range(60)]
    assert sorted(set(classes(ages))) == ["from 0", "from 12", "from 24", "from 36", "from 48"]
    assert classes(["1", "0", "1", "0", "1", "1"]) == ["1", "0", "1", "0", "1", "1"]


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        ("file", ["line 1: there is no column `class`; the columns are file"]),
        ("name;class\nx;y\n", ["line 1: there is no column `file`; the columns are name, class"]),
        ("file,class\n", ["line 2: there are no rows"]),
        ("file,class\na,x\na,y\n", ["line 3: a is already in line 2; keep one row for each case"]),
        ("file,class\nb\n,z\n", ["line 2: 1 value, but 2 columns", "line 3: `file` is empty"]),
        ("file\tclass\nä\tx", []),
    ],
)
def test_read_labels(tmp_path: Path, content: str, problems: list[str]) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    try:
        read_labels(path, file_column="file", label_column="class")
    except PalioError as error:
        assert error.failure.code == "labels-invalid"
        assert list(error.failure.evidence) == problems
    else:
        assert problems == []
        assert columns_of(path) == ["file", "class"]


@pytest.mark.parametrize(
    ("files", "names", "problem"),
    [
        (("a.png",), ("a", "b"), "b has no file"),
        (("x/a.png", "y/a.png"), ("a",), "a may be x/a.png or y/a.png; write its path"),
    ],
)
def test_labels_without_files(tmp_path: Path, files: tuple[str, ...], names: tuple[str, ...], problem: str) -> None:
    rows = labels(tmp_path / "labels.csv", [f"{name},x" for name in names])
    with pytest.raises(PalioError) as caught:
        split_folder(written(tmp_path / "in", files), tmp_path / "out", COUNTS, sources=Sources(rows))
    assert (caught.value.failure.code, caught.value.failure.evidence) == ("split-impossible", (problem,))


def test_masks_without_images(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", ["a.png", "b.png"])
    masks = written(tmp_path / "masks", ["a.png", "c.png"])
    with pytest.raises(PalioError) as caught:
        split_folder(folder, tmp_path / "out", COUNTS, sources=Sources(masks=masks))
    assert "c has no file" in caught.value.failure.evidence


def test_no_masks(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", ["a.png", "b.png"])
    with pytest.raises(PalioError, match="no name of a file ends with _mask"):
        split_folder(folder, tmp_path / "out", COUNTS, sources=Sources(mask_suffix="_mask"))


def test_warnings_of_what_images_reveal(tmp_path: Path) -> None:
    """Sizes and texts; the copies have no texts, unless these are to be kept."""
    for label, size in (("a", 8), ("b", 9)):
        (tmp_path / "in" / label).mkdir(parents=True)
        for number in range(20):
            info = PngImagePlugin.PngInfo()
            info.add_text("PatientName", f"Smith {number}")
            Image.new("L", (size, size), number).save(tmp_path / f"in/{label}/{number}.png", pnginfo=info)
    for keep in (False, True):
        to = tmp_path / f"out-{keep}"
        report = split_folder(tmp_path / "in", to, dict.fromkeys(COUNTS, 12), keep_metadata=keep)
        metadata, *leaks = report.warnings
        assert metadata.startswith("36 files had metadata, which was " + ("kept" if keep else "removed"))
        assert any(leak.startswith("The image size tells the label") for leak in leaks)
        images = [path.read_bytes() for path in (to / "input_data/testing-data").iterdir()]
        assert all((b"Smith" in image) is keep for image in images)
        assert all(
            sha256 == hashlib.sha256((to / "input_data" / f"{split}-data" / name).read_bytes()).hexdigest()
            for split, name, _, sha256, _ in [row.values() for row in manifest(to)]
        )


def test_large_files_are_copied_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palio.data.splitting.LARGEST_BYTES", 3)
    folder = written(tmp_path / "in", (f"{label}/{number}.png" for label in "ab" for number in NUMBERS))
    report = split_folder(folder, tmp_path / "out", COUNTS)
    assert report.warnings == ("12 files larger than 3 B may have metadata, which stays",)
    for row in manifest(tmp_path / "out"):
        copy = tmp_path / "out/input_data" / f"{row['split']}-data" / row["file"]
        assert copy.read_text() == row["source"]
        assert row["sha256"] == hashlib.sha256(copy.read_bytes()).hexdigest()
