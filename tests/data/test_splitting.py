import csv
import hashlib
import json
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from palio.core.errors import PalioError
from palio.core.files.staging import settle
from palio.data.layout import expected_files, found_files, read_manifest
from palio.data.splitting import split_folder

COUNTS = {"training": 12, "validation": 6, "testing": 6}
PATIENT = re.compile(r"(p\d+)_")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 images of two classes and 15 patients, each with one image of each class."""
    folder = tmp_path / "photos"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(15):
            (folder / label / f"p{number}_{label}.JPG").write_bytes(f"{label} {number}".encode())
    return folder


def refusal(folder: Path, to: Path, counts: dict[str, int], group_by: str | None = None) -> PalioError:
    with pytest.raises(PalioError) as raised:
        split_folder(folder, to, counts, group_by=re.compile(group_by) if group_by else None)
    assert not to.exists()
    return raised.value


def test_split_folder_stratified(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "out"
    report = split_folder(folder, to, COUNTS, seed="7")
    assert report.images == COUNTS
    assert report.classes == {label: {"training": 6, "validation": 3, "testing": 3} for label in ("cat", "dog")}
    images = read_manifest(to / "manifest.csv")
    assert found_files(to) == expected_files(images)
    for image in images:
        content = (to / "input_data" / image.name).read_bytes()
        assert content == (folder / str(image.source)).read_bytes()
        assert hashlib.sha256(content).hexdigest() == image.sha256
        assert image.label == str(image.source).split("/")[0]
    assert sorted(path.name for path in to.iterdir()) == [
        "input_data",
        "manifest.csv",
        "reference_data",
        "split.json",
    ]
    assert json.loads((to / "split.json").read_text()) == {"seed": "7", "counts": COUNTS, "group_by": None}


def test_split_folder_opaque_names_and_times(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "out"
    split_folder(folder, to, {"training": 24, "validation": 3, "testing": 3}, seed="7")
    with (to / "input_data" / "training_solution.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert all(re.fullmatch(r"training-data/[0-9a-f]{24}\.jpg", row["file"]) for row in rows)
    labels = [row["class"] for row in rows]
    # names in order, classes not: neither halves nor alternating
    changes = sum(one != other for one, other in pairwise(labels))
    assert 4 < changes < 20
    assert {path.stat().st_mtime for path in to.rglob("*") if path.is_file()} == {315532800}


def test_split_folder_seed(folder: Path, tmp_path: Path) -> None:
    first = split_folder(folder, tmp_path / "1", COUNTS)
    split_folder(folder, tmp_path / "2", COUNTS, seed=first.seed)
    other = split_folder(folder, tmp_path / "3", COUNTS)
    assert len(first.seed) == 32
    assert json.loads((tmp_path / "1" / "split.json").read_text())["seed"] == first.seed
    assert (tmp_path / "1" / "manifest.csv").read_bytes() == (tmp_path / "2" / "manifest.csv").read_bytes()
    assert other.seed != first.seed
    assert (tmp_path / "1" / "manifest.csv").read_bytes() != (tmp_path / "3" / "manifest.csv").read_bytes()


def test_split_folder_groups(folder: Path, tmp_path: Path) -> None:
    report = split_folder(folder, tmp_path / "out", COUNTS, group_by=PATIENT)
    assert (report.images, report.groups) == (COUNTS, 15)
    splits: dict[str, set[str]] = {}
    for image in read_manifest(tmp_path / "out" / "manifest.csv"):
        match = PATIENT.search(str(image.source))
        assert match
        splits.setdefault(match[1], set()).add(image.split)
    assert {len(found) for found in splits.values()} == {1}


def test_split_folder_copies_in_one_split(folder: Path, tmp_path: Path) -> None:
    for number in range(5):
        (folder / "cat" / f"copy{number}.jpg").write_bytes(b"cat 3")
    report = split_folder(folder, tmp_path / "out", {"training": 20, "validation": 6, "testing": 6})
    assert report.copies == ((*(f"cat/copy{number}.jpg" for number in range(5)), "cat/p3_cat.JPG"),)
    images = read_manifest(tmp_path / "out" / "manifest.csv")
    assert len({image.split for image in images if image.sha256 == hashlib.sha256(b"cat 3").hexdigest()}) <= 1


def test_split_folder_ignores_other_files(folder: Path, tmp_path: Path) -> None:
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / "stray.jpg").write_text("x")
    (folder / "cat" / ".DS_Store").write_text("x")
    (folder / "cat" / "deep").mkdir()
    (folder / "cat" / "deep" / "volume.nii.gz").write_text("x")
    report = split_folder(folder, tmp_path / "out", {"training": 25, "validation": 3, "testing": 3})
    assert report.ignored == ("cat/notes.txt", "stray.jpg")
    images = read_manifest(tmp_path / "out" / "manifest.csv")
    assert [image.source for image in images if image.file.endswith(".nii.gz")] == ["cat/deep/volume.nii.gz"]


def test_split_folder_too_many_requested(folder: Path, tmp_path: Path) -> None:
    error = refusal(folder, tmp_path / "out", COUNTS | {"training": 100})
    assert str(error) == f"{folder} cannot be split as requested: 112 images were requested, but there are only 30."
    assert (error.failure.next_step, error.exit_code) == ("Use smaller numbers, or add images.", 11)


def test_split_folder_groups_do_not_fit(folder: Path, tmp_path: Path) -> None:
    error = refusal(folder, tmp_path / "out", {"training": 15, "validation": 6, "testing": 6}, r"(p\d+)_")
    assert str(error) == (
        f"{folder} cannot be split as requested: no split of 15 whole groups with exactly these numbers was found."
    )
    nearest = re.fullmatch(r"The closest split found: --train (\d+) --validation 6 --test 6\.", error.failure.next_step)
    nearest = re.fullmatch(r"The closest split found: --train (\d+) --validation 6 --test 6\.", error.failure.next_step)
    assert nearest
    assert nearest[1] in ("14", "16")
    split_folder(
        folder, tmp_path / "out", {"training": int(nearest[1]), "validation": 6, "testing": 6}, group_by=PATIENT
    )


def test_split_folder_unknown_groups(folder: Path, tmp_path: Path) -> None:
    (folder / "dog" / "stray1.png").write_bytes(b"1")
    (folder / "dog" / "stray2.png").write_bytes(b"2")
    error = refusal(folder, tmp_path / "out", COUNTS, r"(p\d+)_")
    assert str(error) == (
        f"{folder} cannot be split as requested: the group of 2 images of 32 is unknown, "
        r"because --group-by (p\d+)_ matches nothing in their paths."
    )
    assert error.failure.evidence == ("dog/stray1.png", "dog/stray2.png")


def test_split_folder_refuses_a_folder_without_classes(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    error = refusal(tmp_path / "empty", tmp_path / "out", COUNTS)
    assert str(error) == f"{tmp_path}/empty cannot be split as requested: it has no subfolders with images."
    error = refusal(tmp_path / "absent", tmp_path / "out", COUNTS)
    assert str(error) == f"{tmp_path}/absent cannot be read: no such file or directory."


def test_split_folder_leaves_a_full_target_alone(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PalioError) as raised:
        split_folder(folder, folder / "cat", COUNTS)
    assert str(raised.value) == f"{folder}/cat already exists and is not empty; nothing in it is overwritten."
    error = refusal(folder, folder / "new", COUNTS)
    assert (str(error), error.exit_code) == (f"{folder}/new is inside {folder}.", 2)


DIES = """
import os, signal, sys
from pathlib import Path
from palio.data.splitting import split_folder

count = 0

def watch(event, _arguments):
    global count
    if event == sys.argv[3]:
        count += 1
        if count == int(sys.argv[4]):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
split_folder(Path(sys.argv[1]), Path(sys.argv[2]), {"training": 12, "validation": 6, "testing": 6})
"""


@pytest.mark.parametrize(("deed", "deadline"), [("os.chmod", 12), ("os.rename", 2), ("os.rename", 3)])
def test_split_folder_killed(folder: Path, tmp_path: Path, deed: str, deadline: int) -> None:
    to = tmp_path / "out"
    died = subprocess.run([sys.executable, "-c", DIES, folder, to, deed, str(deadline)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert not to.exists()
    settle(tmp_path)
    assert to.exists() == ((deed, deadline) == ("os.rename", 3))
    if not to.exists():
        split_folder(folder, to, COUNTS)
    assert found_files(to) == expected_files(read_manifest(to / "manifest.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos"]
