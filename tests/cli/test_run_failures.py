"""What `palio run` and `palio score` say of mistakes, and of what this machine lacks."""

import json
import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.bundles import ANSWERS, PREDICT, answers, write_bundle, write_context
from tests.cli.run_command import Outcome, Submitter
from tests.conftest import lacking
from tests.images import classic, tar, write


def test_score_names_what_is_missing(palio: Callable[..., Outcome], bundle: Path, engine: str) -> None:
    Path("answers.csv").write_text(answers({"one.txt": "yes", "three.txt": "yes"}))
    outcome = palio("score", "answers.csv", "--challenge", bundle, "--engine", engine)
    assert outcome.exit_code == 10
    assert "The scoring program refused the predictions: 1 problem." in outcome.err
    assert "  | answers.csv: 1 files are missing: two.txt" in outcome.err


@pytest.mark.bubblewrap
def test_run_saved_image_without_docker(palio: Callable[..., Outcome], bundle: Path) -> None:
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace("[context, results]", "[context, image, results]"))
    write(Path("image.tar"), classic([tar({"a": b"x"})]))
    outcome = palio("run", "image.tar", "--challenge", bundle, "--engine", "bubblewrap", "-o", "run")
    assert outcome.exit_code == 12
    assert "This engine runs programs on the machine's own system and cannot load images." in outcome.err


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
