"""Makes an image from a folder with a Dockerfile, by copying and writing down, without running anything.

FROM is this machine's Python, whatever it names. COPY, ADD (of local files), ENV, ARG, WORKDIR, CMD, ENTRYPOINT and
SHELL are honoured, RUN is reported as not run, the rest is read and noted. Nothing outside the context is read and
nothing outside the image's folder is written, whatever links either of them holds.
"""

import os
import re
import shutil
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from palio.core.collect import printable
from palio.core.dockerfile import DockerfileError, Instruction, json_form, parse, value, words
from palio.core.dockerignore import ignored_by, wildcard
from palio.engines.bubblewrap.interpreter import Interpreter

_NOTED = ("LABEL", "EXPOSE", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER", "ONBUILD")
# Folders that every base image has, so that `COPY app.py /opt` means /opt/app.py.
_STANDARD = ("bin", "etc", "home", "lib", "media", "mnt", "opt", "root", "run", "sbin", "srv", "tmp", "usr", "var")
MOST_ENTRIES = 100_000  # that a build may copy
_MERGED = ("bin", "sbin", "lib", "lib64")  # links into /usr on most systems


class ImageTooLargeError(Exception):
    def __init__(self, size_bytes: int) -> None:
        super().__init__(size_bytes)
        self.size_bytes = size_bytes


@dataclass
class Image:
    """What a Dockerfile says about running: the environment, where, and what."""

    interpreter: Interpreter
    environment: dict[str, str]
    workdir: str = "/"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)


def build_image(
    context: Path,
    dockerfile: str,
    arguments: Mapping[str, str],
    *,
    interpreter: Interpreter,
    root: Path,
    size_bytes: int,
    say: Callable[[str], None],
) -> tuple[Image, int]:
    """Fills `root`, an empty folder, and gives the bytes that were copied, too. `say` takes lines for the log.

    Raises DockerfileError or ImageTooLargeError.
    """
    try:
        text = (context / dockerfile).read_text(errors="replace")
    except OSError as error:
        raise DockerfileError(f"{dockerfile} cannot be read: {error.strerror}") from None
    building = _Building(context.resolve(), dockerfile, arguments, interpreter, root, size_bytes, say)
    for instruction in parse(text):
        building.take(instruction)
    if not building.begun:
        raise DockerfileError(f"{dockerfile} has no FROM")
    return building.image, building.size_bytes


