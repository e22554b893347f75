"""Runs that differ in one place do not share images, scores or receipts."""

import json
import shutil
import zipfile
from pathlib import Path

from tests.bundles import YAML, write_bundle

from palio.cli import main

DOCKERFILE = """\
FROM python:3.11-slim
WORKDIR /opt
COPY . /opt/
CMD ["python", "/opt/predict.py"]
"""
PREDICT = """\
import os
from pathlib import Path

answer = Path("/opt/__pycache__/answer").read_text()
rows = ["file,answer", *(f"{name},{answer}" for name in os.listdir("/mnt/in"))]
Path("/mnt/out/answers.csv").write_text("\\n".join(rows))
"""
# Run directly, so it needs its execute bit. The score counts the executable files in its own image.
SCORE = """\
#!/usr/bin/env python
import json, os
from pathlib import Path

seen = sum(os.access(path, os.X_OK) for path in Path("/opt/scorer").iterdir())
Path("/app/output/scores.json").write_text(json.dumps({"accuracy": seen / 8}))
"""
SCORER = """\
FROM python:3.11-slim
COPY . /opt/scorer/
ENTRYPOINT ["/opt/scorer/score.py"]
"""


def run(name: str, submission: Path, challenge: Path, engine: str) -> Path:
    folder = submission.parent / name
    assert main(["run", str(submission), "--challenge", str(challenge), "--engine", engine, "-o", str(folder)]) == 0
    assert main(["verify", str(folder), "--challenge", str(challenge), "--engine", engine]) == 0
    return folder


def submission(path: Path, answer: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {"Dockerfile": DOCKERFILE, "predict.py": PREDICT, "__pycache__/answer": answer}.items():
            archive.writestr(name, text)
    return path


def test_receipt_image_of_own_submission(engine: str, tmp_path: Path) -> None:
    challenge = write_bundle(tmp_path / "challenge")
    one, other = submission(tmp_path / "one.zip", "yes"), submission(tmp_path / "other.zip", "no")
    runs = [run(f"run-{number}", path, challenge, engine) for number, path in enumerate((one, other, one))]
    scores, images, answers = [], [], []
    for folder in runs:
        statement = json.loads((folder / "receipt.json").read_text())["statement"]
        scores.append(statement["result"]["scores"])
        images.append(statement["result"]["stages"]["build"]["image"])
        answers.append((folder / "predictions/answers.csv").read_text().splitlines()[1].rpartition(",")[2])
    assert answers == ["yes", "no", "yes"]
    assert scores[0] == scores[2] != scores[1]
    assert images[0] == images[2] != images[1]


def test_scoring_program_execute_bits(engine: str, tmp_path: Path) -> None:
    yaml = YAML.replace("docker_image: python:3.11-slim\n", "")
    first = write_bundle(tmp_path / "first", yaml=yaml, score=SCORE)
    program = first / "scoring_program"
    (program / "metadata.yaml").unlink()
    (program / "Dockerfile").write_text(SCORER)
    (program / "tool").write_text("")
    (program / "score.py").chmod(0o755)
    second, third = tmp_path / "second", tmp_path / "third"
    for folder in (second, third):
        shutil.copytree(first, folder)
    (second / "scoring_program/tool").chmod(0o755)
    (third / "scoring_program/empty").mkdir()
    path = submission(tmp_path / "s.zip", "yes")
    scores, programs = [], set()
    for challenge in (first, second, third):
        folder = run(f"run-{challenge.name}", path, challenge, engine)
        statement = json.loads((folder / "receipt.json").read_text())["statement"]
        scores.append(statement["result"]["scores"]["accuracy"])
        programs.add(statement["lock"]["scoring_program"]["digest"])
    assert scores == [1 / 8, 2 / 8, 2 / 8]  # score.py; and the tool; and the empty folder
    assert len(programs) == 3
