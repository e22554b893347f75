"""What participants may download, and that nothing hidden is among it."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle

from palio.core.bundle.model import Bundle, Solution
from palio.core.bundle.read import read_bundle
from palio.web.storage.downloads import blocks_of, downloads, zip_of

START = "    start: 2026-01-01\n"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Public data is all of data/, in which the hidden data lies too."""
    yaml = (
        YAML.replace("input_data: input_data", "input_data: data/testing")
        .replace("reference_data: reference_data", "reference_data: data/truth")
        .replace(START, START + "    starting_kit: kit.zip\n    public_data: data\n")
        .replace("palio:\n", "palio:\n  sample: {input: cases/in, expect: cases/out}\n")
    )
    for name in ("data/testing/one.txt", "data/truth/answers.csv", "data/training/two.txt", "kit.zip"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("cases/in/three.txt", "cases/out/answers.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return read_bundle(write_bundle(tmp_path, yaml=yaml))


def test_downloads_without_hidden_data(bundle: Bundle) -> None:
    (bundle.root / "data" / "link.txt").symlink_to("truth/answers.csv")
    listed = {found.kind: [name for name, _ in found.files] for found in downloads(bundle, NOW)}
    assert listed == {
        "starting-kit": ["kit.zip"],
        "public-data": ["training/two.txt"],
        "sample": ["in/three.txt", "out/answers.csv"],
    }


def test_downloads_before_phase_organizer_only(bundle: Bundle) -> None:
    assert downloads(bundle, datetime(2025, 1, 1, tzinfo=UTC)) == []
    assert len(downloads(bundle, None)) == 3


def test_solutions_organizer_only(bundle: Bundle) -> None:
    for name in ("best/answers.csv", "code.zip"):
        (bundle.root / name).parent.mkdir(exist_ok=True)
        (bundle.root / name).write_text(name)
    solutions = (Solution(bundle.root / "best", (0,)), Solution(bundle.root / "code.zip", (0,)))
    other = Solution(bundle.root / "code.zip", (7,))
    bundle = replace(bundle, solutions=(*solutions, other))
    assert not [found for found in downloads(bundle, NOW) if found.kind.startswith("solution")]
    offered = [found for found in downloads(bundle, None) if found.kind.startswith("solution")]
    assert [(found.kind, found.title, found.count) for found in offered] == [
        ("solution-1", "Solution 1", 1),
        ("solution-2", "Solution 2", 1),
    ]


def test_zip_of_files(bundle: Bundle) -> None:
    sample = next(found for found in downloads(bundle, NOW) if found.kind == "sample")
    entries = [(name, blocks_of(path), path.stat().st_size) for name, path in sample.files]
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_of(entries)))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name).decode() for name in archive.namelist()} == {
            "in/three.txt": "cases/in/three.txt",
            "out/answers.csv": "cases/out/answers.csv",
        }
