"""Starts bubblewrap in a forked child: as an ordinary user, in its control group, with its limits, and nothing else.

Root's jobs run as the real user JOB_UID, not as a root without capabilities, which the kernel still takes for the
owner of much. An ordinary user cannot reach what lies below closed folders such as /root, so before root becomes one,
each thing that the sandbox shows is bound to a place within reach, in a mount namespace that ends with the job.
"""

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from palio.core.job import JOB_GID, JOB_UID, MIB
from palio.engines.bubblewrap.cgroup import Cgroup

Operation = Sequence[str]

_BINDS = ("--bind", "--ro-bind", "--ro-bind-try")
_REACH = "/tmp"  # noqa: S108 - covered in this process's own mount namespace
_PR_SET_CHILD_SUBREAPER = 36
_CLONE_NEWNS = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000

# Everything that does not depend on the job. The options for new namespaces come first: what is mounted belongs there.
CONFINEMENT: tuple[Operation, ...] = (
    ("--unshare-user",),
    ("--disable-userns",),
    ("--uid", str(JOB_UID)),
    ("--gid", str(JOB_GID)),
    ("--unshare-ipc",),
    ("--unshare-pid",),
    ("--unshare-net",),
    ("--unshare-uts",),
    ("--unshare-cgroup-try",),
    ("--hostname", "palio"),
    ("--cap-drop", "ALL"),
    ("--die-with-parent",),
    ("--new-session",),
    ("--clearenv",),
)


def adopt_orphans() -> None:
    """Makes this process the parent of whatever its descendants leave behind, so that it can wait for that."""
    _libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def launch(
    bwrap: str,
    operations: Sequence[Operation],
    command: Sequence[str],
    *,
    limits: dict[int, int],
    cpus: set[int] | None,
    group: Cgroup,
    descriptors: dict[str, int],
    printed: int,
) -> int:
    """The PID of bubblewrap. `descriptors` are options that take one (--seccomp); `printed` takes what is said."""
    child = os.fork()
    if child == 0:
        try:
            _become(bwrap, operations, command, limits, cpus, group, descriptors, printed)
        except BaseException as error:  # noqa: BLE001 - a forked child must not return
            os.write(printed, f"palio: {error}\n".encode())
            os._exit(1)
    return child


def _become(
    bwrap: str,
    operations: Sequence[Operation],
    command: Sequence[str],
    limits: dict[int, int],
    cpus: set[int] | None,
    group: Cgroup,
    descriptors: dict[str, int],
    printed: int,
) -> NoReturn:
    group.join()
    Path("/proc/self/oom_score_adj").write_text("1000")  # if the machine runs out of memory, this goes first
    if os.geteuid() == 0:
        operations = _within_reach(operations)
        os.setgroups([])
        os.setresgid(JOB_GID, JOB_GID, JOB_GID)
        os.setresuid(JOB_UID, JOB_UID, JOB_UID)
    os.umask(0o022)
    os.chdir("/")
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))
    if cpus:
        os.sched_setaffinity(0, cpus)
    # The arguments go through a descriptor: the command line of the sandbox's first process can be read inside.
    arguments = [*CONFINEMENT, *operations, *((name, str(number)) for name, number in descriptors.items())]
    text = "".join(f"{word}\0" for argument in arguments for word in argument)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    through = memory_file(text.encode())
    for number in (through, *descriptors.values()):
        os.set_inheritable(number, True)
    os.execve(bwrap, ["bwrap", "--args", str(through), "--", *command], {})  # noqa: S606 - no shell is wanted


def memory_file(content: bytes) -> int:
    """A descriptor to be read from its beginning."""
    descriptor = os.memfd_create("palio")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _within_reach(operations: Sequence[Operation]) -> list[Operation]:
    """The same operations with sources that JOB_UID can reach."""
    if _libc().unshare(_CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "this process may not make a mount namespace")
    _mount("none", "/", _MS_REC | _MS_PRIVATE)
    sources = sorted({operation[1] for operation in operations if operation[0] in _BINDS})
    opened = {source: os.open(source, os.O_PATH | os.O_CLOEXEC) for source in sources}  # some may be in _REACH
    _mount("tmpfs", _REACH, _MS_NOSUID | _MS_NODEV, "tmpfs", "mode=0755")
    places: dict[str, str] = {}
    for number, (source, descriptor) in enumerate(opened.items()):
        place = places[source] = f"{_REACH}/{number}"
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            os.mkdir(place)  # noqa: PTH102
        else:
            os.close(os.open(place, os.O_CREAT | os.O_CLOEXEC))
        _mount(f"/proc/self/fd/{descriptor}", place, _MS_BIND | _MS_REC)
        os.close(descriptor)
    return [(op[0], places[op[1]], *op[2:]) if op[0] in _BINDS else op for op in operations]


def _mount(source: str, target: str, flags: int, kind: str = "none", data: str = "") -> None:
    words = [os.fsencode(word) for word in (source, target, kind)]
    if _libc().mount(*words, flags, data.encode()):
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {target}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def attempt(bwrap: str) -> str | None:
    """Why no sandbox can be made here, in the words of what refused it; None if one can. Takes a tenth of a second.

    Tried in a process of its own, as whoever asks may have threads, and a fork of those is not safe.
    """
    code = f"import sys; sys.path.insert(0, {package_root()!r}); from {__name__} import _attempt; _attempt({bwrap!r})"
    tried = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=30)
    lines = [line for line in (tried.stdout + tried.stderr).splitlines() if line.strip()]
    return None if tried.returncode == 0 else (lines or ["it ended without a word"])[-1]


def _attempt(bwrap: str) -> NoReturn:
    operations = [
        ("--ro-bind", "/", "/"),
        ("--proc", "/proc"),
        ("--dev", "/dev"),
        ("--size", str(MIB)),
        ("--tmpfs", "/mnt"),
    ]
    child = launch(bwrap, operations, ["true"], limits={}, cpus=None, group=Cgroup({}, 1), descriptors={}, printed=1)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def package_root() -> str:
    """The folder to import Palio from, for an interpreter that does not look anywhere by itself."""
    return str(Path(__file__).parents[3])
