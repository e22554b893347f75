import os
import stat
import zipfile
from pathlib import Path

import pytest
from tests.bundles import write_context

from palio.core.errors import PalioError
from palio.core.files.archive import unpack
from palio.core.submission.pack import pack


def problems(folder: Path, tmp_path: Path) -> tuple[str, ...]:
    with pytest.raises(PalioError) as refusal:
        pack(folder, tmp_path / "s.zip")
    assert refusal.value.failure.code == "folder-unfit"
    assert refusal.value.exit_code == 10
    assert not (tmp_path / "s.zip").exists()
    return refusal.value.failure.evidence


def published_shape(folder: Path) -> Path:
    """A challenge folder, with more in it than a submission needs."""
    for name, content in {
        "docker_code_inference/Dockerfile": (
            "ARG BASE=python:3.11-slim\nFROM ${BASE}\nCOPY docker_code_inference/run.py model_output/*.pth /opt/\n"
        ),
        "docker_code_inference/run.py": "print()",
        "model_output/best.pth": "weights",
        "input_data/secret.jpg": "x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def test_pack_folder_with_dockerfile(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__/predict.pyc").write_text("x")
    (folder / "notes.txt").write_text("x")
    (folder / ".dockerignore").write_text("notes.txt\n__pycache__\n")
    packed = pack(folder, folder / "s.zip")
    assert packed.files == (".dockerignore", "Dockerfile", "predict.py")
    assert packed.notes == ()
    assert zipfile.ZipFile(packed.path).namelist() == list(packed.files)
    assert pack(folder, folder / "s.zip") == packed  # it does not pack itself


