"""The allowed arguments of each Dockerfile instruction, in one table for all engines.

All results are PlainWord or PlainName, so no argument can carry NUL, a newline or half a character into an argument
list, environment or log, and none is too long for an argument. Content of base images is the engine's and not checked.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from palio.core.dockerfile.expand import Lookup, json_form, plain, raw_words, separate, value
from palio.core.dockerfile.read import DockerfileError, Instruction, instruction_of
from palio.core.files.globs import PatternError, glob
from palio.core.plain_words import PlainName, PlainWord, UnfitWordError

MOST_SOURCES = 1000  # in one COPY or ADD
MOST_DEPTH = 64  # folders in a path of the image
_MOST_NAME_BYTES = 255
_WITHIN_TRIGGERS = "FROM, ONBUILD and MAINTAINER cannot be triggers"
_ELSEWHERE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://|git@")


@dataclass(frozen=True)
class Command:
    """The command of RUN, CMD or ENTRYPOINT: a list of words, or one line for a shell."""

    words: tuple[PlainWord, ...]
    is_list: bool  # else a single word for the shell


@dataclass(frozen=True)
class _Row:
    check: Callable[[Instruction, Lookup], object]
    flags: tuple[str, ...] = ()


def check(instruction: Instruction, lookup: Lookup) -> None:
    """Raises DockerfileError if the instruction is unknown or an argument is invalid."""
    row = _TABLE.get(instruction.keyword)
    if row is None:
        raise DockerfileError(f"unknown instruction {instruction.keyword[:40]}", instruction)
    for flag in instruction.flags:
        if flag not in row.flags:
            known = f"; supported: {', '.join(f'--{name}' for name in row.flags)}" if row.flags else ""
            raise DockerfileError(f"{instruction.keyword} does not support --{flag} here{known}", instruction)
    for flag, text in instruction.flags.items():
        plain(text, instruction, f"--{flag}")
    row.check(instruction, lookup)


def pairs(instruction: Instruction, lookup: Lookup) -> dict[PlainName, PlainWord]:
    """Parses ENV and LABEL: NAME=value ..., or NAME value."""
    first, _, rest = instruction.rest.replace("\t", " ").partition(" ")
    if not first:
        raise DockerfileError(f"{instruction.keyword} needs NAME=value", instruction)
    if "=" not in first:
        if not rest.strip():
            raise DockerfileError(f"{first[:40]} has no value; write {instruction.keyword} NAME=value", instruction)
        written = [(first, instruction.rest[len(first) :].strip(" \t"))]
    else:
        written = []
        for word in raw_words(instruction):
            name, equals, text = word.partition("=")
            if not equals:
                raise DockerfileError(f"{instruction.keyword} takes words of the form NAME=value", instruction)
            written.append((name, text))
    return {_name(name, lookup, instruction): value(text, lookup, instruction) for name, text in written}


def arguments(instruction: Instruction, lookup: Lookup) -> dict[PlainName, PlainWord | None]:
    """Parses ARG: NAME or NAME=default ..."""
    found: dict[PlainName, PlainWord | None] = {}
    for word in raw_words(instruction):
        name, equals, default = word.partition("=")
        found[_name(name, lookup, instruction)] = value(default, lookup, instruction) if equals else None
    if not found:
        raise DockerfileError("ARG needs NAME or NAME=default", instruction)
    return found


def command(instruction: Instruction, text: str | None = None) -> Command:
    """Parses RUN, CMD and ENTRYPOINT."""
    text = instruction.rest if text is None else text
    listed = json_form(instruction, text)
    if listed is None:
        if not text:
            raise DockerfileError(f"{instruction.keyword} names no command", instruction)
        return Command((plain(text, instruction, "the command"),), is_list=False)
    if listed and not listed[0]:
        raise DockerfileError("the first string of its list is empty; it must name a program", instruction)
    return Command(tuple(listed), is_list=True)


def shell(instruction: Instruction) -> tuple[PlainWord, ...]:
    listed = json_form(instruction)
    if not listed or not listed[0]:
        raise DockerfileError('SHELL takes a list such as ["/bin/sh", "-c"]', instruction)
    return tuple(listed)


def words(instruction: Instruction, lookup: Lookup) -> list[PlainWord]:
    """Parses VOLUME, EXPOSE, COPY and ADD: the strings of a list, or words between spaces. None is empty."""
    written: list[str] | list[PlainWord] | None = json_form(instruction)
    if written is None:
        written = separate(instruction.rest)
    found = [value(word, lookup, instruction) for word in written]
    if not found or "" in found:
        raise DockerfileError(f"{instruction.keyword} {'has an empty word' if found else 'names nothing'}", instruction)
    return found


def sources_and_target(instruction: Instruction, lookup: Lookup) -> tuple[list[PlainWord], PlainWord]:
    """Parses COPY and ADD."""
    *sources, target = words(instruction, lookup) if instruction.rest else [PlainWord("")]
    if not sources:
        raise DockerfileError("a source and a target are needed", instruction)
    if len(sources) > MOST_SOURCES:
        raise DockerfileError(f"it has more than {MOST_SOURCES:,} sources; copy their folder", instruction)
    for source in sources:
        if _ELSEWHERE.match(source):
            raise DockerfileError(
                "files cannot be fetched from the network; put the file into the context", instruction
            )
        try:
            glob(source)
        except PatternError as error:
            raise DockerfileError(f"the source `{source[:40]}` {error}", instruction) from None
    _check_path(target, instruction)
    return sources, target


def single(instruction: Instruction, lookup: Lookup) -> PlainWord:
    """Parses WORKDIR, USER and STOPSIGNAL: one value, which is not empty."""
    if not (found := value(instruction.rest, lookup, instruction)):
        raise DockerfileError(f"{instruction.keyword} needs a value", instruction)
    if instruction.keyword == "WORKDIR":
        _check_path(found, instruction)
    return found


def trigger(instruction: Instruction) -> Instruction:
    """The instruction that ONBUILD would run."""
    if not instruction.rest:
        raise DockerfileError("ONBUILD needs an instruction", instruction)
    inner = instruction_of(instruction.line, instruction.rest)
    if inner.keyword in ("FROM", "ONBUILD", "MAINTAINER"):
        raise DockerfileError(_WITHIN_TRIGGERS, instruction)
    return inner


def _check_path(path: str, instruction: Instruction) -> None:
    """Checks that a file system can hold the path. Names with variables are not measured."""
    parts = path.split("/")
    if len(parts) > MOST_DEPTH:
        raise DockerfileError(f"a path in it has more than {MOST_DEPTH} folders", instruction)
    if "$" not in instruction.rest and any(len(part.encode()) > _MOST_NAME_BYTES for part in parts):
        raise DockerfileError(f"a name in it has more than {_MOST_NAME_BYTES} bytes", instruction)


def _name(text: str, lookup: Lookup, instruction: Instruction) -> PlainName:
    try:
        return PlainName(value(text, lookup, instruction))
    except UnfitWordError as error:
        if not text:
            raise DockerfileError(
                f"a variable needs a name; write {instruction.keyword} NAME=value", instruction
            ) from None
        raise DockerfileError(f"the name of a variable is invalid: {error.reason}", instruction) from None


def _check_add(instruction: Instruction, lookup: Lookup) -> None:
    """Restricts ADD to plain file names.

    An engine may fetch what ADD names, past every limit on the network. So names that any builder could take for an
    address are refused, and so are names that are only known during the build.
    """
    for word in json_form(instruction) or separate(instruction.rest):
        if "://" in word or word.startswith("git@"):
            raise DockerfileError(
                "files cannot be fetched from the network; put the file into the context", instruction
            )
        if any(character in word for character in "$\"'\\"):
            raise DockerfileError("ADD accepts only plain file names; use COPY for names with variables", instruction)
    sources_and_target(instruction, lookup)


def _check_healthcheck(instruction: Instruction, _: Lookup) -> None:
    kind, rest = health(instruction)
    if kind == "CMD":
        command(instruction, rest)
    elif kind != "NONE" or rest:
        raise DockerfileError("HEALTHCHECK takes NONE, or CMD and a command", instruction)


def health(instruction: Instruction) -> tuple[str, str]:
    """Parses HEALTHCHECK: NONE or CMD in capitals, and what follows."""
    kind, _, rest = instruction.rest.replace("\t", " ", 1).partition(" ")
    return kind.upper(), rest.strip(" \t")


def _check_text(instruction: Instruction, _: Lookup) -> None:
    if not plain(instruction.rest, instruction):
        what = "an image" if instruction.keyword == "FROM" else "a value"
        raise DockerfileError(f"{instruction.keyword} needs {what}", instruction)


def _check_trigger(instruction: Instruction, lookup: Lookup) -> None:
    check(trigger(instruction), lookup)


_COPY_FLAGS = ("chown", "chmod", "link")
_TABLE: Mapping[str, _Row] = {
    "FROM": _Row(_check_text, ("platform",)),  # resolve.py reads the rest
    "ARG": _Row(arguments),
    "ENV": _Row(pairs),
    "LABEL": _Row(pairs),
    "WORKDIR": _Row(single),
    "USER": _Row(single),
    "STOPSIGNAL": _Row(single),
    "EXPOSE": _Row(words),
    "VOLUME": _Row(words),
    "RUN": _Row(lambda instruction, _: command(instruction)),
    "CMD": _Row(lambda instruction, _: command(instruction)),
    "ENTRYPOINT": _Row(lambda instruction, _: command(instruction)),
    "SHELL": _Row(lambda instruction, _: shell(instruction)),
    "COPY": _Row(sources_and_target, ("from", *_COPY_FLAGS)),
    "ADD": _Row(_check_add, _COPY_FLAGS),
    "HEALTHCHECK": _Row(_check_healthcheck, ("interval", "timeout", "start-period", "start-interval", "retries")),
    "MAINTAINER": _Row(_check_text),
    "ONBUILD": _Row(_check_trigger),
}
