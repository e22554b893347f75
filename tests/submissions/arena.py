"""Where attacks are run for real: an engine, the challenge, a host with something to find, and what is left there."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path

from tests.bundles import answers
from tests.docker_command import docker, docker_if_any, remove_images
from tests.engines.kubernetes.packet_filter import network_policies_enforced
from tests.submissions.attacks import BUILT_BY_DOCKER, SCORED, Attack
from tests.submissions.challenge import CANARY, SCORE, truth, write_challenge

from palio.core.attempt.run_folder import RunFolder, new_identity
from palio.core.bundle.pick_phase import pick_phase
from palio.core.bundle.read import read_bundle
from palio.core.engine import LOG_HEAD_BYTES, LOG_TAIL_BYTES, Engine, Job, Work
from palio.core.errors import Failure, PalioError
from palio.core.evaluate import Attempt, Evaluation
from palio.core.files.tree import digest_tree
from palio.core.submission.kinds import read_submission
from palio.engines import open_engine

BASE = "python:3.11-slim"
JOBS = ("sample", "sample-score", "predict", "score")
CANARY_PORT = 18_931  # below those that connections take for themselves
ESCAPED = Path("/tmp/palio-canary-escaped")  # what the archives try to write
VICTIM = f"palio-build:{'5ec2e7' * 10}0000"  # the image of another team, as it is named on the engine
_KUBELET_S, _COLLECTED_S = 60, 150  # until a kubelet has stopped, and then removed, the containers of a deleted pod
_CONTROLS = {*range(0x20), 0x7F} - {*b"\n\t"}


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
    images: set[str] = field(default_factory=set)
    connections: list[str] = field(default_factory=list)  # that anybody made to the host
    before: set[str] = field(default_factory=lambda: surroundings())

    def run(self, attack: Attack) -> Ending:
        home = self.home / attack.name
        home.mkdir()
        program = attack.scoring_program
        challenge = write_challenge(
            home / "challenge", score=program or SCORE, network=attack.content.get("network", False)
        )
        if attack.scoring_dockerfile is not None:
            (challenge / "scoring_program/Dockerfile").write_bytes(attack.scoring_dockerfile)
        if (program or attack.scoring_dockerfile) and attack.content.get("hands_in") != "container":
            submission = home / "answers.csv"
            submission.write_text(answers(truth()))
        else:
            submission = attack.pack(home, **self.victim)
        before = self._run_earlier(attack, challenge, home)
        ending = self.evaluate(submission, challenge, home)
        if before and (before.code, before.scores) == (ending.code, ending.scores):
            return replace(ending, harm=(*ending.harm, "it ended as the submission before it"))
        return ending

    def _run_earlier(self, attack: Attack, challenge: Path, home: Path) -> Ending | None:
        if (earlier := attack.earlier) is None:
            return None
        (home / "earlier").mkdir()
        return self.evaluate(earlier.pack(home / "earlier", **self.victim), challenge, home / "earlier")

    def evaluate(self, path: Path, challenge: Path, home: Path) -> Ending:
        """The whole evaluation, as `palio run` does it, and the surroundings before and after."""
        identity = new_identity()
        self.identities.append(identity)
        digest, met = digest_tree(challenge), len(self.connections)
        folder = RunFolder.create(home / "run", identity)
        begin, cpu = time.monotonic(), time.process_time()
        try:
            bundle = read_bundle(challenge)
            phase = pick_phase(bundle, None)
            submission = read_submission(path)
            attempt = Attempt(identity, submission, bundle, phase, phase.tasks[0], path.name)
            result = Evaluation(attempt, self.engine, folder).finish()
            failure, scores = result.failure, result.scores
        except PalioError as error:  # refused before there was an attempt
            failure, scores = error.failure, None
        seconds, cpu = time.monotonic() - begin, time.process_time() - cpu
        harm = self._left_by(identity)
        harm += [f"the job {name}" for name in self.engine.job_names() if identity in name]
        harm += ["the challenge was changed"] if digest_tree(challenge) != digest else []
        harm += [f"{path} was written" for path in (*ESCAPED.parent.glob(ESCAPED.name), *home.rglob(ESCAPED.name))]
        harm += self.connections[met:]
        harm += unfit_texts(folder, failure)
        harm += told_too_much(folder, self.home)
        return Ending(failure, scores, seconds, cpu, tuple(harm))

    def _left_by(self, identity: str) -> list[str]:
        """On Kubernetes not the containers that were stopped: one look at the end of all attacks is for these."""
        if self.engine.name == "kubernetes":
            return self._await([identity], _KUBELET_S, only_running=True)
        return left_over([identity])

    def _await(self, identities: Sequence[str], seconds: float, *, only_running: bool) -> list[str]:
        deadline = time.monotonic() + seconds
        while (found := left_over(identities, only_running=only_running)) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def left_over(self) -> list[str]:
        """What is there after all attacks and was not there before; the images that were made are removed first."""
        remove_images(*self.images)
        wait_s = _COLLECTED_S if self.engine.name == "kubernetes" else 0
        return self._await(self.identities, wait_s, only_running=False) + sorted(surroundings() - self.before)


@contextmanager
def arena(engine_name: str, home: Path) -> Iterator[Arena]:
    """A host with something to find: a variable, files, ports, and on Docker the image of another team."""
    with ExitStack() as stack:
        stack.enter_context(_variable(f"{CANARY}-variable", CANARY))
        stack.enter_context(_variable("XDG_CACHE_HOME", str(home / "cache")))
        stack.enter_context(_temporary_files(home / "tmp"))
        if engine_name == "kubernetes":
            stack.enter_context(network_policies_enforced())
        engine, _ = open_engine(engine_name)
        made = Arena(engine, home)
        stack.callback(lambda: remove_images(*made.images))
        _note_images(engine, made.images)
        (home / f"{CANARY}.txt").write_text("the reference data of another challenge")
        for listener in (_abstract_socket(), *map(_server, ("127.0.0.1", *_gateway()))):
            stack.enter_context(listener)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes who waits for it
            _notice(listener, made.connections)
        if engine_name in BUILT_BY_DOCKER:
            made.victim = stack.enter_context(_victim(home))
        yield made


def _server(address: str) -> socket.socket:
    return socket.create_server((address, CANARY_PORT))


def _gateway() -> list[str]:
    """The host's address on the engine's default network, at which its containers find it."""
    # The first of its range; an engine that made the network just now does not name it.
    ranges = docker_if_any("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
    return [str(next(ip_network(each).hosts())) for each in ranges]


def left_over(identities: Sequence[str], *, only_running: bool = False) -> list[str]:
    """Processes, mounts, containers, volumes, and folders and groups of bubblewrap's that bear an attempt's name.

    `only_running`: of containers.
    """
    there = [(path.parent, _content(path)) for path in Path("/proc").glob("[0-9]*/cmdline")]
    found = [f"{process}: {command!r}" for process, command in there]
    found += Path("/proc/self/mountinfo").read_text().splitlines()
    which = () if only_running else ("-a",)
    found += docker_if_any("ps", *which, "--format", 'container {{.Names}} of {{.Label "palio.job"}}')
    found += docker_if_any("volume", "ls", "--format", "volume {{.Name}}")
    found += map(str, Path(os.environ["XDG_CACHE_HOME"]).glob("palio/bubblewrap/*/*"))
    found = [line for line in found if any(identity in line for identity in identities)]
    own = {_group_of(identity, job) for identity in identities for job in JOBS}
    # os.walk, as other groups come and go meanwhile
    return found + [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if Path(folder).name in own]


def _group_of(identity: str, job: str) -> str:
    """Bubblewrap's control group of a job, whose name says nothing of the attempt."""
    folder = Path(os.environ["XDG_CACHE_HOME"], "palio/bubblewrap/jobs", f"palio-{identity}-{job}")
    return f"palio-{sha256(os.fsencode(folder)).hexdigest()[:16]}"


