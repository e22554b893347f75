"""Installs those of the given requirements, `name==version`, of which no version is installed. Part of the build."""

import subprocess
import sys
from importlib import metadata


def is_missing(requirement: str) -> bool:
    try:
        metadata.version(requirement.partition("==")[0])
    except metadata.PackageNotFoundError:
        return True
    return False


missing = [requirement for requirement in sys.argv[1:] if is_missing(requirement)]
if missing:
    print("metadata.json requires packages that the base image lacks:", *missing, flush=True)
    command = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", *missing]
    sys.exit(subprocess.run(command, check=False).returncode)
