"""Builds an image from a folder with a Dockerfile by copying files, without running anything.

FROM always means this machine's Python, whatever image it names. COPY, ADD (of local files), ENV, ARG, WORKDIR, CMD,
ENTRYPOINT and SHELL are applied, and the rest is read and noted. Of RUN, `pip install` is honored by an environment
(environment.py), commands that are unnecessary here are noted, and all others are refused. Nothing outside the context
is read and nothing outside the image's folder is written, whatever links they contain.
"""

import errno
import os
import shutil
import stat
import tarfile
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from palio.core.dockerfile.dockerignore import ignored_in
from palio.core.dockerfile.expand import Lookup, plain
from palio.core.dockerfile.instruction_words import (
    MOST_DEPTH,
    arguments,
    command,
    pairs,
    shell,
    single,
    sources_and_target,
)
from palio.core.dockerfile.read import DockerfileError, Instruction, read_text
from palio.core.dockerfile.requirements import Wanted
from palio.core.dockerfile.resolve import resolve
from palio.core.dockerfile.run_commands import (
    MakeEnvironment,
    MakeExecutable,
    MakeFolders,
    NoEffect,
    PipInstall,
    SystemPackages,
    run_commands,
)
from palio.core.files.collect import printable
from palio.core.files.globs import glob
from palio.core.plain_words import PlainName, PlainWord
from palio.engines.bubblewrap.interpreter import ENVIRONMENT, Interpreter
from palio.engines.bubblewrap.system_packages import refuse_missing

