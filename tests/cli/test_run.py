"""`palio run` and `palio score` on real engines, with small submissions to a small challenge."""

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from tests.bundles import ANSWERS, DOCKERFILE, PREDICT, SCORE, YAML, answers, two_tasks, write_bundle, write_context
from tests.conftest import lacking
from tests.docker_command import docker, docker_if_any, remove_images
from tests.images import classic, tar, write
from tests.wheels import write_wheel

from palio.cli import main
from palio.core.files.digest import digest_file

ENGINES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")]


@dataclass(frozen=True)
class Outcome:
    exit_code: int
    out: str
    err: str


@pytest.fixture
def palio(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Outcome:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle")


@dataclass
class Submitter:
    """Packs and runs a folder; returns the outcome and its failure."""

    palio: Callable[..., Outcome]
    bundle: Path
    home: Path
    engine: str

    def run(self, *, predict: str = PREDICT, dockerfile: str = DOCKERFILE) -> Outcome:
        context = write_context(self.home / "context", predict=predict, dockerfile=dockerfile)
        subprocess.run(["zip", "-q", "-r", self.home / "s.zip", "."], cwd=context, check=True)
        return self.palio("run", "s.zip", "--challenge", self.bundle, "--engine", self.engine, "-o", "run", "--json")

    def failure(self, **submission: str) -> dict[str, object]:
        outcome = self.run(**submission)
        failure: dict[str, object] = json.loads(outcome.out)["failure"]
        assert str(failure["message"]) in outcome.err
        assert outcome.exit_code == {"participant": 10, "organizer": 11, "platform": 12}[str(failure["cause"])]
        return failure


@pytest.fixture
def submitter(palio: Callable[..., Outcome], bundle: Path, tmp_path: Path, engine: str) -> Submitter:
    return Submitter(palio, bundle, tmp_path, engine)


# -- success


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


def test_score_names_what_is_missing(palio: Callable[..., Outcome], bundle: Path, engine: str) -> None:
    Path("answers.csv").write_text(answers({"one.txt": "yes", "three.txt": "yes"}))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", engine)
    assert outcome.exit_code == 10
    assert "The scoring program refused the predictions: 1 problem." in outcome.err
    assert "  | answers.csv: 1 files are missing: two.txt" in outcome.err


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


@pytest.mark.bubblewrap
def test_run_saved_image_without_docker(palio: Callable[..., Outcome], bundle: Path) -> None:
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[context, image, results]"))
    write(Path("image.tar"), classic([tar({"a": b"x"})]))
    outcome = palio("run", "image.tar", "--challenge", bundle, "--engine", "bubblewrap", "-o", "run")
    assert outcome.exit_code == 12
    assert "This engine runs programs on the machine's own system and cannot load images." in outcome.err


# -- the participant's mistakes


def test_run_program_fails(submitter: Submitter) -> None:
    failure = submitter.failure(predict="import sys\nprint('loading')\nsys.exit('no such model')\n")
    assert failure["code"] == "predict-exit"
    log = failure["log"]
    assert isinstance(log, list)
    assert sorted(log) == ["loading", "no such model"]  # two streams, so in no particular order


def test_run_program_fails_after_complete_predictions(submitter: Submitter) -> None:
    assert submitter.failure(predict=f"{PREDICT}\nraise SystemExit(3)\n")["code"] == "predict-exit"


def test_run_writes_nothing(submitter: Submitter) -> None:
    assert submitter.failure(predict="print('done')\n")["code"] == "predict-no-output"


def test_run_writes_garbage(submitter: Submitter) -> None:
    failure = submitter.failure(predict="open('/mnt/out/answers.csv', 'wb').write(bytes(range(256)))\n")
    assert failure["message"] == "answers.csv could not be read as predictions: it is not a CSV file in UTF-8."


def test_run_writes_other_file(submitter: Submitter) -> None:
    failure = submitter.failure(predict="open('/mnt/out/out.csv', 'w').write('x')\n")
    assert failure["message"] == (
        "The predictions lack the file answers.csv, which this challenge requires; there is out.csv."
    )


def test_run_over_time(submitter: Submitter) -> None:
    yaml = submitter.bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("predict: {time: 20 s", "predict: {time: 1 s"))
    failure = submitter.failure(predict="import time\nprint('begin')\ntime.sleep(60)\n")
    assert failure["message"] == "The container ran longer than its limit of 1.0 s and was stopped."
    assert failure["log"] == ["begin"]