def surroundings() -> set[str]:
    """What a job could leave or change beside what bears its name: layers, networks, the base image, files."""
    return {
        *docker_if_any("image", "ls", "--filter", "dangling=true", "--format", "layer {{.ID}}"),
        *docker_if_any("network", "ls", "--format", "network {{.Name}}"),
        *docker_if_any("image", "ls", "--no-trunc", "--format", "base {{.ID}}", BASE),
        *map(str, Path(tempfile.gettempdir()).iterdir()),
    }


def unfit_texts(folder: RunFolder, failure: Failure | None) -> Iterator[str]:
    """What nobody may be given to read: logs that are too long, control characters."""
    texts = {path.name: path.read_bytes() for path in folder.root.glob("*.log")}
    texts["failure"] = "\n".join((failure.message, *failure.evidence, *failure.log)).encode() if failure else b""
    for name, content in texts.items():
        if len(content) > 4 * (LOG_HEAD_BYTES + LOG_TAIL_BYTES):
            yield f"{name} has {len(content):,} bytes"
        if not _CONTROLS.isdisjoint(content):
            yield f"{name} holds control characters"


def told_too_much(folder: RunFolder, home: Path) -> Iterator[str]:
    """Hidden names and paths of the host in what the participant may read."""
    if (folder.root / "result.json").exists() and not (folder.root / "participant/result.json").exists():
        yield "there is nothing that the participant may read"
    for path in (folder.root / "participant").glob("*"):
        text = path.read_text(encoding="utf-8")
        yield from (f"{path.name} tells the participant {name}" for name in (*truth(), str(home)) if name in text)


def _note_images(engine: Engine, images: set[str]) -> None:
    """Has the engine note the name of each image that it is asked to make."""
    start = engine.start

    def noting(work: Work) -> None:
        if not isinstance(work, Job):
            images.add(f"palio-build:{work.image_key}")
        start(work)

    engine.start = noting  # type: ignore[method-assign]


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


@contextmanager
def _temporary_files(folder: Path) -> Iterator[None]:
    """A place of their own for the temporary files of this process, so that none of another's is taken for one."""
    folder.mkdir()
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def _abstract_socket() -> socket.socket:
    """Also what keeps two arenas on one machine apart: the second waits for the first."""
    listener, deadline = socket.socket(socket.AF_UNIX), time.monotonic() + 500
    while True:
        try:
            listener.bind(f"\0{CANARY}")
            break
        except OSError:
            if time.monotonic() > deadline:
                listener.close()
                raise
            time.sleep(0.2)
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
    docker("build", "-q", "-t", VICTIM, context)
    (identity,) = docker("image", "inspect", "-f", "{{.Id}}", VICTIM)
    try:
        yield {"victim": VICTIM, "victim-id": identity, "victim-short-id": identity.removeprefix("sha256:")[:12]}
    finally:
        remove_images(VICTIM)
