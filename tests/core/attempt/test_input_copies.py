import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.errors import code_of

from palio.core.attempt.blind import Names
from palio.core.attempt.input_copies import InputCopies
from palio.core.bundle.model import BlindPolicy

POLICY = BlindPolicy("*.jpg", ())
DAY_S = 24 * 3600


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.jpg").write_text(str(number))
    return folder


def files(folder: Path, names: Names) -> dict[str, str]:
    return {real: (folder / opaque).read_text() for opaque, real in names.real.items()}


def inodes(folder: Path) -> set[int]:
    return {path.stat().st_ino for path in folder.iterdir()}


def copies_in(root: Path) -> int:
    return sum(path.is_dir() for path in root.iterdir())


def test_stage_copies_once(inputs: Path, tmp_path: Path) -> None:
    copies = InputCopies(tmp_path / "copies")
    first = copies.stage(inputs, "digest", tmp_path / "a", POLICY)
    (inputs / "0.jpg").unlink()  # nobody looks there again for the same digest
    second = copies.stage(inputs, "digest", tmp_path / "b", POLICY)
    expected = {f"{number}.jpg": str(number) for number in range(5)}
    assert files(tmp_path / "a", first) == files(tmp_path / "b", second) == expected
    assert set(first.real).isdisjoint(second.real)
    assert inodes(tmp_path / "a") == inodes(tmp_path / "b")
    assert inodes(tmp_path / "a").isdisjoint(inodes(inputs))


@pytest.mark.parametrize(("digest", "policy"), [("other", POLICY), ("digest", BlindPolicy("0*", ())), ("digest", None)])
def test_stage_other_data_or_policy(inputs: Path, tmp_path: Path, digest: str, policy: BlindPolicy | None) -> None:
    copies = InputCopies(tmp_path / "copies")
    copies.stage(inputs, "digest", tmp_path / "a", POLICY)
    copies.stage(inputs, digest, tmp_path / "b", policy)
    assert copies_in(tmp_path / "copies") == 2


def test_stage_in_parallel(inputs: Path, tmp_path: Path) -> None:
    def stage(number: int) -> dict[str, str]:
        folder = tmp_path / f"run-{number}"
        return files(folder, InputCopies(tmp_path / "copies").stage(inputs, "digest", folder, POLICY))

    with ThreadPoolExecutor(8) as pool:
        assert all(len(found) == 5 for found in pool.map(stage, range(8)))
    assert copies_in(tmp_path / "copies") == 1
    assert len(set().union(*(inodes(tmp_path / f"run-{number}") for number in range(8)))) == 5


def test_stage_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    copies = InputCopies(tmp_path / "copies")
    assert code_of(lambda: copies.stage(tmp_path / "missing", "digest", tmp_path / "a", POLICY)) == "source-unreadable"
    assert copies_in(tmp_path / "copies") == 0


def test_copies_unused_for_a_week_are_removed(inputs: Path, tmp_path: Path) -> None:
    copies = InputCopies(tmp_path / "copies")
    for name, days in (("old", 8), ("new", 6)):
        before = {path.name for path in (tmp_path / "copies").glob("*")}
        copies.stage(inputs, name, tmp_path / name, POLICY)
        (made,) = [path for path in (tmp_path / "copies").iterdir() if path.is_dir() and path.name not in before]
        os.utime(made, times=(time.time() - days * DAY_S,) * 2)
    copies.stage(inputs, "newest", tmp_path / "newest", POLICY)
    assert copies_in(tmp_path / "copies") == 2
    assert len(inodes(tmp_path / "old")) == 5  # a run that still goes on keeps its files
