"""Installs those of the given requirements, `name==version`, of which no version is installed. Part of the build.

The version is the one that the bundle was tested with; where it does not exist for this Python, any version will do.
"""

import subprocess
import sys
from importlib import metadata

PIP = [sys.executable, "-m", "pip", "install", "--no-cache-dir", "--no-compile", "--retries", "2"]


def is_missing(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return True
    return False


def install(requirement: str) -> bool:
    return subprocess.run([*PIP, requirement], check=False).returncode == 0


for requirement in sys.argv[1:]:
    name = requirement.partition("==")[0]
    if is_missing(name):
        print(f"metadata.json requires {requirement}, which the base image lacks", flush=True)
        if not install(requirement) and not install(name):
            sys.exit(1)
