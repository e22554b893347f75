import json
from pathlib import Path

import pytest

from palio.cli import main

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]

TRAIN = """\
import os
from pathlib import Path

rows = (Path(os.environ["PALIO_INPUT"]) / "training_solution.csv").read_text()
for epoch in range(3):
    print(f"epoch {epoch}")
(Path(os.environ["PALIO_OUTPUT"]) / "model.txt").write_text(rows)
"""


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    folder = tmp_path / "challenge"
    for name, content in {
        "docker_code_training/Dockerfile": 'FROM python:3.11-slim\nCOPY app.py /opt/\nCMD ["python", "/opt/app.py"]\n',
        "docker_code_training/app.py": TRAIN,
        "input_data/training_solution.csv": "file,class\n",
        "model_output/old.txt": "old",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.parametrize("engine", ENGINES)
def test_train_replaces_the_model(engine: str, challenge: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(challenge), "--engine", engine]) == 0
    assert files(challenge / "model_output") == {"model.txt": "file,class\n"}
    out = capfd.readouterr().out
    assert [line for line in out.splitlines() if "epoch" in line] == ["  | epoch 0", "  | epoch 1", "  | epoch 2"]


@pytest.mark.parametrize("engine", ENGINES)
def test_train_elsewhere(engine: str, challenge: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(challenge), "--engine", engine, "--to", str(tmp_path / "model"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == {"target": str(tmp_path / "model"), "files": ["model.txt"]}
    assert files(challenge / "model_output") == {"old.txt": "old"}


@pytest.mark.parametrize("engine", ENGINES)
def test_train_fails_and_keeps_the_old_model(engine: str, challenge: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (challenge / "docker_code_training/app.py").write_text(f"{TRAIN}\nraise SystemExit('no convergence')\n")
    assert main(["train", str(challenge), "--engine", engine]) == 11
    assert files(challenge / "model_output") == {"old.txt": "old"}
    captured = capfd.readouterr()
    assert "  | no convergence" in captured.out.splitlines()
    assert captured.err.splitlines()[1] == (
        f"The training container exited with code 1; nothing was written to {challenge / 'model_output'}."
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_train_over_time(engine: str, challenge: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (challenge / "docker_code_training/app.py").write_text("import time\ntime.sleep(60)\n")
    assert main(["train", str(challenge), "--engine", engine, "--time", "1"]) == 11
    assert "The training container was stopped: time limit, 1.0 s." in capfd.readouterr().err


def test_train_without_data(challenge: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (challenge / "input_data/training_solution.csv").unlink()
    assert main(["train", str(challenge)]) == 11
    assert f"Next: Run `palio data get mednist --to {challenge}`." in capfd.readouterr().err


def test_train_without_training_code(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(tmp_path)]) == 2
    assert f"{tmp_path} has no docker_code_training/Dockerfile" in capfd.readouterr().err
