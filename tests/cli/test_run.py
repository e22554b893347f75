"""`palio run` and `palio score` on real engines, with small submissions to a small challenge."""

import gzip
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from tests.bundles import ANSWERS, SCORE, YAML, answers, two_tasks, write_bundle, write_context
from tests.cli.run_command import Outcome, Submitter
from tests.docker_command import docker, docker_if_any, remove_images
from tests.wheels import write_wheel

from palio.core.files.digest import digest_file


def test_run_scores(submitter: Submitter) -> None:
    outcome = submitter.run()
    result = json.loads(outcome.out)
    assert (outcome.exit_code, result["verdict"], result["scores"]) == (0, "scored", {"accuracy": 1.0})
    assert list(result["stages"]) == ["build", "predict", "score"]
    run = Path(result["run_folder"])
    assert (run / "predictions/answers.csv").read_text() == answers(dict(sorted(ANSWERS.items())))
    lock = json.loads((run / "lock.json").read_text())
    assert (lock["engine"]["name"], lock["blind"], lock["phantom"]) == (submitter.engine, True, False)


def test_run_prints_the_stages(palio: Callable[..., Outcome], submitter: Submitter) -> None:
    submitter.run()
    outcome = palio("run", "s.zip", "--challenge", "bundle", "--engine", submitter.engine, "-o", "again")
    lines = outcome.out.splitlines()
    assert lines[0] == "Vowels, phase Final"
    image = ["image"] if submitter.engine == "bubblewrap" else []  # this machine's Python instead of the bundle's image
    recognized = ["contents", "base", "runs"]
    names = ["submission", *recognized, "engine", *image, "build", "predict", "score"]
    assert [line.split()[0] for line in lines[1 : 1 + len(names)]] == names
    assert [line.strip() for line in lines[-4:-2]] == ["Accuracy", "1.000"]
    assert lines[-1] == f"Run folder: {Path('again').resolve()}"


def test_score_predictions(palio: Callable[..., Outcome], bundle: Path, engine: str) -> None:
    Path("answers.csv").write_text(answers(ANSWERS | {"two.txt": "yes"}))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", engine, "--json")
    assert json.loads(outcome.out)["scores"] == {"accuracy": pytest.approx(2 / 3)}
    assert outcome.exit_code == 0


@pytest.mark.bubblewrap
def test_engine_that_only_a_platform_maps_is_ignored_with_a_note(palio: Callable[..., Outcome], tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "named", yaml=YAML + "  engine: gpu\n")
    Path("answers.csv").write_text(answers(ANSWERS))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", "bubblewrap")
    assert outcome.exit_code == 0
    assert "note        palio.engine is 'gpu', a name that only a platform maps; it is ignored here" in outcome.out


@pytest.fixture
def image(bundle: Path, tmp_path: Path) -> Iterator[Path]:
    """A saved image that scores 1.0, and a challenge that accepts images."""
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[context, image, results]"))
    write_context(tmp_path / "context")
    tag = f"palio-test/vowels:{uuid4().hex[:12]}"
    docker("build", "--quiet", "--tag", tag, tmp_path / "context")
    docker("save", "--output", tmp_path / "image.tar", tag)
    docker("image", "rm", tag)
    with (tmp_path / "image.tar").open("rb") as plain, gzip.open(tmp_path / "image.tar.gz", "wb", 1) as packed:
        shutil.copyfileobj(plain, packed)
    yield tmp_path / "image.tar.gz"
    remove_images(f"palio-build:{digest_file(tmp_path / 'image.tar.gz')}")


@pytest.mark.docker
def test_run_saved_image(palio: Callable[..., Outcome], image: Path) -> None:
    outcome = palio("run", image, "--challenge", "bundle", "--engine", "docker", "-o", "run", "--json")
    result = json.loads(outcome.out)
    assert (outcome.exit_code, result["verdict"], result["scores"]) == (0, "scored", {"accuracy": 1.0})
    assert list(result["stages"]) == ["build", "predict", "score"]
    log = Path("run/build.log").read_text().splitlines()
    assert log[0].endswith("no problems found.")
    assert log[1] == f"Loaded image: palio-build:{digest_file(image)}"


