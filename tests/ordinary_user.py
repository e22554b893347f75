"""Runs a program as an ordinary user, for tests that run as root: without root's files, groups and capabilities.

The interpreter and this repository may lie below a folder that is closed to others, such as /root. That folder is
covered, in mounts of the program's own, by one in which nothing but they can be seen.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# nobody's; tests that run at the same time have different ones, as they look for processes that a user has left
UID = 54_340 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def needed() -> bool:
    """Whether tests have to be run so, as they are not run by an ordinary user anyway."""
    return os.geteuid() == 0


def command(home: Path, *program: str | Path) -> list[str]:
    """What runs the Python program as that user, whose home is `home`, a folder that is made if need be.

    `home` has to lie where others may look: not in a folder that pytest makes for a test.
    """
    home.mkdir(exist_ok=True)
    os.chown(home, UID, UID)
    return [sys.executable, str(Path(__file__)), str(home), *map(str, program)]


def popen(home: Path, *program: str | Path, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(command(home, *program), text=True, **options)


def run(home: Path, *program: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(home, *program), text=True, capture_output=True, timeout=300)


def _become(home: str, program: Sequence[str]) -> None:
    sys.path.insert(0, str(ROOT / "src"))
    from palio.engines.bubblewrap import kernel
    from palio.engines.bubblewrap.interpreter import this_interpreter

    kernel.unshare(kernel.NEW_MOUNTS)
    kernel.follow_host()
    shown = {*this_interpreter().places, str(ROOT)}
    covered = {closed for place in shown if (closed := _closed(Path(place)))}
    for folder in covered:
        inner = {place: os.open(place, os.O_PATH) for place in sorted(shown) if Path(place).is_relative_to(folder)}
        kernel.mount("tmpfs", str(folder), 0, kind="tmpfs", options="mode=0755")
        for place, descriptor in inner.items():
            Path(place).mkdir(parents=True)
            kernel.bind(f"/proc/self/fd/{descriptor}", place)
            os.close(descriptor)
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.umask(0o022)
    os.chdir(ROOT)
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    kept = {name: text for name, text in os.environ.items() if name in ("PATH", "LANG", "PALIO_MEDNIST")}
    environment = {**kept, "HOME": home, "USER": "ordinary", "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    os.execve(sys.executable, [sys.executable, *program], environment)  # noqa: S606 - no shell is wanted


def _closed(place: Path) -> Path | None:
    """The outermost folder on the way to a place that others may not enter."""
    return next((folder for folder in reversed(place.parents) if not folder.stat().st_mode & 0o001), None)


if __name__ == "__main__":
    _become(sys.argv[1], sys.argv[2:])
