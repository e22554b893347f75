"""The published commands, taken from the challenge's README and run on a Docker engine as they are written there."""

import csv
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import lacking
from tests.docker_command import has_image

pytestmark = pytest.mark.docker

BASES = ("projectmonai/monai:latest", "python:3.11-slim")
MADE = ("medicichallenges/mednist:training", "medicichallenges/mednist:inference", "local/score_image:latest")
FROM_ZIP = "medicichallenges/mednist:test-from-zip"
AS_THE_PLATFORM_RUNS_IT = (
    "--network=none --read-only --tmpfs=/tmp --user=10001:10001 --cap-drop=ALL --security-opt=no-new-privileges "
    "--pids-limit=512 --cpus=2 --memory=4g --memory-swap=4g --shm-size=256m --env=HOME=/tmp --env=TMPDIR=/tmp"
)


@pytest.fixture
def folder(challenge: Path, mednist: Path, tmp_path: Path) -> Iterator[Path]:
    """The challenge as a checkout has it, with the images in place; what Docker makes of it goes away afterwards."""
    if not shutil.which("zip"):
        lacking("the command zip is not here")
    if absent := [image for image in BASES if not has_image(image)]:
        lacking(f"the Docker engine has no {' and no '.join(absent)}")
    here_before = {image for image in MADE if has_image(image)}
    folder = tmp_path / "mednist"
    made_by_commands = ("input_data", "model_output", "reference_data", "submission_directory", "*.zip", "__pycache__")
    shutil.copytree(challenge, folder, ignore=shutil.ignore_patterns(*made_by_commands))
    (folder / "reference_data").mkdir()
    shutil.copy(mednist / "testing_solution.csv", folder / "reference_data")
    for split in ("training", "validation", "testing"):
        shutil.copytree(mednist / f"{split}-data", folder / "input_data" / f"{split}-data")
        if split != "testing":
            shutil.copy(mednist / f"{split}_solution.csv", folder / "input_data")
    yield folder
    # Containers wrote as root; whoever runs the tests is to be able to remove it.
    bash(tmp_path, f"docker run --rm -v $PWD:/made python:3.11-slim chown -R {os.getuid()}:{os.getgid()} /made")
    bash(tmp_path, f"docker image rm --force {' '.join({*MADE, FROM_ZIP} - here_before)}")


def bash(folder: Path, command: str) -> str:
    """Runs the command there and returns what it printed; fails the test, with all of it, if it fails."""
    result = subprocess.run(
        ["bash", "-c", command], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}"
    return result.stdout


def published_commands(readme: str) -> list[str]:
    """Those of the section for Docker, without -it, as tests have no terminal."""
    section = readme.partition("## With Docker only\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return "".join(blocks).replace("docker run -it ", "docker run ").splitlines()


def test_published_commands(folder: Path) -> None:
    commands = published_commands((folder / "README.md").read_text())
    assert len(commands) == 11
    for command in commands:
        bash(folder, command)

    submission = folder / "submission_directory"
    scores = json.loads((submission / "output" / "scores.json").read_text())
    assert list(scores) == ["precision", "recall", "f1"]
    assert scores["f1"] >= 0.99
    results = submission / "input" / "res" / "classification_results.csv"
    with results.open(newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    assert names == sorted(path.name for path in (folder / "input_data" / "testing-data").iterdir())

    with zipfile.ZipFile(folder / "mednist_docker_image_inference.zip") as packed:
        assert sorted(name for name in packed.namelist() if not name.endswith("/")) == [
            "Dockerfile",
            "docker_code_inference/inference_on_test.py",
            "model_output/best_metric_model.json",
            "model_output/best_metric_model.pth",
        ]
        packed.extractall(folder / "unpacked")
    bash(folder, f"docker build -t {FROM_ZIP} unpacked")
    (folder / "out").mkdir()
    (folder / "out").chmod(0o777)
    mounts = "-v $PWD/input_data/testing-data:/mnt/in:ro -v $PWD/out:/mnt/out"
    bash(folder, f"docker run --rm {AS_THE_PLATFORM_RUNS_IT} {mounts} {FROM_ZIP}")
    assert (folder / "out" / "classification_results.csv").read_text() == results.read_text()


def test_scoring_works_for_an_unprivileged_user(folder: Path) -> None:
    bash(folder, "docker build -f scoring_program/Dockerfile -t local/score_image:latest scoring_program")
    bash(folder, "mkdir -p work/input/ref work/input/res work/output && chmod 777 work/output")
    bash(folder, "cp reference_data/testing_solution.csv work/input/ref && cp work/input/ref/*.csv work/input/res")
    options = "--read-only --network=none --user=10001:10001 -v $PWD/work:$PWD/work -w $PWD/work"
    assert bash(folder, f"docker run --rm {options} local/score_image:latest") == (
        "precision: 1.0\nrecall: 1.0\nf1: 1.0\n"
    )