class _Building:
    def __init__(
        self,
        context: Path,
        dockerfile: str,
        arguments: Mapping[str, str],
        interpreter: Interpreter,
        root: Path,
        size_bytes: int,
        say: Callable[[str], None],
    ) -> None:
        self.image = Image(interpreter, {"PATH": interpreter.path})
        self.begun = False
        self._arguments, self._say = arguments, say
        self._globals: dict[str, str] = {}  # ARG before FROM
        self._locals: dict[str, str] = {}
        self._shell = ["/bin/sh", "-c"]
        self._command_given = False
        self._files = _Files(context, _ignored(context, dockerfile), root, size_bytes)

    @property
    def size_bytes(self) -> int:
        return self._files.size_bytes

    @property
    def _variables(self) -> dict[str, str]:
        return {**self._locals, **self.image.environment} if self.begun else self._globals

    def take(self, instruction: Instruction) -> None:
        keyword = instruction.keyword
        if not self.begun and keyword not in ("FROM", "ARG"):
            raise DockerfileError("the first instruction must be FROM", instruction)
        if keyword in _NOTED:
            self._say(f"{instruction}: noted, without effect here")
        elif handle := getattr(self, f"_take_{keyword.lower()}", None):
            handle(instruction)
        else:
            raise DockerfileError(f"unknown instruction {printable(keyword)}", instruction)

    def _take_from(self, instruction: Instruction) -> None:
        if self.begun:
            raise DockerfileError(
                "builds of several stages need an engine that can run them, such as Docker", instruction
            )
        if not words(instruction, self._globals):
            raise DockerfileError("FROM names no image", instruction)
        self.begun = True
        python = self.image.interpreter
        self._say(f"{instruction}: taken as this machine's Python {python.version}, {python.executable}")

    def _take_arg(self, instruction: Instruction) -> None:
        for word in words(instruction, self._variables):
            name, given, default = word.partition("=")
            content = self._arguments.get(name, default if given else self._globals.get(name))
            if content is not None:
                (self._locals if self.begun else self._globals)[name] = content
        self._say(str(instruction))

    def _take_env(self, instruction: Instruction) -> None:
        variables = self._variables
        name, _, rest = instruction.rest.partition(" ")
        if "=" in name:
            pairs = [word.partition("=") for word in words(instruction, variables)]
            found = {key: content for key, equals, content in pairs if equals}
            if len(found) < len(pairs) and not all(equals for _, equals, _ in pairs):
                raise DockerfileError("ENV takes words of the form NAME=value", instruction)
        else:
            found = {name: value(rest.strip(), instruction, variables)}
        self.image.environment.update(found)
        self._say(str(instruction))

    def _take_workdir(self, instruction: Instruction) -> None:
        self.image.workdir = self._absolute(value(instruction.rest, instruction, self._variables))
        self._files.make_folder(self.image.workdir, instruction)
        self._say(str(instruction))

    def _take_run(self, instruction: Instruction) -> None:
        self._say(f"{instruction}: not run; what it would install must be installed beside this Python")

    def _take_shell(self, instruction: Instruction) -> None:
        shell = json_form(instruction.rest)
        if not shell:
            raise DockerfileError('SHELL takes a list such as ["/bin/sh", "-c"]', instruction)
        self._shell = shell
        self._say(str(instruction))

    def _take_cmd(self, instruction: Instruction) -> None:
        self.image.command, self._command_given = self._command(instruction), True
        self._say(str(instruction))

    def _take_entrypoint(self, instruction: Instruction) -> None:
        self.image.entrypoint = self._command(instruction)
        if not self._command_given:
            self.image.command = []
        self._say(str(instruction))

    def _command(self, instruction: Instruction) -> list[str]:
        listed = json_form(instruction.rest)
        return listed if listed is not None else [*self._shell, instruction.rest]

    def _take_copy(self, instruction: Instruction) -> None:
        if "from" in instruction.flags:
            raise DockerfileError("--from needs an engine that has other images, such as Docker", instruction)
        *sources, target = words(instruction, self._variables) or [""]
        if not sources:
            raise DockerfileError("a source and a target are needed", instruction)
        for source in sources:
            if "://" in source or source.startswith("git@"):
                raise DockerfileError("nothing is fetched from the network; put the file into the context", instruction)
        # A trailing slash says that the target is a folder; PurePosixPath would lose it.
        absolute = self._absolute(target) + ("/" if target.endswith(("/", "/.")) or target == "." else "")
        self._files.copy(sources, absolute, _mode(instruction), instruction)
        owner = ", its owner ignored" if "chown" in instruction.flags else ""
        self._say(f"{instruction}{owner}")

    def _take_add(self, instruction: Instruction) -> None:
        self._take_copy(instruction)

    def _absolute(self, path: str) -> str:
        return os.path.normpath(PurePosixPath(self.image.workdir) / path).replace("//", "/")


def _mode(instruction: Instruction) -> int | None:
    text = instruction.flags.get("chmod")
    if text is None:
        return None
    try:
        return int(text, 8) & 0o777
    except ValueError:
        raise DockerfileError(f"--chmod={text} is not an octal number such as 755", instruction) from None


def _ignored(context: Path, dockerfile: str) -> Callable[[str], bool]:
    for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
        if (path := context / name).is_file() and not path.is_symlink():
            return ignored_by(path.read_text(errors="replace"))
    return ignored_by("")


