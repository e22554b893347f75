"""A MONAI bundle on real engines, with a real MONAI: no Dockerfile, no header, and a score."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.bundles import ANSWERS, answers, write_bundle
from tests.cli.run_command import ENGINES
from tests.conftest import lacking
from tests.docker_command import docker
from tests.monai_bundles import CHALLENGE, INFERENCE, PREDICTOR, monai_files, zip_files

from palio.cli import main

IMAGE = "projectmonai/monai:latest"
# Importing PyTorch takes memory, and its time on a busy machine.
LIMITS = "predict: {time: 20 s, memory: 256 MiB"
YAML = CHALLENGE.replace(LIMITS, "predict: {time: 300 s, memory: 3 GiB")
# Fails unless the isolation of other containers holds in this one, too.
ISOLATED = PREDICTOR.replace(
    "    def run(self):\n",
    """\
    def run(self):
        import os, socket
        assert os.getuid() >= 10001
        assert str(self.inputs) == "/mnt/in" and str(self.output) == "/mnt/out"
        assert sorted(os.listdir("/mnt")) == ["in", "out"]
        for place in ("/mnt/in/x", "/opt/algorithm/x", "/opt/palio/x"):
            try:
                open(place, "w")
            except OSError:
                continue
            raise AssertionError(place)
        try:
            socket.create_connection(("1.1.1.1", 53), 1)
        except OSError:
            pass
        else:
            raise AssertionError("network")
""",
)

Run = Callable[[Path], tuple[int, Any, Path]]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if name == "bubblewrap" and not (find_spec("monai") and find_spec("torch")):
        lacking("there are no Python packages `torch` and `monai`")
    if name == "docker" and not docker("image", "ls", "-q", IMAGE):
        lacking(f"there is no image {IMAGE}")
    return name


def test_monai_bundle_scored(tmp_path: Path, engine: str, capfd: pytest.CaptureFixture[str]) -> None:
    challenge = write_bundle(tmp_path / "challenge", yaml=YAML)
    shared, inference = {"dataset_dir": "/workspace/data"}, {**INFERENCE}
    del inference["dataset_dir"]
    files = {**monai_files(vowels=ISOLATED, inference=json.dumps(inference)), "configs/common.json": json.dumps(shared)}
    files = {f"Vowels/{name}": content for name, content in files.items()}
    submission = zip_files(tmp_path / "b.zip", {**files, "__MACOSX/Vowels/._x": "x"})
    run = tmp_path / "run"
    code = main(["run", *map(str, [submission, "--challenge", challenge, "--engine", engine, "-o", run, "--json"])])
    result = json.loads(capfd.readouterr().out)
    assert (code, result["scores"]) == (0, {"accuracy": 1.0})
    assert (run / "predictions" / "answers.csv").read_text() == answers(dict(sorted(ANSWERS.items())))
    assert "+ python -m monai.bundle run --config_file" in (run / "predict.log").read_text()
    statement = json.loads((run / "receipt.json").read_text())["statement"]
    assert statement["lock"]["submission"]["kind"] == "monai"


@pytest.mark.docker
def test_image_without_monai(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    yaml = YAML.replace("  monai: {", "  monai: {image: 'python:3.11-slim', ")
    challenge = write_bundle(tmp_path / "challenge", yaml=yaml)
    submission = zip_files(tmp_path / "b.zip", monai_files())
    command = ["run", submission, "--challenge", challenge, "--engine", "docker", "-o", tmp_path / "run", "--json"]
    assert main([*map(str, command)]) == 11
    failure = json.loads(capfd.readouterr().out)["failure"]
    assert failure["code"] == "monai-image-unfit"
    assert "`monai` and `torch`" in failure["message"]
