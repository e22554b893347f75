"""The Python that stands in for every base image: this one, with the packages that are installed beside it."""

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LINKS = "/.python"  # inside: where `python` and `python3` lie if the interpreter's own folder lacks them


@dataclass(frozen=True)
class Interpreter:
    """`folders` hold the interpreter and its packages, at the same paths inside as outside."""

    executable: str
    version: str
    folders: tuple[str, ...]
    links: tuple[str, ...]  # names by which it must be found in LINKS

    @property
    def path(self) -> str:
        """The PATH on which `python` is this interpreter."""
        own = os.path.dirname(self.executable)  # noqa: PTH120 - a path inside the sandbox
        return ":".join([LINKS, SYSTEM_PATH] if self.links else [own, SYSTEM_PATH])


def this_interpreter() -> Interpreter:
    executable = Path(sys.executable)
    # An environment's interpreter is a link, often to a link; each one's folder must be there for it to be followed.
    folders = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_exec_prefix)]
    link = executable
    while link.is_symlink():
        link = Path(os.path.normpath(link.parent / link.readlink()))
        folders.append(link.parent.parent)
    folders += [folder.resolve() for folder in folders]
    kept: list[str] = []
    for folder in sorted({str(folder) for folder in folders}):
        if not any(_within(folder, outer) for outer in ("/usr", *kept)):
            kept.append(folder)
    lacking = [name for name in ("python", "python3") if not (executable.parent / name).exists()]
    return Interpreter(
        executable=str(executable),
        version=platform.python_version(),
        folders=tuple(kept),
        links=("python", "python3") if lacking else (),
    )


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
