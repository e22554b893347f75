"""Reads a RUN instruction as commands whose effect is known, for an engine that copies files and runs nothing.

Known are `pip install`, and what such an engine makes unnecessary or can do itself: virtual environments, folders,
execute bits, users, packages of the system that are already installed, and the caches that they leave. Everything else
is refused with the one thing that helps, so that nothing is skipped silently.
"""

import posixpath
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from palio.core.dockerfile.expand import Lookup
from palio.core.dockerfile.instruction_words import command
from palio.core.dockerfile.read import DockerfileError, Instruction

WHEELS = "`pip wheel {} -w wheels` makes one; COPY that folder and `RUN pip install` the file"
_ENGINE = "The engine `docker` can run it: add `--engine docker`."
_PIP = re.compile(r"pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_BITS = re.compile(r"(?:[ugoa]*\+[rw]*x[rw]*|0?[0-7]?[1357][0-7]{2})(?:,.*)?")
_USERS = ("useradd", "adduser", "groupadd", "addgroup", "usermod", "chown", "chgrp")
_CACHES = ("/var/lib/apt/lists", "/var/cache", "/root/.cache", "/tmp", "/var/tmp")  # noqa: S108
_PYPI = ("https://pypi.org/simple", "https://pypi.python.org/simple")
_TOOLS = ("pip", "setuptools", "wheel")

# Options of `pip install`: those that count, and those that change nothing here.
_PASSED = {"--pre", "--no-deps", "--no-index", "--upgrade", "--force-reinstall", "--ignore-installed"}
_SHORT = {"-U": "--upgrade", "-I": "--ignore-installed", "-r": "--requirement", "-c": "--constraint"}
_SHORT |= {"-f": "--find-links", "-i": "--index-url", "-e": "--editable", "-t": "--target", "-q": "--quiet"}
_IGNORED = {
    *("--no-cache-dir", "--quiet", "--verbose", "-v", "-vv", "-vvv", "-qq", "--no-input", "--user", "--compile"),
    *("--no-warn-script-location", "--no-warn-conflicts", "--disable-pip-version-check", "--break-system-packages"),
    *(
        "--no-compile",
        "--no-build-isolation",
        "--use-pep517",
        "--no-color",
        "--prefer-binary",
        "-y",
        "--require-hashes",
    ),
}
_IGNORED_VALUES = {
    *("--cache-dir", "--timeout", "--default-timeout", "--retries", "--progress-bar", "--root-user-action", "--log"),
    *("--only-binary", "--upgrade-strategy", "--exists-action", "--use-feature", "--python-version"),
}
_VALUES = {"--requirement", "--constraint", "--find-links"}


@dataclass(frozen=True)
class PipInstall:
    """What one `pip install` names: requirements and wheels, and files and folders of the image."""

    words: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoEffect:
    why: str


@dataclass(frozen=True)
class MakeFolders:
    paths: tuple[str, ...]


@dataclass(frozen=True)
class MakeEnvironment:
    """A virtual environment at `path`."""

    path: str


@dataclass(frozen=True)
class MakeExecutable:
    paths: tuple[str, ...]


@dataclass(frozen=True)
class SystemPackages:
    """Debian packages."""

    names: tuple[str, ...]


Command = PipInstall | NoEffect | MakeFolders | MakeEnvironment | MakeExecutable | SystemPackages


def run_commands(instruction: Instruction, lookup: Lookup) -> tuple[Command, ...]:
    """Reads the commands of a RUN, in order. Raises DockerfileError for the first that is not known."""
    found = command(instruction)
    groups = [[*found.words]] if found.is_list else list(_split(" ".join(found.words), lookup, instruction))
    return tuple(_command(words, instruction) for words in groups if words)


def _split(text: str, lookup: Lookup, instruction: Instruction) -> Iterator[list[str]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        tokens = list(lexer)
    except ValueError:
        raise _refused("its quotes do not match", instruction, "Correct the quotes.") from None
    words: list[str] = []
    for token in tokens:
        if token in ("&&", ";"):
            yield _without_assignments(words)
            words = []
        elif set(token) <= set("&|;<>()"):
            fix = 'Put versions in quotes, such as `"numpy>=1.26"`.' if token in ("<", ">") else _ENGINE
            raise _refused(f"`{token}` needs a shell", instruction, fix)
        elif "$(" in token or "`" in token:
            raise _refused("it needs a shell", instruction, _ENGINE)
        else:
            words.append(_VARIABLE.sub(lambda match: lookup(match[1] or match[2]) or "", token))
    yield _without_assignments(words)


def _without_assignments(words: list[str]) -> list[str]:
    start = next((place for place, word in enumerate(words) if not _ASSIGNED.fullmatch(word)), len(words))
    return words[start:]


def _command(words: Sequence[str], instruction: Instruction) -> Command:
    name = PurePosixPath(words[0]).name
    rest = [*words[1:]]
    if _PYTHON.fullmatch(name) and rest[:1] == ["-m"] and len(rest) > 1:
        name, rest = rest[1], rest[2:]
        if name in ("venv", "virtualenv"):
            return _environment(rest, words, instruction)
    if _PIP.fullmatch(name):
        return _pip(rest, instruction)
    given = [word for word in rest if not word.startswith("-")]
    match name:
        case "virtualenv":
            return _environment(rest, words, instruction)
        case "set" | "true" | ":" | "echo":
            return NoEffect("it changes nothing")
        case "mkdir" if given:
            return MakeFolders(tuple(given))
        case "chmod" if len(given) > 1 and _BITS.fullmatch(given[0]):
            return MakeExecutable(tuple(given[1:]))
        case "apt-get" | "apt":
            return _apt(given, words, instruction)
        case "rm" if given and all(map(_is_cache, given)):
            return NoEffect("there is nothing to remove")
        case _ if name in _USERS:
            return NoEffect("each job has a user of its own, and reads all files")
    if name == "chmod":
        raise _refused(
            "no command is run here", instruction, "Set the bits of the file before you zip it; the zip keeps them."
        )
    raise _refused("no command but `pip install` is run here", instruction, _ENGINE)


def _is_cache(path: str) -> bool:
    plain = posixpath.normpath(path)
    return any(plain == cache or plain.startswith(f"{cache}/") for cache in _CACHES)


def _environment(rest: Sequence[str], words: Sequence[str], instruction: Instruction) -> Command:
    given = [word for word in rest if not word.startswith("-")]
    if len(given) != 1:
        raise _refused(f"`{' '.join(words)}` names no single folder", instruction, "Name one folder.")
    return MakeEnvironment(given[0])


def _apt(given: Sequence[str], words: Sequence[str], instruction: Instruction) -> Command:
    match given:
        case ["install", *names] if names:
            return SystemPackages(tuple(name.partition("=")[0] for name in names))
        case ["update" | "clean" | "autoclean" | "autoremove" | "install", *_]:
            return NoEffect("programs use this machine's system")
    raise _refused(f"`{' '.join(words)}` is not run here", instruction, _ENGINE)


def _pip(words: Sequence[str], instruction: Instruction) -> Command:
    action = next((word for word in words if not word.startswith("-")), "")
    if action in ("cache", "check", "list", "freeze", "config", "debug", ""):
        return NoEffect("it changes nothing here")
    if action != "install":
        raise _refused(f"`pip {action}` is not run here", instruction, "Use `pip install`, or `--engine docker`.")
    rest = [word for word in words if word != "install"]
    values: dict[str, list[str]] = {name: [] for name in _VALUES}
    options: list[str] = []
    given: list[str] = []
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            given.append(word)
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("--") and len(word) > 2 and word[:2] in ("-r", "-c", "-f", "-i"):  # -rrequirements.txt
            name, equals, value = word[:2], "=", word[2:]
        name = _SHORT.get(name, name)
        if name in _IGNORED:
            continue
        if name in _PASSED:
            options.append(name)
            continue
        if not equals:
            value = rest.pop(0) if rest else ""
        if name in _VALUES and value:
            values[name].append(value)
        elif name in ("--index-url", "--extra-index-url", "--trusted-host"):
            check_index(name, value, instruction)
        elif name not in _IGNORED_VALUES:
            raise _refused(f"the option {name} of pip is not supported here", instruction, "Leave it out.")
    if given and all(word in _TOOLS for word in given) and not any(values.values()):
        return NoEffect("wheels are installed without them")
    return PipInstall(
        tuple(word for word in given if word not in _TOOLS),
        tuple(values["--requirement"]),
        tuple(values["--constraint"]),
        tuple(values["--find-links"]),
        tuple(dict.fromkeys(options)),
    )


def check_index(name: str, value: str, instruction: Instruction | None) -> None:
    """Refuses an index other than PyPI: which hosts a build reaches is decided by this machine's configuration."""
    if value.rstrip("/") not in _PYPI:
        raise _refused(
            f"{name} is not taken from a Dockerfile here, because pip runs with this machine's network",
            instruction,
            "Configure it on this machine: `pip config set "
            f"global.{'trusted-host' if name == '--trusted-host' else 'extra-index-url'} {value[:200]}`.",
        )


def _refused(reason: str, instruction: Instruction | None, helps: str) -> DockerfileError:
    return DockerfileError(f"{reason}. {helps}".removesuffix("."), instruction)
