"""Packages of the system that a Dockerfile installs with apt-get: programs use this machine's, so it must have them."""

import shutil
import subprocess
from collections.abc import Sequence

from palio.core.dockerfile.read import DockerfileError, Instruction

_ASKED_S = 30


def refuse_missing(names: Sequence[str], instruction: Instruction) -> None:
    """Raises DockerfileError with the command that installs those that this machine lacks."""
    if missing := [name for name in names if not _is_installed(name)]:
        raise DockerfileError(
            f"programs use this machine's system, which lacks {', '.join(missing)}. The operator can run "
            f"`sudo apt-get install {' '.join(missing)}` on it; or use the engine `docker`",
            instruction,
        )


def _is_installed(name: str) -> bool:
    if shutil.which("dpkg-query", path="/usr/bin:/bin") is None:
        return False
    asked = subprocess.run(
        ["/usr/bin/dpkg-query", "--show", "--showformat=${db:Status-Status}", "--", name],
        capture_output=True,
        text=True,
        timeout=_ASKED_S,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
        check=False,
    )
    return asked.returncode == 0 and asked.stdout == "installed"