@pytest.mark.docker
def test_run_damaged_image(palio: Callable[..., Outcome], image: Path) -> None:
    image.write_bytes(image.read_bytes()[:-1000])
    outcome = palio("run", image, "--challenge", "bundle", "--engine", "docker", "-o", "run")
    assert outcome.exit_code == 10
    assert "image.tar.gz cannot be used as a saved image: it is truncated." in outcome.err


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_run_interrupted_leaves_nothing(bundle: Path, tmp_path: Path, engine: str, sent: signal.Signals) -> None:
    context = write_context(tmp_path / "context", predict="import time\nprint('begin', flush=True)\ntime.sleep(60)\n")
    subprocess.run(["zip", "-q", "-r", tmp_path / "s.zip", "."], cwd=context, check=True)
    command = [sys.executable, "-m", "palio", "run", "s.zip", "-c", "bundle", "--engine", engine, "-o", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    log = tmp_path / "run/predict.log"
    deadline = time.monotonic() + 60
    while not (log.is_file() and "begin" in log.read_text()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    identity = json.loads((tmp_path / "run/config.json").read_text())["identity"]
    process.send_signal(sent)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Cancelled. The job was stopped; nothing is left running." in out
    assert json.loads((tmp_path / "run/result.json").read_text())["verdict"] == "cancelled"
    assert not (tmp_path / "run/.work").exists()
    assert left_over(identity) == []


def left_over(identity: str) -> list[str]:
    """Processes, containers and volumes with the attempt's name."""
    found = [
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if path.exists() and identity.encode() in path.read_bytes()
    ]
    for kind in (["ps", "-a"], ["volume", "ls"]):
        found += docker_if_any(*kind, "-q", "--filter", f"name={identity}")
    return found


def test_several_tasks_are_one_row(palio: Callable[..., Outcome], tmp_path: Path, engine: str) -> None:
    bundle = write_bundle(tmp_path / "bundle", yaml=two_tasks())
    other = tmp_path / "bundle" / "other_answers"
    other.mkdir()
    (other / "answers.csv").write_text(answers(ANSWERS | {"two.txt": "yes"}))
    yaml = (bundle / "competition.yaml").read_text()
    before, again, after = yaml.partition("name: Again")
    after = after.replace("reference_data: reference_data", "reference_data: other_answers", 1)
    (bundle / "competition.yaml").write_text(before + again + after)
    submitter = Submitter(palio, bundle, tmp_path, engine)
    outcome = submitter.run()
    assert outcome.exit_code == 0
    scores = json.loads(outcome.out)["scores"]
    assert scores == {"accuracy": pytest.approx(5 / 6), "accuracy@0": 1.0, "accuracy@1": pytest.approx(2 / 3)}
    assert re.search(r"Again +0.667\n +Mean +0.833", outcome.err)
    assert (tmp_path / "run" / "predictions" / "1" / "answers.csv").is_file()
    assert palio("verify", tmp_path / "run" / "receipt.json", "--challenge", bundle, "--engine", engine).exit_code == 0


@pytest.mark.bubblewrap
def test_run_a_solution_of_the_challenge(palio: Callable[..., Outcome], bundle: Path) -> None:
    (bundle / "best").mkdir()
    (bundle / "best" / "answers.csv").write_text(answers(ANSWERS))
    yaml = (bundle / "competition.yaml").read_text()
    listed = "solutions:\n  - {index: 0, tasks: [0], path: best}\n"
    (bundle / "competition.yaml").write_text(yaml.replace("palio:\n", f"{listed}palio:\n"))
    ended = palio("run", "best", "--challenge", bundle, "--engine", "bubblewrap", "--json")
    assert (ended.exit_code, json.loads(ended.out)["scores"]) == (0, {"accuracy": 1.0})
    ended = palio("run", "worst", "--challenge", bundle, "--engine", "bubblewrap")
    assert (ended.exit_code, "Its solutions: best" in ended.err) == (2, True)
    (bundle / "best" / "answers.csv").unlink()
    (bundle / "best").rmdir()
    assert palio("run", "best", "--challenge", bundle, "--engine", "bubblewrap").exit_code == 2


def test_substitute_for_old_image(palio: Callable[..., Outcome], engine: str, tmp_path: Path) -> None:
    old = "codalab/no-such-image:py37"
    bundle = write_bundle(tmp_path / "old", yaml=YAML.replace("python:3.11-slim", old))
    (tmp_path / "palio.toml").write_text('[images]\n"codalab/*:py37" = "python:3.11-slim"\n')
    (tmp_path / "answers.csv").write_text(answers(ANSWERS))
    checked = palio("check", bundle, "--engine", engine, "--json")
    assert [(image["where"], image["is_here"]) for image in json.loads(checked.out)["images"]] == [
        (f"docker_image {old}", True)
    ]
    scored = palio("score", "answers.csv", "-c", bundle, "--engine", engine, "-o", "run")
    assert scored.exit_code == 0
    image = json.loads((tmp_path / "run/lock.json").read_text())["image"]
    assert (image["name"], image["without_images"]) == (old, engine == "bubblewrap")
    assert image["substitute"] == "python:3.11-slim" or engine == "bubblewrap"
    assert image["substitute"] in scored.out
    assert json.loads((tmp_path / "run/receipt.json").read_text())["statement"]["lock"]["image"] == image
    refused = palio("score", "answers.csv", "-c", bundle, "--engine", engine, "--image", "nothing")
    assert "configuration-invalid" in refused.err


def test_scoring_program_with_packages_of_its_own(palio: Callable[..., Outcome], engine: str, tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle", score=f"import tinything\nassert tinything.VALUE == '1.0'\n{SCORE}")
    program = bundle / "scoring_program"
    write_wheel(program / "wheels")
    (program / "requirements.txt").write_text("tinything>=1\n")
    dockerfile = "FROM python:3.11-slim\nRUN python -m venv /opt/venv\nENV PATH=/opt/venv/bin:$PATH\nWORKDIR /opt\n"
    dockerfile += "COPY wheels/ wheels/\nCOPY requirements.txt ./\n"
    dockerfile += "RUN pip install --no-index --find-links wheels -r requirements.txt\n"
    (program / "Dockerfile").write_text(dockerfile)
    (tmp_path / "answers.csv").write_text(answers(ANSWERS))
    scored = palio("score", "answers.csv", "-c", bundle, "--engine", engine, "-o", "run")
    assert scored.exit_code == 0, scored.err
    assert "image  " not in scored.out  # the bundle's own is not used
    (program / "Dockerfile").write_text(f"{dockerfile}RUN no-such-command\n")
    refused = palio("score", "answers.csv", "-c", bundle, "--engine", engine, "--json")
    assert (refused.exit_code, json.loads(refused.out)["failure"]["code"]) == (11, "score-image-failed")
    checked = json.loads(palio("check", bundle, "--engine", engine, "--json").out)["images"]
    assert [image["is_here"] for image in checked] == ([True] if engine == "docker" else [True, False])
