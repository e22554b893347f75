"""Real evaluations whose process is killed with SIGKILL, on each engine, and gone on with by a new process."""

import json
import random
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
from tests.bundles import ANSWERS, DOCKERFILE, PREDICT, YAML, answers, write_bundle
from tests.submissions.arena import JOBS, left_over

from palio.core.attempt.run_folder import new_identity
from palio.core.engine import Build, BuildLimits, JobResult
from palio.core.errors import PalioError
from palio.core.quantities import GIB
from palio.engines.bubblewrap import BubblewrapEngine
from palio.engines.bubblewrap.processes import kill_process

# Evaluates argv[2] for the challenge argv[1] in the run folder argv[3]; says where it is after each step. What is
# really started on bubblewrap is noted in argv[6]; Docker's engine tells of that itself.
EVALUATE = """\
import sys, time
from pathlib import Path
from palio.core.bundle.read import read_bundle
from palio.core.evaluate import Attempt, Evaluation
from palio.core.receipt.key import machine_key
from palio.core.attempt.run_folder import RunFolder
from palio.core.submission.kinds import read_submission
from palio.engines import open_engine
from palio.engines.bubblewrap import engine as sandboxes

challenge, submission, folder, identity, name, started, *cancelled = sys.argv[1:]
# By the supervisor, whom nobody kills; builds have processes of the same kind.
note = f"if 'supervisor' in sys.argv[3]: open({started!r}, 'a').write(Path(sys.argv[2]).name + chr(10))"
sandboxes._SUPERVISE = sandboxes._SUPERVISE.replace("main(Path", f"{note}\\nmain(Path")

bundle = read_bundle(Path(challenge))
attempt = Attempt(identity, read_submission(Path(submission)), bundle, bundle.phases[0], bundle.tasks[0], "team")
evaluation = Evaluation(attempt, open_engine(name)[0], RunFolder.open(Path(folder)), key=machine_key())
if cancelled:
    evaluation.cancel()
while evaluation.step():
    print(evaluation.stage, flush=True)
    time.sleep(0.02)
print("end", flush=True)
"""
SAMPLE = "  sample: {input: sample_data, expect: sample_expected}\n"
SLOW = "import time\ntime.sleep(0.3)\n"