_IGNORED = ("LABEL", "EXPOSE", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER", "ONBUILD")
# Folders that every base image has, so that `COPY app.py /opt` means /opt/app.py.
_STANDARD = ("bin", "etc", "home", "lib", "media", "mnt", "opt", "root", "run", "sbin", "srv", "tmp", "usr", "var")
MOST_ENTRIES = 100_000  # that a build may copy
# System errors for a badly chosen path in the image.
_UNFIT_PATH = (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL)
_MERGED = ("bin", "sbin", "lib", "lib64")  # links into /usr on most systems


class ImageTooLargeError(Exception):
    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


@dataclass
class Image:
    """What a Dockerfile says about running: the environment, working directory and command."""

    interpreter: Interpreter
    environment: dict[str, str]  # PlainName to PlainWord
    workdir: PlainWord = PlainWord("/")  # noqa: RUF009 - immutable
    entrypoint: list[PlainWord] = field(default_factory=list)
    command: list[PlainWord] = field(default_factory=list)
    packages: str = ""  # the digest of this machine's packages, if the image depends on them


class Packages(Protocol):
    """What makes the packages for an image (environment.Environments)."""

    def packages(self) -> str: ...

    def install(self, wanted: Wanted, root: Path, instruction: Instruction) -> int: ...


def build_image(
    context: Path,
    dockerfile: str,
    arguments: Mapping[str, str],
    *,
    interpreter: Interpreter,
    root: Path,
    size_bytes: int,
    say: Callable[[str], None],
    packages: Packages | None = None,
) -> tuple[Image, int]:
    """Fills `root`, an empty folder. Returns the image and the number of copied bytes. `say` takes log lines.

    Raises DockerfileError or ImageTooLargeError.
    """
    text = read_text(context, dockerfile)
    if text is None:
        raise DockerfileError("the file does not exist", where=dockerfile)
    building = _Building(context.resolve(), arguments, interpreter, root, size_bytes, say)
    for instruction in resolve(text, arguments).instructions:
        try:
            building.take(instruction)
        except OSError as error:
            if error.errno not in _UNFIT_PATH:
                raise
            raise DockerfileError(f"a path in it cannot be used: {error.strerror}", instruction) from None
    installed_bytes = building.install(packages, root) if packages else 0
    return building.image, building.size_bytes + installed_bytes


class _Building:
    def __init__(
        self,
        context: Path,
        arguments: Mapping[str, str],
        interpreter: Interpreter,
        root: Path,
        size_bytes: int,
        say: Callable[[str], None],
    ) -> None:
        self.image = Image(interpreter, {PlainName("PATH"): PlainWord(interpreter.path)})
        self.has_base = False
        self._arguments, self._say = arguments, say
        self._globals: dict[str, str] = {}  # ARGs before FROM
        self._locals: dict[str, str] = {}
        self._shell: tuple[PlainWord, ...] = (PlainWord("/bin/sh"), PlainWord("-c"))
        self._command_given = False
        self._files = _Files(context, ignored_in(context), root, size_bytes)
        self._wanted = Wanted()
        self._first_install: Instruction | None = None
        self._environments: list[tuple[str, Instruction]] = []

    @property
    def size_bytes(self) -> int:
        return self._files.size_bytes

    @property
    def _lookup(self) -> Lookup:
        if not self.has_base:
            return self._globals.get
        return ChainMap(self.image.environment, self._locals).get

    def take(self, instruction: Instruction) -> None:
        keyword = instruction.keyword
        if keyword in _IGNORED:
            self._say(f"{instruction}: has no effect here")
        else:
            getattr(self, f"_take_{keyword.lower()}")(instruction)

    def _take_from(self, instruction: Instruction) -> None:
        if self.has_base:
            raise DockerfileError("multi-stage builds need an engine that can run them, such as Docker", instruction)
        self.has_base = True
        python = self.image.interpreter
        self._say(f"{instruction}: uses this machine's Python {python.version}, {python.executable}")

    def _take_arg(self, instruction: Instruction) -> None:
        for name, default in arguments(instruction, self._lookup).items():
            content = self._arguments.get(name, self._globals.get(name) if default is None else default)
            if content is not None:
                (self._locals if self.has_base else self._globals)[name] = content
        self._say(str(instruction))

    def _take_env(self, instruction: Instruction) -> None:
        self.image.environment.update(pairs(instruction, self._lookup).items())
        self._say(str(instruction))

    def _take_workdir(self, instruction: Instruction) -> None:
        self.image.workdir = self._absolute(single(instruction, self._lookup), instruction)
        self._files.make_folder(self.image.workdir, instruction)
        self._say(str(instruction))

    def _take_run(self, instruction: Instruction) -> None:
        for each in run_commands(instruction, self._lookup):
            match each:
                case PipInstall():
                    self._wanted.add(each, self._find, instruction)
                    self._first_install = self._first_install or instruction
                    self._say(f"{instruction}: installed at the end of the build")
                case MakeFolders(paths):
                    for path in paths:
                        self._files.make_folder(self._absolute(path, instruction), instruction)
                    self._say(str(instruction))
                case MakeExecutable(paths):
                    for path in paths:
                        self._check_executable(path, instruction)
                    self._say(f"{instruction}: the bits are set already")
                case SystemPackages(names):
                    refuse_missing(names, instruction)
                    self._say(f"{instruction}: installed on this machine already")
                case MakeEnvironment(path):
                    self._environments.append((self._absolute(path, instruction), instruction))
                    self._say(f"{instruction}: packages are put into an environment of their own")
                case NoEffect(why):
                    self._say(f"{instruction}: not run; {why}")

    def install(self, packages: "Packages", root: Path) -> int:
        """Installs what all `pip install` lines want. Returns the number of bytes."""
        if self._first_install is None:
            return 0
        self.image.packages = packages.packages()
        size_bytes = packages.install(self._wanted, root, self._first_install) if self._wanted else 0
        if not size_bytes:
            return 0
        path = self.image.environment[PlainName("PATH")]
        self.image.environment[PlainName("PATH")] = PlainWord(f"{ENVIRONMENT}/bin:{path}")
        for folder, instruction in self._environments:
            self._files.link(folder, ENVIRONMENT, instruction)
        return size_bytes

    def _find(self, path: str) -> Path | None:
        return self._files.find(os.path.normpath(PurePosixPath(self.image.workdir) / path))

    def _check_executable(self, path: str, instruction: Instruction) -> None:
        found = self._find(path)
        if found is None:
            raise DockerfileError(f"{printable(path)} is not in the image", instruction)
        if found.is_file() and not found.stat().st_mode & 0o111:
            raise DockerfileError(
                "no command is run here. Set the execute bit before you zip the folder, which keeps it: "
                f"`chmod +x {printable(found.name)}`",
                instruction,
            )

    def _take_shell(self, instruction: Instruction) -> None:
        self._shell = shell(instruction)
        self._say(str(instruction))

    def _take_cmd(self, instruction: Instruction) -> None:
        self.image.command, self._command_given = self._command(instruction), True
        self._say(str(instruction))

    def _take_entrypoint(self, instruction: Instruction) -> None:
        self.image.entrypoint = self._command(instruction)
        if not self._command_given:
            self.image.command = []
        self._say(str(instruction))

    def _command(self, instruction: Instruction) -> list[PlainWord]:
        found = command(instruction)
        return [*found.words] if found.is_list else [*self._shell, *found.words]

    def _take_copy(self, instruction: Instruction) -> None:
        if "from" in instruction.flags:
            raise DockerfileError("--from needs an engine with other images, such as Docker", instruction)
        sources, target = sources_and_target(instruction, self._lookup)
        # A trailing slash makes the target a folder; PurePosixPath would drop it.
        slash = "/" if target.endswith(("/", "/.")) or target == "." else ""
        absolute = self._absolute(target, instruction) + slash
        self._files.copy(sources, absolute, _mode(instruction), instruction)
        owner = ", its owner ignored" if "chown" in instruction.flags else ""
        self._say(f"{instruction}{owner}")

    def _take_add(self, instruction: Instruction) -> None:
        self._take_copy(instruction)

    def _absolute(self, path: str, instruction: Instruction) -> PlainWord:
        found = os.path.normpath(PurePosixPath(self.image.workdir) / path).replace("//", "/")
        if found.count("/") > MOST_DEPTH:
            raise DockerfileError(f"a path in it has more than {MOST_DEPTH} folders", instruction)
        return plain(found, instruction)


def _mode(instruction: Instruction) -> int | None:
    text = instruction.flags.get("chmod")
    if text is None:
        return None
    try:
        return int(text, 8) & 0o777
    except ValueError:
        raise DockerfileError(f"--chmod={text} is not an octal number such as 755", instruction) from None


class _Files:
    """The image's files, copied from the context."""

    def __init__(self, context: Path, ignored: Callable[[str], bool], root: Path, size_bytes: int) -> None:
        self._context, self._ignored, self._root = context, ignored, root
        self._room, self.size_bytes, self._entries = size_bytes, 0, 0

    def make_folder(self, path: str, instruction: Instruction) -> Path:
        """Returns the folder at `path` in the image, created if needed, without following links."""
        folder = self._root
        for part in _parts(path):
            folder = folder / part
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise DockerfileError(f"{path} goes through a link or file that was copied earlier", instruction)
            if not folder.exists():
                self._count(instruction)
                folder.mkdir(mode=0o755)
        return folder

    def find(self, path: str) -> Path | None:
        """The file or folder at `path` in the image, if no link is on the way."""
        found = self._root
        for part in _parts(path):
            found = found / part
            if found.is_symlink() or not found.exists():
                return None
        return found

    def link(self, path: str, target: str, instruction: Instruction) -> None:
        """Makes a link at `path`, unless something is there."""
        parent = self.make_folder(os.path.dirname(path), instruction)  # noqa: PTH120 - a path of the image
        if not os.path.lexists(parent / PurePosixPath(path).name):
            (parent / PurePosixPath(path).name).symlink_to(target)

    def copy(self, sources: Sequence[str], target: str, mode: int | None, instruction: Instruction) -> None:
        found = [path for source in sources for path in self._matching(source, instruction)]
        into_folder = target.endswith("/") or self._is_folder(target)
        if len(found) > 1 and not into_folder and any(not path.is_dir() for path in found):
            raise DockerfileError("with several sources, the target must be a folder and end with /", instruction)
        for source in found:
            if source.is_dir():
                self._copy_folder(source, self.make_folder(target, instruction), mode, instruction)
            elif instruction.keyword == "ADD" and tarfile.is_tarfile(source):
                raise DockerfileError(f"ADD would unpack {printable(source.name)}; unpack it and COPY it", instruction)
            elif into_folder:
                self._copy_file(source, self.make_folder(target, instruction) / source.name, mode, instruction)
            else:
                folder, name = os.path.split(target)
                self._copy_file(source, self.make_folder(folder, instruction) / name, mode, instruction)

    def _is_folder(self, target: str) -> bool:
        parts = _parts(target)
        return not parts or parts in [(name,) for name in _STANDARD] or self._root.joinpath(*parts).is_dir()

    def _matching(self, source: str, instruction: Instruction) -> list[Path]:
        """The files that `source` names, with links resolved. Raises DockerfileError if there are none."""
        relative = os.path.normpath(source.lstrip("/") or ".")
        if relative.startswith(".."):
            raise DockerfileError(f"{printable(source)} points outside the context", instruction)
        if not any(character in relative for character in "*?["):
            names = [relative] if os.path.lexists(self._context / relative) else []
        else:
            names = self._glob(relative)
        names = [name for name in names if name == "." or not self._ignored(name)]
        if not names:
            raise DockerfileError(f"{printable(source)} is not in the context", instruction)
        paths = []
        for name in names:
            path = _resolved(self._context / name, instruction)
            if not path.is_relative_to(self._context):
                raise DockerfileError(f"{printable(name)} is a link to outside the context", instruction)
            if not path.exists():
                raise DockerfileError(f"{printable(name)} is a broken link", instruction)
            paths.append(path)
        return paths

    def _glob(self, pattern: str) -> list[str]:
        """Paths that match the pattern, component by component, because `*` never matches a slash."""
        found = [""]
        for part in pattern.split("/"):
            expression = glob(part)
            found = [
                f"{folder}/{name}".lstrip("/")
                for folder in found
                if (self._context / folder).is_dir() and not (self._context / folder).is_symlink()
                for name in sorted(path.name for path in (self._context / folder).iterdir())
                if expression.match(name)
            ]
        return found

    def _copy_folder(self, source: Path, target: Path, mode: int | None, instruction: Instruction) -> None:
        for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
            path = Path(entry.path)
            inner = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                # An ignored folder may contain files that a later pattern includes again.
                if inner.is_symlink() or (inner.exists() and not inner.is_dir()):
                    raise DockerfileError(
                        f"{printable(entry.name)} would replace something that is not a folder", instruction
                    )
                if not self._is_ignored(path):
                    self._count(instruction)
                    inner.mkdir(mode=0o755, exist_ok=True)
                self._copy_folder(path, inner, mode, instruction)
            elif not self._is_ignored(path):
                inner.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                if entry.is_symlink():
                    # Kept as a link: it will be followed inside the sandbox, where it cannot point outside.
                    self._count(instruction)
                    inner.unlink(missing_ok=True)
                    inner.symlink_to(path.readlink())
                else:
                    self._copy_file(path, inner, mode, instruction)

    def _count(self, instruction: Instruction) -> None:
        """Counts an entry. Copying twice counts twice, because the work is limited."""
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise DockerfileError(
                f"more than {MOST_ENTRIES:,} files, folders and links would be copied; copy fewer, or pack them into "
                "an archive that the program reads",
                instruction,
            )

    def _is_ignored(self, path: Path) -> bool:
        return self._ignored(str(path.relative_to(self._context)))

    def _copy_file(self, source: Path, target: Path, mode: int | None, instruction: Instruction) -> None:
        facts = source.lstat()
        if not stat.S_ISREG(facts.st_mode):
            raise DockerfileError(f"{printable(source.name)} is not a regular file", instruction)
        self._count(instruction)
        self.size_bytes += facts.st_size
        if self.size_bytes > self._room:
            raise ImageTooLargeError(self.size_bytes)
        if target.is_dir() and not target.is_symlink():
            raise DockerfileError(f"{printable(target.name)} is already a folder", instruction)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
        target.chmod(stat.S_IMODE(facts.st_mode) & 0o777 if mode is None else mode)
        os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def _resolved(path: Path, instruction: Instruction) -> Path:
    try:
        return path.resolve()
    except RuntimeError:
        raise DockerfileError(f"{printable(path.name)} is a link to itself", instruction) from None


def _parts(path: str) -> tuple[str, ...]:
    """The components below the root, resolving /bin and the like to the /usr links that they are on this machine."""
    first, *rest = PurePosixPath(path.lstrip("/")).parts or ("",)
    if first in _MERGED and (link := Path("/", first)).is_symlink():
        return (
            (*link.readlink().parts, *rest)
            if not link.readlink().is_absolute()
            else (*link.readlink().parts[1:], *rest)
        )
    return (first, *rest) if first else ()
