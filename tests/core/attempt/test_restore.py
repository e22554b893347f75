import json
import string
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palio.core.attempt.blind import Names, draw_names
from palio.core.attempt.restore import Lookup, restore_all
from palio.core.bundle.model import BlindPolicy, Restore
from palio.core.errors import PalioError

RESTORE = Restore("answers.csv", "file")
POLICY = BlindPolicy("*.jpg", (RESTORE,))
NAMES = Names({"aa.jpg": "deep/one.jpg", "bb.jpg": "two.jpg", "notes.txt": "notes.txt"})
P1, P2 = "1" * 32, "2" * 32
CASES = Names({f"{P1}/flair.nii.gz": "p1/flair.nii.gz", f"{P2}/flair.nii.gz": "p2/flair.nii.gz"}, {P1: "p1", P2: "p2"})


def answers(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "answers.csv").write_bytes(content)
    return folder


def refusal(folder: Path, restore: Restore = RESTORE) -> PalioError:
    with pytest.raises(PalioError) as caught:
        restore_all(folder, BlindPolicy("*", (restore,)), NAMES)
    assert caught.value.exit_code == 10
    return caught.value


def test_restore_names_sorted_by_real_name(tmp_path: Path) -> None:
    folder = answers(tmp_path / "p", b"file,class\nbb.jpg,Hand\naa.jpg,CXR\n")
    restore_all(folder, POLICY, NAMES)
    assert (folder / "answers.csv").read_bytes() == b"file,class\none.jpg,CXR\ntwo.jpg,Hand\n"


def test_restore_names_with_folders_bom_and_crlf(tmp_path: Path) -> None:
    folder = answers(tmp_path / "p", "\ufefffile,class\r\n/mnt/in/bb.jpg,Hand\r\n\r\n".encode())
    restore_all(folder, POLICY, NAMES)
    assert (folder / "answers.csv").read_bytes() == b"file,class\ntwo.jpg,Hand\n"


def test_restore_names_unknown_name(tmp_path: Path) -> None:
    failure = refusal(answers(tmp_path / "p", b"file,class\none.jpg,CXR\naa.jpg,CXR\ncc.jpg\n")).failure
    assert failure.message == "answers.csv could not be read as predictions: 2 rows name no input file."
    assert failure.evidence == (
        "answers.csv, line 2: 'one.jpg' is not an input",
        "answers.csv, line 4: 'cc.jpg' is not an input",
        "inputs have names such as 'aa.jpg'",
    )


def test_restore_names_missing_file(tmp_path: Path) -> None:
    folder = answers(tmp_path / "p", b"")
    assert refusal(folder, Restore("other.csv", "file")).failure.message == (
        "The predictions lack the file other.csv, which this challenge requires; there is answers.csv."
    )


@pytest.mark.parametrize(
    ("content", "message", "evidence"),
    [
        (b"", "it has no column `file`", "it is empty"),
        (b"name,class\n", "it has no column `file`", "its first line is 'name,class'"),
        ("file\nä".encode("latin-1"), "it is not a CSV file in UTF-8", "'utf-8' codec can't decode byte"),
        ("file,class".encode("utf-16"), "it is not a CSV file in UTF-8", "'utf-8' codec can't decode byte"),
        (b'file\n"a', "it is not a CSV file in UTF-8", "unexpected end of data"),
    ],
)
def test_restore_names_unreadable(tmp_path: Path, content: bytes, message: str, evidence: str) -> None:
    failure = refusal(answers(tmp_path / "p", content)).failure
    assert failure.message == f"answers.csv could not be read as predictions: {message}."
    assert failure.evidence[0].startswith(evidence)


