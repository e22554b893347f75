"""Data of a bundle as a folder, as a zip, as a single file, behind links, or absent."""

import zipfile
from pathlib import Path

import pytest
from tests.bundles import write_bundle

from palio.core.attempt.prepared import Prepared
from palio.core.attempt.progress import Progress
from palio.core.bundle.model import Bundle
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError
from palio.core.files.tree import digest_copy, digest_tree


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return read_bundle(write_bundle(tmp_path / "bundle"))


@pytest.fixture
def prepared(tmp_path: Path, bundle: Bundle) -> Prepared:
    return Prepared(bundle, Progress(tmp_path / "work"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_reference_data_absent(prepared: Prepared) -> None:
    assert names(prepared.unzipped("reference_data", None)) == []


def test_input_data_missing(prepared: Prepared) -> None:
    with pytest.raises(PalioError) as raised:
        prepared.unzipped("input_data", None)
    assert raised.value.failure.code == "data-missing"


def test_single_file_in_folder(prepared: Prepared, bundle: Bundle) -> None:
    (bundle.root / "truth.csv").write_text("a")
    assert names(prepared.unzipped("reference_data", bundle.root / "truth.csv")) == ["truth.csv"]


@pytest.mark.parametrize("name", ["truth/a.csv", "a.zip"])
def test_zip_of_data_keeps_its_layout(prepared: Prepared, bundle: Bundle, name: str) -> None:
    with zipfile.ZipFile(bundle.root / "truth.zip", "w") as archive:
        archive.writestr(name, "a")
    assert names(prepared.unzipped("reference_data", bundle.root / "truth.zip")) == [name]


def test_zip_of_program_without_top_folder(prepared: Prepared, bundle: Bundle) -> None:
    with zipfile.ZipFile(bundle.root / "program.zip", "w") as archive:
        archive.writestr("program/score.py", "a")
    assert names(prepared.unzipped("scoring_program", bundle.root / "program.zip")) == ["score.py"]


def test_links_inside_bundle_followed(prepared: Prepared, bundle: Bundle) -> None:
    program = bundle.tasks[0].scoring_program
    (bundle.root / "common").mkdir()
    (bundle.root / "common/metric.py").write_text("a")
    (program / "common").symlink_to("../common")
    (program / "metric.py").symlink_to("../common/metric.py")
    copy = prepared.copied("program", prepared.unzipped("scoring_program", program), executable=True)
    assert {"common/metric.py", "metric.py"} < set(names(copy))
    assert digest_tree(copy) == digest_copy(program, executable=True, within=bundle.root)


def test_link_outside_bundle_refused(prepared: Prepared, bundle: Bundle, tmp_path: Path) -> None:
    program = bundle.tasks[0].scoring_program
    (tmp_path / "secret").write_text("a")
    (program / "secret").symlink_to(tmp_path / "secret")
    with pytest.raises(PalioError) as raised:
        prepared.unzipped("scoring_program", program)
    assert raised.value.failure.code == "folder-unreadable"