def test_run_over_memory(submitter: Submitter) -> None:
    failure = submitter.failure(predict="blocks = []\nwhile True:\n    blocks.append(bytearray(b'x') * (8 << 20))\n")
    assert failure["code"] == "predict-memory-limit"


def test_run_copies_missing_file(submitter: Submitter) -> None:
    failure = submitter.failure(dockerfile="FROM python:3.11-slim\nCOPY model.pth /opt/\n")
    assert failure["code"] == "dockerfile-unfit"
    assert "COPY model.pth /opt/" in str(failure["evidence"])


def test_run_misspelt_instruction(submitter: Submitter) -> None:
    failure = submitter.failure(dockerfile="FROM python:3.11-slim\nCOPPY predict.py /opt/\n")
    assert failure["code"] == "dockerfile-unfit"
    assert "COPPY" in json.dumps(failure)


@pytest.mark.docker
def test_run_build_step_fails(palio: Callable[..., Outcome], bundle: Path, tmp_path: Path) -> None:
    submitter = Submitter(palio, bundle, tmp_path, "docker")
    failure = submitter.failure(dockerfile="FROM python:3.11-slim\nRUN echo compiling && exit 7\n")
    assert failure["message"] == (
        "The Dockerfile did not build: `RUN echo compiling && exit 7` failed with exit code 7."
    )
    assert "compiling" in str(failure["log"])


@pytest.mark.docker
@pytest.mark.parametrize(
    "dockerfile",
    [
        "FROM palio-test/no-such-image:1\n",
        "FROM --platform=linux/amd64 palio-test/no-such-image:1 AS base\n",
        "FROM python:3.11-slim\nCOPY --from=palio-test/no-such-image:1 /a /b\n",
    ],
)
def test_run_base_image_missing(palio: Callable[..., Outcome], bundle: Path, tmp_path: Path, dockerfile: str) -> None:
    """The engine's messages are evidence for the operator; participants never see them."""
    submitter = Submitter(palio, bundle, tmp_path, "docker")
    failure = submitter.failure(dockerfile=f'{dockerfile}CMD ["true"]\n')
    assert failure["code"] == "base-image-missing"
    assert "`palio-test/no-such-image:1`" in str(failure["message"])
    evidence = failure["evidence"]
    assert isinstance(evidence, list)
    (said,) = evidence
    assert len(said) > 20
    told = [path.read_text() for path in Path("run/participant").iterdir()]
    assert len(told) == 2
    assert all("palio-test/no-such-image:1" in text for text in told)
    assert not any(said in text or "://" in text for text in told)


def test_run_no_zip(palio: Callable[..., Outcome], bundle: Path) -> None:
    Path("s.zip").write_text("hello")
    outcome = palio("run", "s.zip", "--challenge", bundle)
    assert outcome.exit_code == 10
    assert "s.zip cannot be read as a zip archive: it does not begin like a zip." in outcome.err


def test_run_no_dockerfile(palio: Callable[..., Outcome], bundle: Path) -> None:
    write_context(Path("context/inner"))
    Path("context/README.md").write_text("x")
    subprocess.run(["zip", "-q", "-r", "../s.zip", "."], cwd="context", check=True)
    outcome = palio("run", "s.zip", "--challenge", bundle, "--json")
    assert outcome.exit_code == 10
    assert json.loads(outcome.out)["failure"]["code"] == "submission-fits-none"
    assert "context: inner/Dockerfile is not at its root" in outcome.err


