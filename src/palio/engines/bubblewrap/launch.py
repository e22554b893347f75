"""Starts a sandbox: Palio's processes that prepare its mounts and watch over its end, and bubblewrap below them.

    supervisor - guard - init - bubblewrap - first process of the sandbox's own PID namespace - the job

The guard is forked from the supervisor and has its own mounts. The init is the first process of a PID namespace, so
when it dies the kernel kills everything in the sandbox, at whatever stage of its creation. The init is killed when the
guard dies, and the guard kills it when the supervisor dies. The guard outlives the sandbox and holds the supervisor's
locks until then.

Root's jobs run as a real user of their own, not as a root without capabilities, which the kernel still treats as the
owner of many things. An ordinary user's jobs run as that user.
"""

import array
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from palio.core.engine import JOB_UIDS, Limits
from palio.core.quantities import MIB
from palio.engines.bubblewrap.cgroup import Cgroup
from palio.engines.bubblewrap.kernel import end_with, enter_namespaces, has_ended
from palio.engines.bubblewrap.sources import Copies, Copy, Operation, Sources, make_output, make_places
from palio.engines.job_users import job_uids

INSIDE_UID = JOB_UIDS.start  # the uid that every job sees as its own, whatever it is outside

NO_NETWORK: Operation = ("--unshare-net",)

# Everything that does not depend on the job. The namespace options come first, because mounts belong to the namespaces.
CONFINEMENT: tuple[Operation, ...] = (
    ("--unshare-user",),
    ("--disable-userns",),
    ("--uid", str(INSIDE_UID)),
    ("--gid", str(INSIDE_UID)),
    ("--unshare-ipc",),
    ("--unshare-pid",),
    NO_NETWORK,
    ("--unshare-uts",),
    ("--unshare-cgroup-try",),
    ("--hostname", "palio"),
    ("--cap-drop", "ALL"),
    ("--die-with-parent",),
    ("--new-session",),
)


@dataclass(frozen=True)
class Launch:
    """What to start.

    `options` are bubblewrap options that take a descriptor, such as `--seccomp`. `inherited` are descriptors passed on
    to the command. `printed` receives the output.
    """

    bwrap: str
    operations: Sequence[Operation]
    hidden: Sequence[str]  # folders whose paths must not be visible inside
    command: Sequence[str]
    user: int
    printed: int
    limits: Limits
    resources: dict[int, int] = field(default_factory=dict)
    cpus: frozenset[int] = frozenset()
    group: Cgroup = Cgroup({}, 1)  # noqa: RUF009 - it is frozen
    options: dict[str, int] = field(default_factory=dict)
    network: bool = False  # the machine's; only for Palio's own programs, never for a job
    inherited: tuple[int, ...] = ()
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True)
class Launched:
    """A started sandbox. `guard` is a child of this process that ends when nothing of the sandbox is left; `init` is
    its child.

    `output` is a descriptor of the output file system, which exists as long as it is open. `alive` is a pipe to the
    guard, which ends the sandbox when anything arrives, or when this process dies.
    """

    guard: int
    init: int
    output: int
    alive: int
    reports: socket.socket

    def kill(self) -> None:
        """Ends everything in the sandbox, soon. Can be called repeatedly."""
        with suppress(BrokenPipeError):
            os.write(self.alive, b".")

    def cpu_s(self) -> float | None:
        """The CPU time of everything in the sandbox. Called after the guard exits."""
        with suppress(OSError, ValueError):
            return float(json.loads(self.reports.recv(1024))["cpu_s"])
        return None  # it was killed by another process


class LaunchError(Exception):
    """Nothing was started. The text is a reason for people."""


def launch(what: Launch) -> Launched:
    """Returns when bubblewrap is about to be executed. Raises LaunchError."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent, alive = os.pipe()
    guard = os.fork()
    if guard == 0:
        try:
            os.close(alive)
            here.close()
            _guard(what, there, parent)
        except BaseException as error:  # noqa: BLE001 - a forked child must not return
            _send(there, {"error": str(error) or type(error).__name__})
            os._exit(1)
    there.close()
    os.close(parent)
    content, output = _receive(here)
    if output is None:
        os.waitpid(guard, 0)
        os.close(alive)
        here.close()
        raise LaunchError(content.get("error", "the guard process was killed"))
    return Launched(guard, content["init"], output, alive, here)


def _guard(what: Launch, reports: socket.socket, parent: int) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    enter_namespaces()
    sources = Sources(what.operations, what.hidden, [copy.at for copy in what.copies if copy.options])
    copies = Copies(what.copies)
    make_places()
    output = make_output(what.limits, what.user, what.user)
    operations = sources.placed(copies.write(what.user))
    guard, own = os.pipe()
    init = os.fork()
    if init == 0:
        try:
            os.close(own)
            _init(what, operations, reports, guard)
        finally:
            os._exit(1)
    _close_descriptors(what)
    _send(reports, {"init": init}, output)
    os.close(output)
    ended = os.pidfd_open(init)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(parent, select.POLLIN)
    if ended not in dict(poll.poll()):
        os.kill(init, signal.SIGKILL)
    os.waitpid(init, 0)  # it is the last in its namespace to end
    if has_ended(parent):  # a living supervisor reads the group's counters first
        what.group.remove()
    os._exit(0)


def _init(what: Launch, operations: Sequence[Operation], reports: socket.socket, guard: int) -> NoReturn:
    end_with(guard)
    if os.fork() == 0:
        try:
            _become(what, operations)
        except BaseException as error:  # noqa: BLE001
            os.write(what.printed, f"palio: {error}\n".encode())
        finally:
            os._exit(1)
    _close_descriptors(what)
    cpu_s = 0.0
    with suppress(ChildProcessError):
        while True:  # orphans become children of this process
            usage = os.wait3(0)[2]
            cpu_s += usage.ru_utime + usage.ru_stime
    _send(reports, {"cpu_s": cpu_s})
    os._exit(0)


def _close_descriptors(what: Launch) -> None:
    """Closes bubblewrap's descriptors, so that their ends are noticed."""
    for descriptor in {what.printed, *what.options.values(), *what.inherited} - {0, 1, 2}:
        os.close(descriptor)