class Ground:
    def __init__(self, home: Path, engine: str) -> None:
        self.home, self.engine = home, engine
        self.challenge = write_bundle(home / "challenge", yaml=YAML + SAMPLE)
        for name, content in {
            "sample_data/four.txt": "plum",
            "sample_expected/answers.csv": answers({"four.txt": "no"}),
        }.items():
            (self.challenge / name).parent.mkdir()
            (self.challenge / name).write_text(content)
        self.started = home / "started"
        self.started.touch()

    def begin(self, identity: str, *cancelled: str) -> "subprocess.Popen[str]":
        """A process that evaluates a submission of its own, or goes on with that."""
        submission = self.home / f"{identity}.zip"
        if not submission.exists():
            step = f"RUN sleep 0.3 && echo {identity} > /tmp/made\n" if self.engine == "docker" else ""
            dockerfile = DOCKERFILE.replace("WORKDIR", f"LABEL palio.test={identity}\n{step}WORKDIR")
            with zipfile.ZipFile(submission, "w") as archive:
                archive.writestr("Dockerfile", dockerfile)
                archive.writestr("predict.py", SLOW + PREDICT)
        where = [self.challenge, submission, self.home / identity, identity, self.engine, self.started, *cancelled]
        return subprocess.Popen(
            [sys.executable, "-c", EVALUATE, *map(str, where)], stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def finish(self, identity: str, *cancelled: str) -> dict[str, Any]:
        with self.begin(identity, *cancelled) as process:
            assert process.communicate(timeout=120)[0].endswith("end\n")
        content: dict[str, Any] = json.loads((self.home / identity / "result.json").read_text())
        return content

    def kill(self, identity: str, due: Callable[[str], bool]) -> str:
        """Kills it at the first step of which `due`, given its line, says so; gives the last line."""
        line = ""
        with self.begin(identity) as process:
            assert process.stdout is not None
            for line in process.stdout:
                if due(line.strip()):
                    process.kill()
                    break
        return line.strip()

    def kill_after(self, identity: str, seconds: float) -> None:
        with self.begin(identity) as process:
            time.sleep(seconds)
            process.kill()

    def runs(self, identity: str, events: Path) -> Counter[str]:
        """How often each job was really started."""
        names = self.started.read_text().split() + events.read_text().split()
        prefix = f"palio-{identity}-"
        return Counter(name.removeprefix(prefix) for name in names if name.startswith(prefix))


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("docker", "bubblewrap")])
def ground(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Ground(tmp_path, request.param)


def test_killed_and_resumed(ground: Ground) -> None:
    chance = random.Random(11)
    with ExitStack() as stack:
        events = stack.enter_context(container_starts(ground))
        begin = time.monotonic()
        whole = ground.finish("whole")
        whole_s = time.monotonic() - begin
        assert (whole["verdict"], whole["scores"]) == ("scored", {"accuracy": 1.0})
        identities = []
        for stage in ("build", "sample", "predict", "score"):  # as soon as it has begun
            identities.append(new_identity())
            assert ground.kill(identities[-1], lambda line: line == stage) == stage  # noqa: B023
        for _ in range(4 if ground.engine == "docker" else 8):
            identities.append(new_identity())
            ground.kill_after(identities[-1], chance.uniform(0.2, whole_s))
            if chance.random() < 0.3:
                ground.kill_after(identities[-1], chance.uniform(0.2, whole_s))
        for identity in identities:
            result = ground.finish(identity)
            assert result["failure"] is None, result["failure"]
            assert (result["verdict"], result["scores"], list(result["stages"])) == (
                whole["verdict"],
                whole["scores"],
                list(whole["stages"]),
            )
            predictions = ground.home / identity / "predictions/answers.csv"
            assert predictions.read_text() == answers(dict(sorted(ANSWERS.items())))
        time.sleep(0.2)  # for the last of the events
        for identity in identities:
            assert ground.runs(identity, events) == Counter(JOBS), identity
        assert remains(ground, identities) == []


def test_killed_after_the_verdict(ground: Ground) -> None:
    """What is still on the engine then is removed by the next process, which changes nothing else."""
    identity = new_identity()
    folder = ground.home / identity
    with ground.begin(identity) as process:
        while not (folder / "result.json").exists() or not json.loads((folder / "result.json").read_text())["verdict"]:
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert ground.finish(identity)["verdict"] == "scored"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    assert remains(ground, [identity]) == []


def test_killed_and_cancelled(ground: Ground) -> None:
    identities = []
    for stage in ("build", "predict"):
        identities.append(new_identity())
        assert ground.kill(identities[-1], lambda line: line == stage) == stage  # noqa: B023
        result = ground.finish(identities[-1], "cancelled")
        assert (result["verdict"], result["scores"], result["failure"]) == ("cancelled", None, None)
    assert remains(ground, identities) == []


@pytest.mark.bubblewrap
def test_killed_build_leaves_nothing(tmp_path: Path) -> None:
    context, state = tmp_path / "context", tmp_path / "state"
    context.mkdir()
    (context / "Dockerfile").write_text('FROM python:3.11-slim\nCOPY . /opt/\nCMD ["true"]\n')
    for number in range(3000):
        (context / f"{number}").write_text("x" * 2000)
    limits = BuildLimits(time_s=60, memory_bytes=GIB, size_bytes=GIB, network=False)
    build = Build("palio-test-build", "0" * 64, context, limits, tmp_path / "build.log")
    engine = BubblewrapEngine(state)
    engine.start(build)
    half = state / "jobs/palio-test-build/making/root/opt"
    while not (half / "100").exists():
        assert engine.poll(build) is None
    known = json.loads((state / "jobs/palio-test-build/supervisor.json").read_text())
    assert kill_process(known["pid"], known["started"], SIGKILL)
    with pytest.raises(PalioError, match="was killed"):
        finish(engine, build)
    assert not (state / "images").exists()
    engine.start(build)
    result = finish(engine, build)
    assert result.image is not None
    assert len(list((state / "images" / result.image / "root/opt").iterdir())) == 3001
    engine.remove(build)
    assert list((state / "jobs").iterdir()) == []


def finish(engine: BubblewrapEngine, build: Build) -> JobResult:
    while (result := engine.poll(build)) is None:
        time.sleep(0.01)
    return result


def remains(ground: Ground, identities: list[str]) -> list[str]:
    """Whatever bears an attempt's name: containers, volumes, processes, mounts, folders, groups, layers."""
    found = left_over(identities)
    for identity in identities:
        found += [str(path) for path in (ground.home / identity).iterdir() if path.name.startswith(".")]
        if ground.engine == "docker":
            built = ["docker", "image", "ls", "--all", "--quiet", "--filter", f"label=palio.test={identity}"]
            tagged = [*built, "--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}}"]
            names = subprocess.run(tagged[:3] + tagged[5:], capture_output=True, text=True, check=True).stdout.split()
            images = [name for name in names if "<none>" not in name]
            if images:
                subprocess.run(["docker", "image", "rm", *images], capture_output=True, check=True)
            found += subprocess.run(built, capture_output=True, text=True, check=True).stdout.split()
    return found


@contextmanager
def container_starts(ground: Ground) -> Iterator[Path]:
    """A file with the name of every container that Docker starts meanwhile."""
    path = ground.home / "events"
    path.touch()
    if ground.engine != "docker":
        yield path
        return
    command = ["docker", "events", "--filter", "event=start", "--format", "{{.Actor.Attributes.name}}"]
    with path.open("w") as file, subprocess.Popen(command, stdout=file) as process:
        time.sleep(0.3)
        try:
            yield path
        finally:
            process.terminate()
