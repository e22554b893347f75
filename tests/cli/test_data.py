import json
from pathlib import Path

import pytest
from tests.mounts import on_a_mount

from palio.cli import main


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PALIO_MEDNIST", "PALIO_MEDNIST_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            (folder / label / f"p{number}_{label}.jpg").write_bytes(f"{label} {number}".encode())
    return folder


def test_get_twice(mednist: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "challenge"
    assert main(["data", "get", "mednist", "--from", str(mednist), "--to", str(to)]) == 0
    counted = "1,800 MedNIST images (600 training, 600 validation, 600 testing)"
    first, attribution = capsys.readouterr().out.splitlines()
    assert first == f"{counted}, from {mednist}, are now in {to}."
    assert attribution == (
        "MedNIST was gathered from TCIA, the RSNA Bone Age Challenge and the NIH Chest X-ray dataset, and is made "
        "available by Dr. Bradley J. Erickson M.D., Ph.D. (Department of Radiology, Mayo Clinic) under CC BY-SA 4.0."
    )
    assert main(["data", "get", "mednist", "--to", str(to)]) == 0
    assert (
        capsys.readouterr().out.splitlines()[0]
        == f"Nothing to do: {counted} are already in {to} and match the manifest."
    )


def test_get_source_from_the_environment(
    mednist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PALIO_MEDNIST", str(mednist))
    to = tmp_path / "challenge"
    assert main(["data", "get", "mednist", "--to", str(to), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "challenge": str(to),
        "data": "mednist",
        "source": str(mednist),
        "changed": True,
        "images": {"training": 600, "validation": 600, "testing": 600},
    }


def test_get_into_the_current_challenge(
    mednist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    challenge = tmp_path / "challenges" / "mednist"
    challenge.mkdir(parents=True)
    shipped = Path(__file__).resolve().parents[2] / "challenges" / "mednist" / "manifest.csv"
    (challenge / "manifest.csv").write_bytes(shipped.read_bytes())
    monkeypatch.chdir(challenge)
    assert main(["data", "get", "mednist", "--from", str(mednist)]) == 0
    assert (challenge / "reference_data" / "testing_solution.csv").is_file()


def test_get_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv(
        "PALIO_MEDNIST_URL", "http://127.0.0.1:9/MedNIST.tar.gz"
    )  # nothing listens on the port `discard`
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert main(["data", "get", "mednist", "--to", str(tmp_path / "challenge")]) == 12
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "Failed. Action needed: the operator.\n"
        "The archive of images could not be downloaded from http://127.0.0.1:9/MedNIST.tar.gz: connection refused.\n"
        "Next: Download it on another machine, copy the file here and run `palio data get mednist --from "
        "MedNIST.tar.gz`. Or draw synthetic pictures instead: `palio data get mednist --phantom`.\n"
        "(network-unavailable)\n"
    )
    assert not (tmp_path / "challenge").exists()


def test_get_phantom(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "challenge"
    what = "1,800 synthetic pictures (PHANTOM) (600 training, 600 validation, 600 testing)"
    sentence = "These are synthetic pictures, not MedNIST.\n"
    assert main(["data", "get", "mednist", "--phantom", "--to", str(to)]) == 0
    assert capsys.readouterr().out == f"{what}, drawn, are now in {to}.\n{sentence}"
    assert main(["data", "get", "mednist", "--phantom", "--to", str(to)]) == 0
    assert capsys.readouterr().out == f"Nothing to do: {what} are already in {to} and match the manifest.\n{sentence}"


def test_get_phantom_with_a_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "get", "mednist", "--phantom", "--from", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines()[1] == "--phantom and --from cannot be combined."


def test_split_shows_the_table_and_the_seed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dog" / "copy.jpg").write_bytes(b"dog 1")
    (folder / "notes.txt").write_text("x")
    to = tmp_path / "out"
    numbers = ["--train", "6", "--validation", "2", "--test", "2"]
    assert main(["data", "split", str(folder), "--to", str(to), *numbers, "--seed", "7"]) == 0
    assert capsys.readouterr().out == (
        f"10 images from {folder} are now in {to}.\n"
        "  class  training  validation  testing\n"
        "  cat           3           1        1\n"
        "  dog           3           1        1\n"
        "  total         6           2        2\n"
        "Kept in one split because they are identical: dog/copy.jpg, dog/p1_dog.jpg\n"
        "Ignored, because they are not images in a class folder: notes.txt\n"
        "Seed 7. Keep it, split.json and manifest.csv private: they reveal every label.\n"
    )


def test_split_prints_one_json_object(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = tmp_path / "out"
    numbers = ["--train", "6", "--validation", "2", "--test", "2", "--group-by", "p\\d+"]
    assert main(["data", "split", str(folder), "--to", str(to), *numbers, "--json", "--seed", "7"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "challenge": str(to),
        "seed": "7",
        "images": {"training": 6, "validation": 2, "testing": 2},
        "classes": {
            "cat": {"training": 3, "validation": 1, "testing": 1},
            "dog": {"training": 3, "validation": 1, "testing": 1},
        },
        "groups": 6,
        "copies": [],
        "ignored": [],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (
            ["--train", "60", "--validation", "2", "--test", "2"],
            11,
            "{folder} cannot be split as requested: 64 images were requested, but there are only 12.",
        ),
        (
            ["--train", "6", "--validation", "2", "--test", "2", "--group-by", "(p"],
            2,
            "--group-by (p is not a regular expression: missing ), unterminated subpattern at position 0.",
        ),
    ],
)
def test_split_refuses(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    sentence: str,
) -> None:
    to = tmp_path / "out"
    assert main(["data", "split", str(folder), "--to", str(to), *arguments, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err.splitlines()[1] == sentence.format(folder=folder)
    assert json.loads(captured.out)["failure"]["message"] == sentence.format(folder=folder)
    assert not to.exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("size=16k", "The disk that holds {to} is full (0 B free)."),
        ("ro", "{to} cannot be written to: read-only file system."),
    ],
)
def test_split_on_a_bad_disk_leaves_nothing(folder: Path, tmp_path: Path, options: str, sentence: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    code = """if True:
        import os, sys
        from palio.cli import main
        sys.stderr = sys.stdout
        disk = sys.argv[1]
        numbers = ["--train", "6", "--validation", "2", "--test", "2"]
        print(main(["data", "split", disk + "/../photos", "--to", disk + "/out", *numbers]), os.listdir(disk))
    """
    said = on_a_mount(options, disk, code).splitlines()
    assert (said[1], said[-1]) == (sentence.format(to=disk / "out"), "12 []")
