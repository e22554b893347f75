"""Whether sandboxes can be made here, and what would change that; and what they can be promised to keep."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from palio.core.engine import Enforcement, Guarantee
from palio.engines.bubblewrap.interpreter import this_interpreter, too_wide
from palio.engines.bubblewrap.launch import INSIDE_UID, attempt
from palio.engines.bubblewrap.limits import counts_by_namespace
from palio.engines.bubblewrap.seccomp import seccomp_filter
from palio.engines.fault import Unavailable
from palio.engines.job_users import job_uids

OLDEST = (0, 8, 0)  # the first that can forbid further user namespaces inside
_INSTALL = {
    "debian": "sudo apt-get install bubblewrap",
    "fedora": "sudo dnf install bubblewrap",
    "rhel": "sudo dnf install bubblewrap",
    "suse": "sudo zypper install bubblewrap",
    "arch": "sudo pacman -S bubblewrap",
    "alpine": "sudo apk add bubblewrap",
}
# What forbids user namespaces to ordinary users, the value that does, and the command that allows them again.
_SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=10000"),
)


def why_unavailable() -> Unavailable | None:
    """What keeps sandboxes from being made here, found out by making one; None if nothing does."""
    if sys.platform != "linux":
        return Unavailable("bubblewrap needs Linux", "Use Docker on this machine.")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Unavailable("bubblewrap is not installed", f"Install it with `{install_command()}`.")
    if (found := version(bwrap)) < OLDEST:
        return Unavailable(
            f"bubblewrap {_dotted(found)} is too old: {_dotted(OLDEST)} is needed",
            "Install a newer one, or use Docker.",
        )
    if folder := too_wide(this_interpreter()):
        return Unavailable(
            f"this Python lies in {folder}, and a sandbox that shows it would show far more",
            "Run Palio from a virtual environment in a folder of its own.",
        )
    if reason := attempt(bwrap):
        return Unavailable(f"bubblewrap cannot make a sandbox ({reason})", _way_out())
    return None


def install_command() -> str:
    """What installs bubblewrap on this distribution."""
    fields = {}
    for path in (Path("/etc/os-release"), Path("/usr/lib/os-release")):
        if path.is_file():
            lines = [line.partition("=") for line in path.read_text().splitlines()]
            fields = {key: content.strip("\"'") for key, _, content in lines}
            break
    names = [fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]
    return next((_INSTALL[name] for name in names if name in _INSTALL), _INSTALL["debian"])


def version(bwrap: str) -> tuple[int, ...]:
    said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, match.groups())) if match else (0, 0, 0)


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _way_out() -> str:
    for name, value, command in _SWITCHES:
        path = Path("/proc/sys", name)
        if path.is_file() and path.read_text().strip() == value:
            return f"This system forbids user namespaces to ordinary users. Allow them with `{command}`."
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "A container forbids it unless it was started with `--privileged`. Run Palio outside, or use Docker."
    return "Run `bwrap --ro-bind / / --unshare-all true` to see the same; a security module may forbid it."


def guarantees(controllers: frozenset[str]) -> tuple[Guarantee, ...]:
    """How each property of the isolation contract is kept here, given what control groups can limit."""
    kernel, watching, none = Enforcement.KERNEL, Enforcement.WATCHING, Enforcement.NONE
    filtered = ", system calls filtered" if seccomp_filter() else ", system calls not filtered on this processor"
    by_group = "by a control group"
    if os.geteuid() == 0:
        uids = job_uids()
        user = f"a real one for each running job, {uids.start} to {uids.stop - 1}, seen as {INSIDE_UID}, no groups"
    else:
        user = f"this machine's user, seen as {INSIDE_UID}, no groups; one job at a time"
    memory = (
        Guarantee("memory", kernel, f"{by_group}, /tmp, /dev/shm and the output among it")
        if "memory" in controllers
        else Guarantee("memory", none, "watched every 50 ms, which a program can get past")
    )
    cpus = (
        Guarantee("cpus", kernel, by_group)
        if "cpu" in controllers
        else Guarantee("cpus", kernel, "bound to whole CPUs, rounded up, which other programs may use too")
    )
    if "pids" in controllers:
        pids = Guarantee("pids", kernel, by_group)
    elif counts_by_namespace():
        pids = Guarantee("pids", kernel, "by a limit counted in the sandbox's own user namespace")
    else:
        pids = Guarantee("pids", none, "watched every 50 ms")
    paths = "" if hides_paths() else ", in whose list of mounts paths of this machine are not hidden"
    return (
        Guarantee("network", kernel, "none but loopback"),
        Guarantee("root file system", kernel, "read-only; /tmp in memory"),
        Guarantee("user", kernel, user),
        Guarantee("capabilities", kernel, f"none, no new privileges, no further user namespaces{filtered}"),
        memory,
        cpus,
        pids,
        Guarantee("shared memory", kernel),
        Guarantee("input", kernel, "read-only"),
        Guarantee("output", kernel, "a file system of that size and number of files, in memory"),
        Guarantee("time", watching, "wall clock, from outside"),
        Guarantee("log", watching, "bounded where it is written"),
        Guarantee("environment", kernel, "a fixed list"),
        Guarantee("devices", kernel, "none but null, zero, full, random, urandom and tty"),
        Guarantee(
            "host",
            kernel,
            f"own process, IPC, host and user name spaces{paths}; /usr and this Python are seen, read-only",
        ),
        Guarantee("build", kernel, "no step (RUN) of a Dockerfile is run; time, memory, size and entries are limited"),
        Guarantee("build network", kernel, "none: nothing is run and nothing is fetched"),
    )


@cache
def hides_paths() -> bool:
    """Whether a folder can be shown so that the list of mounts does not tell where it lies."""
    bwrap = shutil.which("bwrap")
    return bwrap is not None and attempt(bwrap, hidden=True) is None
