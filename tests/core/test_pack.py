import os
import zipfile
from pathlib import Path

import pytest
from tests.bundles import write_context

from palio.core.errors import PalioError
from palio.core.pack import pack


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
    (folder / ".dockerignore").write_text("notes.txt\n")
    packed = pack(folder, folder / "s.zip")
    assert packed.files == (".dockerignore", "Dockerfile", "predict.py")
    assert zipfile.ZipFile(packed.path).namelist() == list(packed.files)
    assert pack(folder, folder / "s.zip") == packed  # it does not pack itself


def test_pack_published_shape(tmp_path: Path) -> None:
    packed = pack(published_shape(tmp_path / "f"), tmp_path / "s.zip")
    assert packed.files == ("Dockerfile", "docker_code_inference/run.py", "model_output/best.pth")


def test_pack_is_the_same_for_the_same_content(tmp_path: Path) -> None:
    first, second = published_shape(tmp_path / "a"), published_shape(tmp_path / "b")
    for path in second.rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1, 1))
    assert pack(first, tmp_path / "a.zip").digest == pack(second, tmp_path / "b.zip").digest
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
            "the Dockerfile, line 3 (COPY model_output/best.pth /opt/): there is no model_output/best.pth; "
            "`palio train` makes it"
        ),
        "the Dockerfile, line 4 (ADD ../other /opt/): there is no ../other inside the folder",
    )


def test_pack_without_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    assert problems(tmp_path / "f", tmp_path) == ("there is no Dockerfile, neither here nor in docker_code_inference/",)


def test_pack_without_base(tmp_path: Path) -> None:
    assert problems(write_context(tmp_path / "f", dockerfile="CMD true\n"), tmp_path) == (
        "the Dockerfile has no FROM, so there is nothing to build on",
    )


def test_pack_link_that_leads_out(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    (folder / "link").symlink_to("/etc/passwd")
    assert problems(folder, tmp_path) == ("link is a link that leads outside; put the file itself there",)


def test_pack_keeps_the_old_zip_when_it_fails(tmp_path: Path) -> None:
    folder = write_context(tmp_path / "f")
    before = pack(folder, tmp_path / "s.zip")
    (folder / "predict.py").unlink()
    with pytest.raises(PalioError):
        pack(folder, tmp_path / "s.zip")
    assert zipfile.ZipFile(tmp_path / "s.zip").namelist() == list(before.files)
