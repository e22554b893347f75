"""The Python packages that a job's interpreter already has, and whether they satisfy a Dockerfile's requirements."""

import os
import sys
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

_FOLDERS = ("site-packages", "dist-packages")
_RECORDS = (".dist-info", ".egg-info", ".pth")


def package_folders(search_path: Iterable[str] | None = None) -> list[str]:
    """The folders of packages among the search path, by default this process's."""
    places = sys.path if search_path is None else search_path
    return [place for place in dict.fromkeys(places) if Path(place).name in _FOLDERS and Path(place).is_dir()]


def packages_digest(folders: Sequence[str]) -> str:
    """Changes when a package in the folders is installed, removed or replaced."""
    found = [
        (folder, sorted(name for name in os.listdir(folder) if name.endswith(_RECORDS)))  # noqa: PTH208 - only names
        for folder in folders
    ]
    return sha256(repr(found).encode()).hexdigest()


def unsatisfied(lines: Iterable[str], folders: Sequence[str]) -> list[str]:
    """The requirements that the packages in the folders do not satisfy. The dependencies of those are assumed."""
    from importlib.metadata import distributions

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    versions: dict[str, str] = {}
    for found in distributions(path=list(folders)):
        if name := found.metadata["Name"]:
            versions.setdefault(canonicalize_name(name), found.version)
    missing = []
    for line in lines:
        wanted = Requirement(line.partition(" --hash=")[0])
        if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = versions.get(canonicalize_name(wanted.name))
        try:
            fits = version is not None and wanted.specifier.contains(Version(version), prereleases=True)
        except InvalidVersion:
            fits = False
        if not fits or wanted.extras or " --hash=" in line:
            missing.append(line)
    return missing
