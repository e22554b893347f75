"""Checks whether sandboxes work on this machine, explains how to enable them, and states what they enforce."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from palio.core.engine import Enforcement, Guarantee
from palio.engines.bubblewrap.interpreter import this_interpreter, too_wide
from palio.engines.bubblewrap.launch import INSIDE_UID, probe
from palio.engines.bubblewrap.limits import counts_by_namespace
from palio.engines.fault import Unavailable
from palio.engines.job_users import job_uids
from palio.engines.seccomp_filter import seccomp_filter

OLDEST = (0, 8, 0)  # the first version that can forbid further user namespaces inside
_INSTALL = {
    "debian": "sudo apt-get install bubblewrap",
    "fedora": "sudo dnf install bubblewrap",
    "rhel": "sudo dnf install bubblewrap",
    "suse": "sudo zypper install bubblewrap",
    "arch": "sudo pacman -S bubblewrap",
    "alpine": "sudo apk add bubblewrap",
}
# Settings that deny user namespaces to ordinary users, the value that does so, and the command to allow them.
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
    """Why sandboxes do not work here, found out by starting one; None if they do."""
    if sys.platform != "linux":
        return Unavailable("bubblewrap needs Linux", "Use Docker on this machine.")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return Unavailable("bubblewrap is not installed", f"Install it with `{install_command()}`.")
    if (found := version(bwrap)) < OLDEST:
        return Unavailable(
            f"bubblewrap {_dotted(found)} is too old; {_dotted(OLDEST)} is required",
            "Install a newer one, or use Docker.",
        )
    if folder := too_wide(this_interpreter()):
        return Unavailable(
            f"this Python is in {folder}, so sandboxes would expose much more than Python",
            "Run Palio from a virtual environment in a folder of its own.",
        )
    if reason := probe(bwrap):
        return Unavailable(f"bubblewrap cannot start a sandbox ({reason})", _way_out())
    return None


def install_command() -> str:
    """The command that installs bubblewrap on this distribution."""
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
            return f"This system denies user namespaces to ordinary users. Allow them with `{command}`."
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return (
            "Containers deny this unless started with `--privileged`. Run Palio outside the container, or use Docker."
        )
    return "Run `bwrap --ro-bind / / --unshare-all true` to see the error. A security module may deny it."


def guarantees(controllers: frozenset[str]) -> tuple[Guarantee, ...]:
    """How each property of the isolation contract is enforced here, given the available cgroup controllers."""
    kernel, watching, none = Enforcement.KERNEL, Enforcement.WATCHING, Enforcement.NONE
    filtered = ", system calls filtered" if seccomp_filter() else ", system calls not filtered on this processor"
    by_group = "by a cgroup"
    if os.geteuid() == 0:
        uids = job_uids()
        user = f"a separate uid ({uids.start}-{uids.stop - 1}) per running job, seen as {INSIDE_UID} inside, no groups"
    else:
        user = f"this user, seen as {INSIDE_UID} inside, no groups; one job at a time"
    memory = (
        Guarantee("memory", kernel, f"{by_group}, including /tmp, /dev/shm and the output")
        if "memory" in controllers
        else Guarantee("memory", none, "checked every 50 ms, which a program can evade")
    )
    cpus = (
        Guarantee("cpus", kernel, by_group)
        if "cpu" in controllers
        else Guarantee("cpus", kernel, "pinned to whole CPUs, rounded up, which other programs may use too")
    )
    if "pids" in controllers:
        pids = Guarantee("pids", kernel, by_group)
    elif counts_by_namespace():
        pids = Guarantee("pids", kernel, "by a limit in the sandbox's own user namespace")
    else:
        pids = Guarantee("pids", none, "checked every 50 ms")
    paths = "" if hides_paths() else ", but the list of mounts shows paths of this machine"
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
        Guarantee("output", kernel, "a separate file system with that size and number of files, in memory"),
        Guarantee("time", watching, "wall clock, from outside"),
        Guarantee("log", watching, "bounded where it is written"),
        Guarantee("environment", kernel, "a fixed list"),
        Guarantee("devices", kernel, "none but null, zero, full, random, urandom and tty"),
        Guarantee(
            "host",
            kernel,
            f"own process, IPC, host and user namespaces{paths}; /usr and this Python are visible, read-only",
        ),
        Guarantee("build", kernel, "of RUN, only pip is run, in a sandbox; time, memory, size and entries are limited"),
        Guarantee("build network", kernel, "none, but for pip, which installs wheels and runs nothing of them"),
    )


@cache
def hides_paths() -> bool:
    """Whether a folder can be mounted without revealing its path in the list of mounts."""
    bwrap = shutil.which("bwrap")
    return bwrap is not None and probe(bwrap, hidden=True) is None
