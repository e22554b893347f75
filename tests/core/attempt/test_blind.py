import os
import re
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from palio.core.attempt.blind import Names, stage_inputs, stage_links
from palio.core.bundle.model import BlindPolicy, Restore
from palio.core.errors import PalioError

RESTORE = Restore("answers.csv", "file")
POLICY = BlindPolicy("*.jpg", (RESTORE,))
NAMES = Names({"aa.jpg": "deep/one.jpg", "notes.txt": "notes.txt"}, {"aa": "one"})


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    folder = tmp_path / "inputs"
    (folder / "deep").mkdir(parents=True)
    for name, content in (("deep/one.jpg", "1"), ("two.JPG", "2"), ("notes.txt", "n")):
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    return folder


def test_stage_inputs_blind(inputs: Path, tmp_path: Path) -> None:
    names = stage_inputs(inputs, tmp_path / "in", POLICY)
    assert sorted(names.real.values()) == ["deep/one.jpg", "notes.txt", "two.JPG"]
    for opaque, real in names.real.items():
        assert (tmp_path / "in" / opaque).read_bytes() == (inputs / real).read_bytes()
        assert opaque == "notes.txt" or re.fullmatch(r"([0-9a-f]{32}/)?[0-9a-f]{32}\.jpg", opaque)


def test_stage_inputs_uniform(inputs: Path, tmp_path: Path) -> None:
    stage_inputs(inputs, tmp_path / "in", POLICY)
    facts = {
        (path.stat().st_mtime, oct(path.stat().st_mode)) for path in (tmp_path / "in").rglob("*") if path.is_file()
    }
    assert facts == {(946684800.0, "0o100644")}


def test_stage_inputs_by_the_hundred(tmp_path: Path) -> None:
    source, umask = tmp_path / "inputs", os.umask(0o077)
    try:
        (source / "a/b").mkdir(parents=True)
        for number in range(300):
            (source / f"{number}.jpg").write_text(str(number))
            (source / f"a/b/{number}.txt").write_text(str(number))
        names = stage_inputs(source, tmp_path / "in", POLICY)
    finally:
        os.umask(umask)
    staged = tmp_path / "in"
    assert len(set(names.real.values())) == len(names.real) == 600
    assert all((staged / opaque).read_text() == Path(real).stem for opaque, real in names.real.items())
    facts = {(path.stat().st_mtime, oct(path.stat().st_mode)) for path in (staged, *staged.rglob("*"))}
    assert facts == {(946684800.0, "0o100644"), (946684800.0, "0o40755")}


def test_stage_inputs_inode_numbers(tmp_path: Path) -> None:
    source = tmp_path / "inputs"
    source.mkdir()
    for number in range(400):
        (source / f"{number:03}.jpg").write_text("")
    names = stage_inputs(source, tmp_path / "in", POLICY).real
    by_inode = sorted(names, key=lambda opaque: (tmp_path / "in" / opaque).stat().st_ino)
    originals = [int(names[opaque][:3]) for opaque in by_inode]
    assert abs(statistics.correlation(range(400), originals)) < 0.3  # six times what chance gives


def test_stage_links_renames_without_copying(inputs: Path, tmp_path: Path) -> None:
    first = stage_inputs(inputs, tmp_path / "first", POLICY)
    second = stage_links(tmp_path / "first", first, tmp_path / "second")
    assert sorted(second.real.values()) == sorted(first.real.values())
    assert set(second.real) & set(first.real) == {"notes.txt"}
    old = {real: opaque for opaque, real in first.real.items()}
    for opaque, real in second.real.items():
        assert (tmp_path / "second" / opaque).samefile(tmp_path / "first" / old[real])


def test_stage_links_copies_across_devices(inputs: Path, tmp_path: Path) -> None:
    first = stage_inputs(inputs, tmp_path / "first", POLICY)
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        second = stage_links(tmp_path / "first", first, Path(elsewhere) / "second")
        for opaque, real in second.real.items():
            copy = Path(elsewhere) / "second" / opaque
            assert copy.read_bytes() == (inputs / real).read_bytes()
            assert (copy.stat().st_nlink, copy.stat().st_mtime) == (1, 946684800.0)


def test_stage_inputs_unreadable_folder(tmp_path: Path) -> None:
    with pytest.raises(PalioError) as caught:
        stage_inputs(tmp_path / "inputs", tmp_path / "in", POLICY)
    assert caught.value.failure.code == "source-unreadable"
    assert not (tmp_path / "in").exists()


def test_stage_inputs_takes_what_the_digest_covers(inputs: Path, tmp_path: Path) -> None:
    (inputs / "link.jpg").symlink_to("two.JPG")
    (inputs / "deep/.DS_Store").write_text("x")
    (inputs / "__pycache__").mkdir()
    (inputs / "__pycache__/x.jpg").write_text("x")
    names = stage_inputs(inputs, tmp_path / "in", POLICY)
    assert sorted(names.real.values()) == ["deep/one.jpg", "link.jpg", "notes.txt", "two.JPG"]


@pytest.mark.parametrize("target", ["nothing", "link", "deep", "/etc/passwd"])
def test_stage_inputs_refuses_foreign_links(inputs: Path, tmp_path: Path, target: str) -> None:
    (inputs / "link").symlink_to(target)
    with pytest.raises(PalioError, match=r"link is a (broken )?link"):
        stage_inputs(inputs, tmp_path / "in", POLICY)


def test_stage_inputs_differs_each_time(inputs: Path, tmp_path: Path) -> None:
    assert stage_inputs(inputs, tmp_path / "a", POLICY) != stage_inputs(inputs, tmp_path / "b", POLICY)


def test_stage_inputs_without_policy(inputs: Path, tmp_path: Path) -> None:
    names = stage_inputs(inputs, tmp_path / "in", None)
    assert dict(names.real) == {name: name for name in ("deep/one.jpg", "notes.txt", "two.JPG")}
    assert (tmp_path / "in/deep/one.jpg").read_text() == "1"


def test_names_saved_and_loaded(tmp_path: Path) -> None:
    NAMES.save(tmp_path / "names.json")
    assert Names.load(tmp_path / "names.json") == NAMES
    (tmp_path / "names.json").write_text('{"aa.jpg": "one.jpg"}')
    assert Names.load(tmp_path / "names.json") == Names({"aa.jpg": "one.jpg"})  # of release 0.1


def test_stage_links_renames_cases(tmp_path: Path) -> None:
    for name in ("p1/flair.nii", "p1/t1.nii", "p2/flair.nii", "p2/t1.nii"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    first = stage_inputs(tmp_path / "in", tmp_path / "first", BlindPolicy("*", ()))
    second = stage_links(tmp_path / "first", first, tmp_path / "second")
    assert set(first.hidden).isdisjoint(second.hidden)
    assert sorted(first.hidden.values()) == sorted(second.hidden.values()) == ["p1", "p2"]
    for opaque, real in second.real.items():
        assert (tmp_path / "second" / opaque).read_text() == real
        assert opaque == f"{opaque[:32]}/{real.partition('/')[2]}"


def test_stage_inputs_pattern_that_matches_nothing(inputs: Path, tmp_path: Path) -> None:
    with pytest.raises(PalioError) as caught:
        stage_inputs(inputs, tmp_path / "in", BlindPolicy("case*", ()))
    assert (caught.value.failure.code, caught.value.exit_code) == ("blind-unfit", 11)
    assert not (tmp_path / "in").exists()
