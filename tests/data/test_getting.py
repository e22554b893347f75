import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.data.conftest import Server

from palio.core.errors import PalioError
from palio.data.getting import Report, find_challenge, get_mednist
from palio.data.in_place import data_in_place
from palio.data.layout import found_files, read_manifest
from palio.data.phantom import draw_phantom

SHIPPED = Path(__file__).resolve().parents[2] / "challenges" / "mednist"
SIZES = {"training": 600, "validation": 600, "testing": 600}


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    folder = tmp_path / "challenge"
    folder.mkdir()
    shutil.copyfile(SHIPPED / "manifest.csv", folder / "manifest.csv")
    return folder


@pytest.fixture(scope="session")
def six_classes(mednist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images as in the original archive: six class folders, other names; copies of one image only once."""
    folder = tmp_path_factory.mktemp("original") / "MedNIST"
    for number, (sha256, image) in enumerate(
        {image.sha256: image for image in read_manifest(SHIPPED / "manifest.csv")}.items()
    ):
        path = folder / image.label / f"{number:06}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mednist / image.name, path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    (folder / "README.md").write_text("MedNIST")
    return folder


def as_tar_gz(folder: Path) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, folder.name)
    return archive.getvalue()


def failure(challenge: Path, source: Path | None) -> PalioError:
    with pytest.raises(PalioError) as raised:
        get_mednist(challenge, source)
    return raised.value


def test_get_mednist_from_the_split_layout(mednist: Path, challenge: Path) -> None:
    assert data_in_place(challenge) is None
    assert get_mednist(challenge, mednist) == Report(challenge, "mednist", str(mednist), True, SIZES)
    assert data_in_place(challenge) == "mednist"
    for split in ("training", "validation", "testing"):
        folder = challenge / "input_data" / f"{split}-data"
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            path.name: path.read_bytes() for path in (mednist / f"{split}-data").iterdir()
        }
    assert sorted(path.name for path in challenge.rglob("*.csv")) == sorted(
        [
            "manifest.csv",
            "sample_solution.csv",
            "training_solution.csv",
            "validation_solution.csv",
            "testing_solution.csv",
        ]
    )
    assert [path.name for path in (challenge / "reference_data").iterdir()] == ["testing_solution.csv"]


def test_get_mednist_same_from_every_source(mednist: Path, six_classes: Path, tmp_path: Path, challenge: Path) -> None:
    (tmp_path / "MedNIST.tar.gz").write_bytes(as_tar_gz(six_classes))
    with zipfile.ZipFile(tmp_path / "MedNIST.zip", "w") as archive:
        for path in six_classes.rglob("*.jpeg"):
            archive.write(path, path.name)
    get_mednist(challenge, mednist)
    found = found_files(challenge)
    for source in (six_classes, tmp_path / "MedNIST.tar.gz", tmp_path / "MedNIST.zip"):
        target = tmp_path / f"from {source.name}"
        get_mednist(target, source)  # a folder that is new and gets the shipped manifest
        assert found_files(target) == found
        assert (target / "manifest.csv").read_bytes() == (SHIPPED / "manifest.csv").read_bytes()


def test_get_mednist_from_network(
    six_classes: Path, challenge: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server.content = as_tar_gz(six_classes)
    server.cuts_after = [100_000]
    md5 = hashlib.md5(server.content, usedforsecurity=False).hexdigest()
    cached = tmp_path / "cache" / "palio" / "MedNIST.tar.gz"
    report = get_mednist(challenge, url=server.url, md5=md5)
    assert report == Report(challenge, "mednist", str(cached), True, SIZES)
    assert cached.read_bytes() == server.content
    get_mednist(tmp_path / "another", url=server.url, md5=md5)
    assert server.requests == [None, "bytes=100000-"]


def test_get_mednist_complete(mednist: Path, challenge: Path) -> None:
    get_mednist(challenge, mednist)
    before = challenge.joinpath("input_data").stat().st_ino
    assert get_mednist(challenge) == Report(challenge, "mednist", "in place", False, SIZES)
    assert challenge.joinpath("input_data").stat().st_ino == before


def test_get_mednist_repairs(mednist: Path, challenge: Path) -> None:
    get_mednist(challenge, mednist)
    right = found_files(challenge)
    (challenge / "input_data" / "testing-data" / "000010.jpg").unlink()
    (challenge / "input_data" / "training-data" / "000001.jpg").write_bytes(b"changed")
    shutil.rmtree(challenge / "reference_data")
    assert data_in_place(challenge) is None
    assert get_mednist(challenge, mednist).changed
    assert found_files(challenge) == right


def test_get_mednist_repairs_lists_without_any_source(mednist: Path, challenge: Path) -> None:
    get_mednist(challenge, mednist)
    right = found_files(challenge)
    (challenge / "input_data" / "training_solution.csv").unlink()
    assert get_mednist(challenge).source == str(challenge / "input_data")
    assert found_files(challenge) == right


def test_get_mednist_replaces_the_phantom(mednist: Path, challenge: Path) -> None:
    draw_phantom(challenge, per_split_class=1)
    get_mednist(challenge, mednist)
    assert data_in_place(challenge) == "mednist"


def test_get_mednist_images_differ(mednist: Path, challenge: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(mednist, source, copy_function=shutil.copyfile)
    for folder in source.rglob("*-data"):
        folder.chmod(0o755)
    (source / "training-data" / "000002.jpg").write_bytes(b"changed")
    for path in sorted((source / "testing-data").iterdir())[:7]:
        path.unlink()
    rows = [image for image in read_manifest(SHIPPED / "manifest.csv") if image.split == "testing"]
    error = failure(challenge, source)
    assert str(error) == (
        f"The images in {source} are not the ones in {challenge}/manifest.csv: "
        "of 1,800 images, 7 missing and 1 changed."
    )
    assert error.failure.evidence == (
        "changed: training-data/000002.jpg",
        *(f"missing: {image.name}, {image.label}, SHA-256 {image.sha256}" for image in rows[:5]),
        "and 2 more",
    )
    assert error.failure.next_step == ("Get the data from its original source, or omit --from to download it.")
    assert error.exit_code == 11
    assert [path.name for path in challenge.iterdir()] == ["manifest.csv"]


def test_get_mednist_foreign_files(mednist: Path, challenge: Path) -> None:
    mine = challenge / "input_data" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    error = failure(challenge, mednist)
    assert str(error) == f"{challenge}/input_data already exists and is not empty; nothing in it is overwritten."
    assert error.failure.evidence == ("unexpected file: input_data/mine.txt",)
    assert error.exit_code == 2
    assert mine.read_text() == "mine"


def test_get_mednist_offline(challenge: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PALIO_MEDNIST_URL", server.url)
    server.status = 503
    error = failure(challenge, None)
    assert str(error) == (
        f"The archive of images could not be downloaded from {server.url}: the server returned 503 Service Unavailable."
    )
    assert error.failure.next_step == (
        "Download it on another machine, copy the file here and run `palio data get mednist --from "
        "MedNIST.tar.gz`. Or draw synthetic pictures instead: `palio data get mednist --phantom`."
    )
    assert error.exit_code == 12


# Gets MedNIST, or dies by SIGKILL just before it does something for the n-th time.
DIES = """
import os, signal, sys
from pathlib import Path
from palio.data.getting import get_mednist

challenge, source, deed, deadline = sys.argv[1:]
count = 0

def watch(event, _arguments):
    global count
    if event == deed:
        count += 1
        if count == int(deadline):
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
get_mednist(Path(challenge), Path(source))
"""


def test_get_mednist_killed(mednist: Path, challenge: Path) -> None:
    get_mednist(challenge, mednist)
    new = found_files(challenge)
    (challenge / "input_data" / "testing-data" / "000010.jpg").unlink()
    old = found_files(challenge)
    # while images are written (each is given its mode), and while the new state is moved in
    for deed, deadline, outcome in (("os.chmod", 1000, old), ("os.rename", 4, new)):
        died = subprocess.run([sys.executable, "-c", DIES, challenge, mednist, deed, str(deadline)], check=False)
        assert died.returncode == -signal.SIGKILL
        assert (data_in_place(challenge) == "mednist") == (outcome == new)
        assert found_files(challenge) == outcome
    assert sorted(path.name for path in challenge.iterdir()) == ["input_data", "manifest.csv", "reference_data"]


def test_find_challenge_search_order(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find_challenge(deep) == SHIPPED
    mine = tmp_path / "challenges" / "mednist"
    mine.mkdir(parents=True)
    (mine / "manifest.csv").touch()
    assert find_challenge(deep) == mine


def test_report_is_json(tmp_path: Path) -> None:
    report = Report(tmp_path, "mednist", "in place", False, SIZES)
    assert json.loads(json.dumps(report.as_json())) == {
        "challenge": str(tmp_path),
        "data": "mednist",
        "source": "in place",
        "changed": False,
        "images": SIZES,
    }