@pytest.mark.parametrize(
    ("names", "notes"),
    [
        (["answers.csv", "._answers.csv", "__MACOSX/._answers.csv"], 1),
        (["out\\answers.csv"], 2),
        (["submission.zip"], 1),
    ],
)
def test_run_results_zipped_on_a_desktop(
    palio: Callable[..., Outcome], bundle: Path, names: list[str], notes: int
) -> None:
    whole = answers(ANSWERS).encode()
    with zipfile.ZipFile("inner.zip", "w") as archive:
        archive.writestr("answers.csv", whole)
    with zipfile.ZipFile("s.zip", "w") as archive:
        for name in names:
            content = Path("inner.zip").read_bytes() if name.endswith(".zip") else whole
            archive.writestr(name, b"\0\x05\x16\x07" if "._" in name else content)
    outcome = palio("run", "s.zip", "--challenge", bundle, "--engine", "bubblewrap", "-o", "run")
    assert outcome.exit_code == 0
    assert "1.000" in outcome.out
    assert sum(line.startswith("  note") for line in outcome.out.splitlines()) == notes
    assert [path.name for path in Path("run/predictions").iterdir() if path.name != "metadata"] == ["answers.csv"]


# -- the organizer's mistakes


def test_run_no_competition_yaml(palio: Callable[..., Outcome], tmp_path: Path) -> None:
    Path("s.csv").write_text("x")
    Path("empty").mkdir()
    outcome = palio("score", "s.csv", "--challenge", "empty")
    assert outcome.exit_code == 11
    assert "empty is not a challenge: it has no competition.yaml." in outcome.err


def test_run_broken_competition_yaml(palio: Callable[..., Outcome], bundle: Path) -> None:
    Path("s.csv").write_text("x")
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("sorting: desc", "sorting: down").replace("tasks: [0]", "tasks: [4]"))
    outcome = palio("score", "s.csv", "--challenge", bundle)
    assert outcome.exit_code == 11
    assert outcome.err.splitlines()[:4] == [
        "Failed. Action needed: the organizer.",
        f"{bundle} has 2 problems.",
        "  | competition.yaml:20: phases[0].tasks[0]: says `4`, but no task has that index (defined: 0)",
        "  | competition.yaml:25: leaderboards[0].columns[0].sorting: says `down`; write asc or desc",
    ]


def test_score_program_fails(palio: Callable[..., Outcome], tmp_path: Path, engine: str) -> None:
    write_bundle(tmp_path / "bundle", score="raise ValueError('a mistake')\n")
    Path("answers.csv").write_text(answers(ANSWERS))
    outcome = palio("score", "answers.csv", "--challenge", "bundle", "--engine", engine)
    assert outcome.exit_code == 11
    assert "Failed at score. Action needed: the organizer." in outcome.err
    assert "  | ValueError: a mistake" in outcome.err


# -- missing on this machine


def test_run_no_engine(palio: Callable[..., Outcome], bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("answers.csv").write_text(answers(ANSWERS))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("PATH", "/nowhere")
    outcome = palio("score", "answers.csv", "--challenge", bundle)
    assert outcome.exit_code == 12
    assert "No engine can run containers on this machine" in outcome.err
    assert "bubblewrap" in outcome.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a separate file system with the given options."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        lacking("mounting a file system needs root")

    def mount(options: str) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
        return folder

    yield mount
    subprocess.run(["umount", folder], check=True)


@pytest.mark.bubblewrap
def test_run_full_disk(palio: Callable[..., Outcome], bundle: Path, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("size=16k")
    Path("answers.csv").write_text(answers(ANSWERS))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", "bubblewrap", "-o", disk / "run")
    assert outcome.exit_code == 12
    assert f"The disk that holds {disk / 'run'} is full" in outcome.err


@pytest.mark.bubblewrap
def test_run_read_only_target(palio: Callable[..., Outcome], bundle: Path, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("ro")
    Path("answers.csv").write_text(answers(ANSWERS))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", "bubblewrap", "-o", disk / "run")
    assert outcome.exit_code == 12
    assert f"{disk / 'run'} cannot be written to: read-only file system." in outcome.err


# -- interruption


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
