"""Disks that are full or read-only, for real."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import lacking


def on_a_mount(options: str, folder: Path, code: str) -> str:
    """What `code` prints with a small tmpfs of these options mounted on `folder`, in a mount namespace of its own."""
    script = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"'
    sandbox = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "-", options, str(folder)]
    try:
        subprocess.run([*sandbox, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        lacking("this user cannot mount a small disk (unshare --map-root-user --mount)")
    program = [sys.executable, "-c", code, str(folder)]
    return subprocess.run([*sandbox, *program], check=True, capture_output=True, text=True).stdout