def test_pack_includes_build_context(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    for name in ("__pycache__/predict.pyc", ".git/HEAD", ".git/config", "lib/.DS_Store", "lib/a.py", "lib/._mine"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "lib/._a.py").write_bytes(b"\0\5\x16\7")
    (folder / "data/empty").mkdir(parents=True)
    (folder / "link.py").symlink_to("predict.py")
    packed = pack(folder, tmp_path / "s.zip")
    git, lib = (".git/HEAD", ".git/config"), ("lib/._mine", "lib/a.py")
    files = (*git, "Dockerfile", "__pycache__/predict.pyc", *lib, "link.py", "predict.py")
    assert packed.files == files
    assert zipfile.ZipFile(packed.path).namelist() == sorted([*files, "data/empty/"])
    assert packed.notes == (
        "2 files are in .git and part of the build; list it in .dockerignore if the image does not need it",
        "1 file is in __pycache__ and part of the build; list it in .dockerignore if the image does not need it",
        "left out, as in every zip: .DS_Store, ._* of macOS",
    )


def test_pack_ignored_files_unchecked(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").symlink_to("/usr/bin/python3")
    os.mkfifo(folder / ".venv/pipe")
    (folder / ".dockerignore").write_text(".venv\n")
    assert pack(folder, tmp_path / "s.zip").files == (".dockerignore", "Dockerfile", "predict.py")


def test_pack_keeps_execute_bits(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    for name, mode in {"run.sh": 0o700, "other.sh": 0o600}.items():
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(mode)
    packed = pack(folder, tmp_path / "s.zip")
    modes = {entry.filename: entry.external_attr >> 16 for entry in zipfile.ZipFile(packed.path).infolist()}
    assert modes == {"Dockerfile": 0o100644, "other.sh": 0o100644, "predict.py": 0o100644, "run.sh": 0o100755}
    unpack(packed.path, tmp_path / "out")
    assert {path.name: stat.S_IMODE(path.stat().st_mode) | 0o100000 for path in (tmp_path / "out").iterdir()} == modes


def test_pack_published_shape(tmp_path: Path) -> None:
    packed = pack(published_shape(tmp_path / "f"), tmp_path / "s.zip")
    assert packed.files == ("Dockerfile", "docker_code_inference/run.py", "model_output/best.pth")


def test_pack_deterministic(tmp_path: Path) -> None:
    first, second = published_shape(tmp_path / "a"), published_shape(tmp_path / "b")
    for path in second.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1, 1))
    assert pack(first, tmp_path / "a.zip").digest == pack(second, tmp_path / "b.zip").digest
    (second / "docker_code_inference/run.py").chmod(0o700)
    assert pack(first, tmp_path / "a.zip").digest != pack(second, tmp_path / "b.zip").digest
    (second / "docker_code_inference/run.py").chmod(0o600)
    (second / "model_output/best.pth").write_text("weightz")
    assert pack(first, tmp_path / "a.zip").digest != pack(second, tmp_path / "b.zip").digest


def test_pack_lists_all_problems(tmp_path: Path) -> None:
    folder = published_shape(tmp_path / "f")
    (folder / "model_output/best.pth").unlink()
    (folder / "docker_code_inference/Dockerfile").write_text(
        "FROM x\nCOPY docker_code_inference/run.py /opt/\nCOPY model_output/best.pth /opt/\nADD ../other /opt/\n"
    )
    assert problems(folder, tmp_path) == (
        (
            "the Dockerfile, line 3 (COPY model_output/best.pth /opt/): model_output/best.pth does not exist; "
            "`palio train` creates it"
        ),
        "the Dockerfile, line 4 (ADD ../other /opt/): ../other does not exist inside the folder",
    )


def test_pack_without_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (found,) = problems(tmp_path / "f", tmp_path)
    assert found.startswith("there is no Dockerfile, neither here nor in docker_code_inference/")


def test_pack_without_base(tmp_path: Path) -> None:
    assert problems(write_context(tmp_path / "f", dockerfile="CMD true\n"), tmp_path) == ("the Dockerfile has no FROM",)


def test_pack_link_that_leads_out(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / "link").symlink_to("/etc/passwd")
    assert problems(folder, tmp_path) == ("link is a link to the outside; put the file itself there",)


def test_pack_failure_keeps_old_zip(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    before = pack(folder, tmp_path / "s.zip")
    (folder / "predict.py").unlink()
    with pytest.raises(PalioError):
        pack(folder, tmp_path / "s.zip")
    assert zipfile.ZipFile(tmp_path / "s.zip").namelist() == list(before.files)


@pytest.mark.parametrize("name", ["dockerfile", "Dockerfile.txt", "Containerfile"])
def test_pack_dockerfile_of_another_name(tmp_path: Path, name: str) -> None:
    folder = write_context(tmp_path / "f")
    expected = pack(folder, tmp_path / "a.zip").digest
    (folder / "Dockerfile").rename(folder / name)
    packed = pack(folder, tmp_path / "b.zip")
    assert (packed.digest, packed.files, len(packed.notes)) == (expected, ("Dockerfile", "predict.py"), 1)


def test_pack_keeps_a_dockerfile_that_is_copied(tmp_path: Path) -> None:
    folder = published_shape(tmp_path / "f")
    (folder / "docker_code_inference/Dockerfile").write_text("FROM x\nCOPY docker_code_inference /opt/\n")
    assert "docker_code_inference/Dockerfile" in pack(folder, tmp_path / "s.zip").files


def test_pack_lfs_pointers(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / "best.pth").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 9\n")
    assert problems(folder, tmp_path) == ("best.pth is a Git LFS pointer, not the file itself; run `git lfs pull`",)
    (folder / ".dockerignore").write_text("*.pth\n")
    pack(folder, tmp_path / "s.zip")


@pytest.mark.parametrize(
    "image", ["UPPER/case", "http://x.org/image", "python:3.11-slim:x", "./image.tar", "python slim"]
)
def test_pack_image_name_that_cannot_be_one(tmp_path: Path, image: str) -> None:
    found = problems(write_context(tmp_path / "f", dockerfile=f"FROM {image}\nCOPY predict.py /\n"), tmp_path)
    assert len(found) == 1
    assert found[0].startswith(f"the Dockerfile, line 1 (FROM {image}): ")


def test_pack_says_where_a_missing_file_is(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / "src").mkdir()
    (folder / "predict.py").rename(folder / "src/predict.py")
    assert problems(folder, tmp_path) == (
        "the Dockerfile, line 3 (COPY predict.py ./): predict.py does not exist; do you mean src/predict.py?",
    )