def files(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def written(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_restore_names_of_files_and_folders(tmp_path: Path) -> None:
    folder = written(
        tmp_path / "p", f"{P1}.nii.gz", f"masks/{P2}/seg.png", f"{P2}_prob.npy", "log.txt", f"x/{P1}/flair.nii.gz"
    )
    restore_all(folder, BlindPolicy("*", ()), CASES)
    assert files(folder) == {
        "p1.nii.gz": f"{P1}.nii.gz",
        "masks/p2/seg.png": f"masks/{P2}/seg.png",
        "p2_prob.npy": f"{P2}_prob.npy",
        "log.txt": "log.txt",
        "x/p1/flair.nii.gz": f"x/{P1}/flair.nii.gz",
    }
    assert {path.name for path in folder.rglob("*") if path.is_dir()} == {"masks", "p2", "x", "p1"}


@pytest.mark.parametrize(
    ("name", "real"),
    [
        (f"{P1}/flair.nii.gz", "p1/flair.nii.gz"),
        (f"/mnt/in/{P1}/flair.nii.gz", "p1/flair.nii.gz"),
        (f"..\\{P1}\\flair.nii.gz", "p1/flair.nii.gz"),
        (P2, "p2"),
        (f"/mnt/in/{P2}/", "p2"),
        (f"{P2}.nii.gz", "p2.nii.gz"),
        (f" /mnt/out/seg/{P2}_seg.nii.gz ", "p2_seg.nii.gz"),
        ("flair.nii.gz", None),
        ("3" * 32, None),
        ("", None),
        (f"{P1}" * 1000, None),
    ],
)
def test_lookup(name: str, real: str | None) -> None:
    assert Lookup(CASES).real(name) == real


def test_lookup_of_equal_names_in_folders() -> None:
    names = draw_names(["a/x.png", "b/x.png"], BlindPolicy("*", (), ("**/{case}",)), lambda *_: b"")
    lookup = Lookup(names)
    for opaque, real in names.real.items():
        base = opaque.partition("/")[2]
        assert lookup.real(base) == lookup.real(opaque) == real
        assert lookup.real_path(base.replace(".png", "_mask.png")) == real.replace(".png", "_mask.png")
        assert lookup.real_path(opaque.replace(".png", "_mask.png")) == real.replace(".png", "_mask.png")


def test_restore_names_in_json(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "boxes.json").write_text(json.dumps({P1: [1.50, "a"], "list": [f"/mnt/in/{P2}/flair.nii.gz", None]}))
    restore_all(folder, BlindPolicy("*", (), (), ("boxes.json",)), CASES)
    assert json.loads((folder / "boxes.json").read_text()) == {"p1": [1.5, "a"], "list": ["p2/flair.nii.gz", None]}


@pytest.mark.parametrize(
    "names",
    [
        ("p1.png", f"{P1}.png"),
        (f"{P1}/a", "p1/a"),
        ("p1", f"{P1}/a"),
    ],
)
def test_restore_names_that_collide(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(PalioError) as caught:
        restore_all(written(tmp_path / "p", *names), BlindPolicy("*", ()), CASES)
    assert caught.value.failure.code == "predictions-collide"


def test_restore_names_too_long_for_a_file(tmp_path: Path) -> None:
    names = Names({f"{P1}.png": f"{'x' * 200}.png"}, {P1: "x" * 200})
    folder = written(tmp_path / "p", f"{P1}-{P1}.png")
    restore_all(folder, BlindPolicy("*", ()), names)
    assert list(files(folder)) == [f"{P1}-{P1}.png"]


_words = st.text("abkxyz019_-. é", min_size=1, max_size=9).filter(lambda word: word.strip(". ") == word)
_trees = st.lists(st.lists(_words, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8, unique=True).filter(
    lambda names: not any(other.startswith(f"{name}/") for name in names for other in names)
)


@given(_trees, st.sampled_from([(), ("**/{case}",), ("{case}/", "{case}")]))
def test_any_tree_out_and_back(tree: list[str], case: tuple[str, ...]) -> None:
    """Predictions that are named as the inputs get the names of the inputs: paths, files and columns."""
    try:
        names = draw_names(tree, BlindPolicy("*", (), case), lambda *_: b"")
    except PalioError as error:
        assert error.failure.code == "blind-unfit"
        return
    lookup = Lookup(names)
    assert {lookup.real(opaque) for opaque in names.real} == set(tree)
    with TemporaryDirectory() as home:
        folder = written(Path(home), *names.real)
        rows = "".join(f'"/mnt/in/{opaque}"\n' for opaque in names.real)
        (folder / "answers.csv").write_text(f"file\n{rows}")
        restore_all(folder, POLICY, names)
        listed = (folder / "answers.csv").read_text().splitlines()[1:]
        (folder / "answers.csv").unlink()
        assert files(folder) == {real: opaque for opaque, real in names.real.items()}
        assert listed == sorted(tree)


@given(st.lists(st.text(string.ascii_uppercase + "_", min_size=5), min_size=1, unique=True))
def test_opaque_names_independent(words: list[str]) -> None:
    tree = [f"{word}/{other}.nii.gz" for word, other in zip(words, reversed(words), strict=True)]
    for opaque in draw_names(tree, BlindPolicy("*", ()), lambda *_: b"").real:
        assert not any(word in opaque for word in words)
