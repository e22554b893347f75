"""Where attacks are run for real: an engine, the challenge, a host with canaries, and what is found there afterwards."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bundles import answers
from tests.submissions.attacks import SCORED, Attack
from tests.submissions.challenge import CANARY, truth, write_challenge

from palio.core.bundle.read import read_bundle
from palio.core.digest import digest_folder
from palio.core.errors import Failure, PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.job import LOG_HEAD_BYTES, LOG_TAIL_BYTES, Engine
from palio.core.phases import pick_phase, pick_task
from palio.core.run_folder import RunFolder, new_identity
from palio.core.submission import read_submission
from palio.engines import open_engine

CANARY_PORT = 48_931
VICTIM = f"palio-build:{'5ec2e7' * 10}0000"  # the image of another team, as it is named on the engine


@dataclass(frozen=True)
class Ending:
    """How an attempt ended, and what it did to its surroundings: `harm` is empty if it did nothing."""

    failure: Failure | None
    scores: Mapping[str, float] | None
    seconds: float
    cpu_s: float  # what this process, and not the sandbox, spent on it
    harm: tuple[str, ...]

    @property
    def code(self) -> str:
        return self.failure.code if self.failure else SCORED


@dataclass
class Arena:
    engine: Engine
    home: Path
    victim: Mapping[str, str] = field(default_factory=dict)
    identities: list[str] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)  # that anybody made to the host

    def run(self, attack: Attack, *, blind: bool = True) -> Ending:
        home = self.home / f"{attack.name}{'' if blind else '-seeing'}"
        home.mkdir()
        if program := attack.scoring_program:
            challenge = write_challenge(home / "challenge", score=program)
            submission = home / "answers.csv"
            submission.write_text(answers(truth()))
        else:
            challenge = write_challenge(home / "challenge", blind=blind)
            submission = attack.pack(home, **self.victim)
        return self.evaluate(submission, challenge, home)

    def evaluate(self, path: Path, challenge: Path, home: Path) -> Ending:
        """The whole evaluation, as `palio run` does it, and the surroundings before and after."""
        identity = new_identity()
        self.identities.append(identity)
        before, met = digest_folder(challenge), len(self.connections)
        folder = RunFolder.create(home / "run", identity)
        begin, cpu = time.monotonic(), time.process_time()
        try:
            bundle = read_bundle(challenge)
            phase = pick_phase(bundle, None)
            submission = read_submission(path)
            attempt = Attempt(identity, submission, bundle, phase, pick_task(phase), path.name)
            result = Evaluation(attempt, self.engine, folder).finish()
            failure, scores = result.failure, result.scores
        except PalioError as error:  # refused before there was an attempt
            failure, scores = error.failure, None
        seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
        harm = [f"{what} is left" for what in left_over(identity)]
        harm += [f"{home / name} is left" for name in ("run/.work",) if folder.work.exists() and any(folder.work.iterdir())]
        harm += ["the challenge was changed"] if digest_folder(challenge) != before else []
        harm += self.connections[met:]
        harm += list(unfit_texts(folder, failure))
        return Ending(failure, scores, seconds, cpu, tuple(harm))


@contextmanager
def arena(engine_name: str, home: Path) -> Iterator[Arena]:
    """A host with something to find: a variable, files, ports, and on Docker the image of another team."""
    engine, _ = open_engine(engine_name)
    made = Arena(engine, home)
    (home / f"{CANARY}.txt").write_text("the reference data of another challenge")
    with ExitStack() as stack:
        stack.enter_context(_variable(f"{CANARY}-variable", CANARY))
        for listener in (socket.create_server(("0.0.0.0", CANARY_PORT)), _abstract_socket()):  # noqa: S104 - bait
            stack.enter_context(listener)
            _notice(listener, made.connections)
        if engine_name == "docker":
            made.victim = stack.enter_context(_victim(home))
        yield made


def left_over(identity: str) -> list[str]:
    """Processes, containers and volumes that bear an attempt's name, and mounts of its folders."""
    found = [
        f"process {path.parent.name}"
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if identity.encode() in _content(path)
    ]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if identity in line]
    for noun, listing in (("container", ["ps", "-a"]), ("volume", ["volume", "ls"])):
        command = ["docker", *listing, "-q", "--filter", f"name={identity}"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found += [f"{noun} {name}" for name in said.split()]
    return found


def unfit_texts(folder: RunFolder, failure: Failure | None) -> Iterator[str]:
    """Logs that are too long, and control characters where people read."""
    texts = {path.name: path.read_bytes() for path in folder.root.glob("*.log")}
    texts["failure"] = "\n".join((failure.message, *failure.evidence)).encode() if failure else b""
    for name, content in texts.items():
        if len(content) > 4 * (LOG_HEAD_BYTES + LOG_TAIL_BYTES):
            yield f"{name} has {len(content):,} bytes"
        if any(byte < 0x20 and byte not in b"\n\t" or byte == 0x7F for byte in content):
            yield f"{name} holds control characters"


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _abstract_socket() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0{CANARY}")
    listener.listen()
    return listener


def _notice(listener: socket.socket, connections: list[str]) -> None:
    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed
                return
            connection.close()
            connections.append(f"somebody connected to {listener.getsockname()!r}")

    listener.settimeout(None)
    threading.Thread(target=accept, daemon=True).start()


@contextmanager
def _victim(home: Path) -> Iterator[Mapping[str, str]]:
    """An image with a secret in it, under the name that another team's submission would have."""
    context = home / "victim"
    context.mkdir()
    (context / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY secret /secret\n")
    (context / "secret").write_text(os.urandom(8).hex())
    subprocess.run(["docker", "build", "-q", "-t", VICTIM, context], check=True, capture_output=True)
    shown = subprocess.run(["docker", "image", "inspect", "-f", "{{.Id}}", VICTIM], capture_output=True, text=True)
    identity = shown.stdout.strip()
    try:
        yield {"victim": VICTIM, "victim-id": identity, "victim-short-id": identity.removeprefix("sha256:")[:12]}
    finally:
        subprocess.run(["docker", "image", "rm", "--force", VICTIM], check=True, capture_output=True)
