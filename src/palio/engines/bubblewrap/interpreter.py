"""The Python that replaces every base image: this one, with its installed packages."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = "/.environment"  # inside: the packages that a Dockerfile installs
LINKS = "/.python"  # inside: where `python` and `python3` are, if the interpreter's own folder lacks them


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter. `places` are its folders and links, at the same paths inside and outside."""

    executable: str
    version: str
    places: tuple[str, ...]
    links: tuple[str, ...]  # names that must exist in LINKS

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Self:
        """From what JSON has needed of it."""
        return cls(**{**content, "places": tuple(content["places"]), "links": tuple(content["links"])})

    @property
    def path(self) -> str:
        """The PATH on which `python` is this interpreter."""
        return f"{LINKS if self.links else Path(self.executable).parent}:{SYSTEM_PATH}"


def this_interpreter() -> Interpreter:
    executable = Path(sys.executable)
    places = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    # A process started without site (-S) does not know that it is in a virtual environment.
    places += [folder for folder in (executable.parent.parent,) if (folder / "pyvenv.cfg").is_file()]
    places += [place.resolve() for place in places]
    # A virtual environment's interpreter is a link, often to another link. Only the links themselves are needed, never
    # their folders, which may be someone's ~/.local.
    link = executable
    while link.is_symlink():
        places.append(link)
        link = Path(os.path.normpath(link.parent / link.readlink()))
    needed: list[str] = []
    for place in sorted({str(place) for place in places}):
        if not any(_within(place, outer) for outer in (*SYSTEM_FOLDERS, *needed)):
            needed.append(place)
    complete = all((executable.parent / name).exists() for name in ("python", "python3"))
    return Interpreter(
        executable=str(executable),
        version=platform.python_version(),
        places=tuple(needed),
        links=() if complete else ("python", "python3"),
    )


def too_wide(interpreter: Interpreter) -> str | None:
    """A folder of the interpreter that contains more than an interpreter should: a home folder, or everything."""
    home = str(Path.home())
    return next((place for place in interpreter.places if place == "/" or _within(home, place)), None)


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
