"""Reads what a Dockerfile's `pip install` lines want into one list that is safe to hand to pip beside a network.

Only names with versions, and wheels of the image, are taken. Refused with the line: addresses, folders and source
packages, whose installation would run code; indexes, which this machine's configuration names; and wheels that depend
on an address. Files are read in the image, without following links.
"""

import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

from palio.core.dockerfile.read import DockerfileError, Instruction
from palio.core.dockerfile.run_commands import WHEELS, PipInstall, check_index
from palio.core.files.archive import ZIP_ERRORS
from palio.core.quantities import MIB

Find = Callable[[str], Path | None]  # the host path of a regular file or a folder of the image

MOST_REQUIREMENTS = 1000
_MOST_BYTES = MIB
_MOST_FILES = 20
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_HASH = re.compile(r"\s--hash=(sha(?:256|384|512):[0-9a-f]+)")
_OPTION = re.compile(r"(-[rcfi]|--[a-z-]+)(?:\s+|\s*=\s*|)(.*)", re.DOTALL)
_HARMLESS = ("--prefer-binary", "--only-binary", "--require-hashes", "--use-feature")


@dataclass
class Wanted:
    """`wheels` and `links` are files of the image, by name; `links` may be chosen, `wheels` must be."""

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    wheels: dict[str, Path] = field(default_factory=dict)
    links: dict[str, Path] = field(default_factory=dict)
    options: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.lines or self.wheels)

    def add(self, install: PipInstall, find: Find, instruction: Instruction) -> None:
        """Adds what one `pip install` wants. Raises DockerfileError."""
        reading = _Reading(self, find, instruction)
        for folder in install.folders:
            reading.folder(folder)
        for word in install.words:
            reading.requirement(word)
        for name in install.files:
            reading.file(name, self.lines)
        for name in install.constraints:
            reading.file(name, self.constraints)
        self.options.update(install.options)


@dataclass
class _Reading:
    wanted: Wanted
    find: Find
    instruction: Instruction
    files: int = 0

    def folder(self, path: str) -> None:
        found = self.find(path)
        if "://" in path or found is None or not found.is_dir():
            raise self._fault(f"--find-links {path} is no folder of the image; COPY it there before this line")
        for wheel in sorted(found.glob("*.whl")):
            self._check_wheel(wheel)
            self.wanted.links[wheel.name] = wheel

    def file(self, path: str, into: list[str], base: PurePosixPath | None = None) -> None:
        self.files += 1
        if self.files > _MOST_FILES:
            raise self._fault(f"more than {_MOST_FILES} files of requirements are named")
        place = str(base / path) if base else path
        found = self.find(place)
        if found is None or not found.is_file():
            raise self._fault(f"{path} does not exist in the image; COPY it there before this line")
        if found.stat().st_size > _MOST_BYTES:
            raise self._fault(f"{path} is larger than {_MOST_BYTES // MIB} MiB")
        try:
            text = found.read_text("utf-8-sig")
        except UnicodeDecodeError:
            raise self._fault(f"{path} is not UTF-8 text; save it as UTF-8") from None
        for number, line in _joined(text):
            where = f"{path}, line {number}: "
            if line.startswith("-"):
                self._option(line, into, PurePosixPath(place).parent, where)
            else:
                self.requirement(line, into, PurePosixPath(place).parent, where)

    def _option(self, line: str, into: list[str], base: PurePosixPath, where: str) -> None:
        match = _OPTION.fullmatch(line)
        name, value = (match[1], match[2].strip()) if match else (line, "")
        if name in ("-r", "--requirement", "--requirements"):
            self.file(value, into, base)
        elif name in ("-c", "--constraint", "--constraints"):
            self.file(value, self.wanted.constraints, base)
        elif name in ("-f", "--find-links"):
            self.folder(str(base / value) if "://" not in value else value)
        elif name in ("-i", "--index-url", "--extra-index-url", "--trusted-host"):
            check_index("--index-url" if name == "-i" else name, value, self.instruction)
        elif name in ("--pre", "--no-index"):
            self.wanted.options.add(name)
        elif name not in _HARMLESS:
            raise self._fault(f"{where}the option {name} is not supported here; leave it out")

    def requirement(
        self, text: str, into: list[str] | None = None, base: PurePosixPath | None = None, where: str = ""
    ) -> None:
        from packaging.requirements import InvalidRequirement, Requirement

        into = self.wanted.lines if into is None else into
        if len(into) >= MOST_REQUIREMENTS:
            raise self._fault(f"more than {MOST_REQUIREMENTS:,} packages are named")
        hashes = "".join(f" --hash={each}" for each in _HASH.findall(text))
        plain = _HASH.sub("", text).strip()
        if plain.endswith(".whl") and "://" not in plain:
            self._wheel(str(base / plain) if base else plain, plain, where)
            return
        if "://" in plain or plain.startswith((".", "/")) or plain.endswith((".tar.gz", ".zip")):
            raise self._fault(
                f"{where}`{plain[:100]}` is not installed here, because building a package runs its code, and "
                f"addresses are not reached. Install a wheel: {WHEELS.format(plain[:100])}"
            )
        try:
            read = Requirement(plain)
        except InvalidRequirement as error:
            reason = str(error).partition("\n")[0]
            raise self._fault(f"{where}`{plain[:100]}` is not a requirement such as `numpy>=1.26`: {reason}") from None
        if read.url:
            raise self._fault(
                f"{where}`{plain[:100]}` names an address, which is not reached; name a version, or a wheel"
            )
        into.append(f"{read}{hashes}")

    def _wheel(self, path: str, shown: str, where: str) -> None:
        found = self.find(path)
        matching = [found] if found else []
        if "*" in shown:
            folder = self.find(str(PurePosixPath(path).parent))
            matching = sorted(folder.glob(PurePosixPath(path).name)) if folder and folder.is_dir() else []
        if not matching or not all(wheel.is_file() and not wheel.is_symlink() for wheel in matching):
            raise self._fault(f"{where}the wheel {shown} does not exist in the image; COPY it there before this line")
        for wheel in matching:
            self._check_wheel(wheel)
            self.wanted.wheels[wheel.name] = wheel

    def _check_wheel(self, wheel: Path) -> None:
        """A wheel must not make pip reach an address."""
        if wheel.is_symlink() or not wheel.is_file():
            raise self._fault(f"the wheel {wheel.name} is not a regular file")
        try:
            with zipfile.ZipFile(wheel) as archive:
                for member in archive.infolist():
                    if member.filename.rpartition("/")[2].upper() != "METADATA":
                        continue
                    with archive.open(member) as file:
                        header = BytesParser().parsebytes(file.read(_MOST_BYTES), headersonly=True)
                    for needed in header.get_all("Requires-Dist", []):
                        if "@" in str(needed).partition(";")[0] or "://" in str(needed):
                            raise self._fault(f"the wheel {wheel.name} depends on an address, which is not reached")
        except ZIP_ERRORS:
            raise self._fault(f"the wheel {wheel.name} cannot be read; make it again") from None

    def _fault(self, reason: str) -> DockerfileError:
        return DockerfileError(reason, self.instruction)


def _joined(text: str) -> Iterable[tuple[int, str]]:
    """The lines that say something, with continued ones joined and comments left out."""
    begin, pieces = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        begin = begin if pieces else number
        ended = line.rstrip()
        if ended.endswith("\\"):
            pieces.append(ended[:-1])
            continue
        whole = _COMMENT.sub("", "".join([*pieces, line])).strip()
        pieces = []
        if whole:
            yield begin, whole
    if rest := _COMMENT.sub("", "".join(pieces)).strip():
        yield begin, rest