def _become(what: Launch, operations: Sequence[Operation]) -> NoReturn:
    what.group.join()
    Path("/proc/self/oom_score_adj").write_text("1000")  # the first to go if the machine runs out of memory
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(what.user, what.user, what.user)
        os.setresuid(what.user, what.user, what.user)
    os.umask(0o022)
    os.chdir("/")
    for kind, value in what.resources.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    if what.cpus:
        os.sched_setaffinity(0, what.cpus)
    confinement = [each for each in CONFINEMENT if not (what.network and each == NO_NETWORK)]
    options = [(name, str(number)) for name, number in what.options.items()]
    # Arguments are passed through a descriptor, because the command line of the sandbox's first process is readable
    # inside.
    through = memory_file(argument_stream([*confinement, *operations, *options]))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(what.printed, 1)
    os.dup2(what.printed, 2)
    for number in (through, *what.options.values(), *what.inherited):
        os.set_inheritable(number, True)
    os.execve(what.bwrap, ["bwrap", "--args", str(through), "--", *what.command], {})  # noqa: S606


def argument_stream(operations: Sequence[Operation]) -> bytes:
    """Encodes the operations for bubblewrap as words that end with NUL.

    They only contain Palio's own options and paths of existing files. A Dockerfile's content takes another way
    (inside.py). A word with NUL is a bug, and then nothing is started.
    """
    words = [os.fsencode(word) for operation in operations for word in operation]
    if any(b"\0" in word for word in words):
        raise ValueError("a bubblewrap argument contains NUL")
    return b"".join(word + b"\0" for word in words)


def memory_file(content: bytes) -> int:
    """A descriptor positioned at the beginning of the content."""
    descriptor = os.memfd_create("palio")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _send(reports: socket.socket, content: dict[str, Any], descriptor: int | None = None) -> None:
    with suppress(OSError):  # the reader is gone
        rights = [] if descriptor is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
        reports.sendmsg([json.dumps(content).encode()], rights)


def _receive(reports: socket.socket) -> tuple[dict[str, Any], int | None]:
    text, descriptors, _, _ = socket.recv_fds(reports, 1 << 16, 1)
    return json.loads(text or b"{}"), descriptors[0] if descriptors else None


def probe(bwrap: str, *, hidden: bool = False) -> str | None:
    """Why no sandbox can be started here, in the words of what refused it; None if it works. Takes 0.1 s.

    With `hidden`, why its list of mounts would reveal a folder's path. Runs in a separate process, because the caller
    may have threads, and forking those is not safe.
    """
    call = f"from {__name__} import _probe; _probe({bwrap!r}, {hidden})"
    code = f"import sys; sys.path.insert(0, {package_root()!r}); {call}"
    tried = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30)
    lines = [line for line in (tried.stdout + tried.stderr).splitlines() if line.strip()]
    return None if tried.returncode == 0 else (lines or ["it ended without output"])[-1]


def _probe(bwrap: str, hidden: bool) -> NoReturn:
    here = package_root()
    operations = [("--ro-bind", "/", "/"), ("--proc", "/proc"), ("--dev", "/dev"), ("--tmpfs", "/mnt")]
    operations.append(("--ro-bind", here, "/mnt/here"))
    command = ["true"]
    if hidden:
        command = ["/bin/sh", "-c", 'while read -r line; do case $line in *" /mnt/here "*"- overlay "*) exit 0;; esac;'
                   " done < /proc/self/mountinfo; exit 1"]  # fmt: skip
    limits = Limits(time_s=1, memory_bytes=MIB, cpus=1, output_bytes=MIB)
    status_out, status = os.pipe()
    user = job_uids().start if os.geteuid() == 0 else os.getuid()
    what = Launch(bwrap, operations, (here,), command, user, 1, limits, options={"--json-status-fd": status})
    try:
        launched = launch(what)
    except LaunchError as error:
        sys.exit(str(error))
    os.close(status)
    os.waitpid(launched.guard, 0)
    with os.fdopen(status_out, "rb") as file:
        sys.exit(0 if b'"exit-code": 0' in file.read() else 1)


def package_root() -> str:
    """The folder to import Palio from, for an interpreter without search paths."""
    return str(Path(__file__).parents[3])