class _Files:
    """The image's files, copied from the context."""

    def __init__(self, context: Path, ignored: Callable[[str], bool], root: Path, size_bytes: int) -> None:
        self._context, self._ignored, self._root = context, ignored, root
        self._room, self.size_bytes, self._entries = size_bytes, 0, 0

    def make_folder(self, path: str, instruction: Instruction) -> Path:
        """The folder at `path` inside the image, made if need be, through no link."""
        folder = self._root
        for part in _parts(path):
            folder = folder / part
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise DockerfileError(f"{path} leads through a link or a file that was copied before", instruction)
            if not folder.exists():
                self._count(instruction)
                folder.mkdir(mode=0o755)
        return folder

    def copy(self, sources: list[str], target: str, mode: int | None, instruction: Instruction) -> None:
        found = [path for source in sources for path in self._matching(source, instruction)]
        into_folder = target.endswith("/") or self._is_folder(target)
        if len(found) > 1 and not into_folder and any(not path.is_dir() for path in found):
            raise DockerfileError("with several sources the target must be a folder and end with /", instruction)
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
        """What `source` names in the context, links resolved; at least one, or a DockerfileError."""
        relative = os.path.normpath(source.lstrip("/") or ".")
        if relative.startswith(".."):
            raise DockerfileError(f"{printable(source)} leads out of the context", instruction)
        if not any(character in relative for character in "*?["):
            names = [relative] if os.path.lexists(self._context / relative) else []
        else:
            names = self._glob(relative)
        names = [name for name in names if name == "." or not self._ignored(name)]
        if not names:
            raise DockerfileError(f"{printable(source)} is not in the context", instruction)
        paths = []
        for name in names:
            path = (self._context / name).resolve()
            if not path.is_relative_to(self._context):
                raise DockerfileError(f"{printable(name)} is a link that leads out of the context", instruction)
            if not path.exists():
                raise DockerfileError(f"{printable(name)} is a link to nothing", instruction)
            paths.append(path)
        return paths

    def _glob(self, pattern: str) -> list[str]:
        """Paths that fit the pattern, name by name, as `*` never crosses a slash."""
        found = [""]
        for part in pattern.split("/"):
            expression = re.compile(wildcard(part))
            found = [
                f"{folder}/{name}".lstrip("/")
                for folder in found
                if (self._context / folder).is_dir() and not (self._context / folder).is_symlink()
                for name in sorted(path.name for path in (self._context / folder).iterdir())
                if expression.fullmatch(name)
            ]
        return found

    def _copy_folder(self, source: Path, target: Path, mode: int | None, instruction: Instruction) -> None:
        for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
            path = Path(entry.path)
            inner = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                # An ignored folder may hold files that a later pattern takes back.
                if inner.is_symlink() or (inner.exists() and not inner.is_dir()):
                    raise DockerfileError(f"{printable(entry.name)} replaces what is no folder", instruction)
                if not self._is_ignored(path):
                    self._count(instruction)
                    inner.mkdir(mode=0o755, exist_ok=True)
                self._copy_folder(path, inner, mode, instruction)
            elif not self._is_ignored(path):
                inner.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                if entry.is_symlink():
                    # Kept as it is: it will be followed inside, where it leads nowhere but inside.
                    self._count(instruction)
                    inner.unlink(missing_ok=True)
                    inner.symlink_to(path.readlink())
                else:
                    self._copy_file(path, inner, mode, instruction)

    def _count(self, instruction: Instruction) -> None:
        """What is copied twice counts twice: it is the work that is bounded."""
        self._entries += 1
        if self._entries > MOST_ENTRIES:
            raise DockerfileError(
                f"more than {MOST_ENTRIES:,} files, folders and links would be copied in all; copy fewer, or pack "
                "them into an archive that the program reads",
                instruction,
            )

    def _is_ignored(self, path: Path) -> bool:
        return self._ignored(str(path.relative_to(self._context)))

    def _copy_file(self, source: Path, target: Path, mode: int | None, instruction: Instruction) -> None:
        facts = source.lstat()
        if not stat.S_ISREG(facts.st_mode):
            raise DockerfileError(f"{printable(source.name)} is no ordinary file", instruction)
        self._count(instruction)
        self.size_bytes += facts.st_size
        if self.size_bytes > self._room:
            raise ImageTooLargeError(self.size_bytes)
        if target.is_dir() and not target.is_symlink():
            raise DockerfileError(f"{printable(target.name)} is a folder already", instruction)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target, follow_symlinks=False)
        target.chmod(stat.S_IMODE(facts.st_mode) & 0o777 if mode is None else mode)
        os.utime(target, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def _parts(path: str) -> tuple[str, ...]:
    """Components below the root, with /bin and its like as the links into /usr that they are on this machine."""
    first, *rest = PurePosixPath(path.lstrip("/")).parts or ("",)
    if first in _MERGED and (link := Path("/", first)).is_symlink():
        return (
            (*link.readlink().parts, *rest)
            if not link.readlink().is_absolute()
            else (*link.readlink().parts[1:], *rest)
        )
    return (first, *rest) if first else ()
