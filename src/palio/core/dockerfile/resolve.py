"""Resolves everything that determines what a Dockerfile uses, so that the checked file is the file that is built.

The images of FROM and COPY --from are resolved once, using only the build's arguments: predefined arguments
(http_proxy, TARGETPLATFORM and the like) are not set for them. `text` has the full resolved names and each instruction
in one line, at its original line number, which leaves an engine no choice. Arguments, lengths and the growth of
variables are checked in all instructions on the way.
"""

import json
import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, replace

from palio.core.dockerfile.expand import Lookup, json_form, separate, value
from palio.core.dockerfile.image_names import ImageName, ImageNameError
from palio.core.dockerfile.instruction_words import arguments, check, health, pairs, trigger
from palio.core.dockerfile.read import MOST_LINE_BYTES, DockerfileError, Instruction, parse
from palio.core.plain_words import PlainName, PlainWord, UnfitWordError
from palio.core.quantities import KIB, MIB

MOST_ENVIRONMENT = 512 * KIB  # of a stage's variables; Linux limits arguments and environment to 2 MiB
_MOST_WORK = 4 * MIB  # characters that all variables together expand to
_SCRATCH = "scratch"
# Stands for a variable that the base image may set to anything. Long, so that growth by repeated doubling is found in
# time.
_UNKNOWN = "x" * KIB
_ALIAS = re.compile(r"[a-z][a-z0-9_.-]{0,127}")
_PLATFORM = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+){0,2}")
_INDEX = re.compile(r"[0-9]{1,3}")
_LISTS = ("RUN", "CMD", "ENTRYPOINT", "SHELL", "COPY", "ADD", "VOLUME")


@dataclass(frozen=True)
class Resolved:
    instructions: tuple[Instruction, ...]  # as written
    text: str  # for the engine
    images: Mapping[ImageName, str]  # the images it uses, and how they were written
    base: ImageName | None  # the image that the last stage is ultimately based on; None for scratch


@dataclass
class _Stage:
    base: ImageName | None
    environment: dict[str, str]
    declared: dict[str, str]
    triggers: bool = False


def resolve(text: str, given: Mapping[str, str]) -> Resolved:
    """Resolves a Dockerfile; `given` are the build's arguments. Raises DockerfileError for the first problem."""
    instructions = parse(text)
    reading = _Reading(given)
    lines: list[str] = []
    for instruction in instructions:
        written = reading.take(instruction).text()
        if len(written.encode()) > MOST_LINE_BYTES:
            raise DockerfileError(f"it expands to more than {MOST_LINE_BYTES:,} bytes", instruction)
        lines += [""] * (instruction.line - 1 - len(lines))
        lines.append(written)
    if not reading.stages:
        raise DockerfileError("the Dockerfile has no FROM")
    return Resolved(tuple(instructions), "\n".join([*lines, ""]), reading.images, reading.stages[-1].base)


class _Reading:
    def __init__(self, given: Mapping[str, str]) -> None:
        try:
            self._given = {PlainName(name): PlainWord(text) for name, text in given.items()}
        except UnfitWordError as error:
            raise DockerfileError(f"a build argument is invalid: {error.reason}") from None
        self.images: dict[ImageName, str] = {}
        self.stages: list[_Stage] = []
        self._aliases: dict[str, _Stage] = {}
        self._globals: dict[str, str] = {}  # ARGs before FROM, the only ones that FROM sees
        self._work = 0

    def take(self, instruction: Instruction) -> Instruction:
        """Returns the instruction in the form to build."""
        if not self.stages and instruction.keyword not in ("FROM", "ARG"):
            raise DockerfileError("the first instruction must be FROM", instruction)
        check(instruction, self._counted)
        match instruction.keyword:
            case "FROM":
                return self._from(instruction)
            case "ARG":
                self._declare(instruction)
            case "ENV":
                environment = self.stages[-1].environment
                environment.update(pairs(instruction, self._counted).items())
                if sum(len(name) + len(text) for name, text in environment.items()) > MOST_ENVIRONMENT:
                    most = f"{MOST_ENVIRONMENT // KIB} KiB"
                    raise DockerfileError(f"all variables together have more than {most}", instruction)
            case "ONBUILD":
                self.stages[-1].triggers = True
                inner = self._plain(trigger(instruction))
                return replace(instruction, rest=inner.text())
        return self._plain(instruction)

    def _counted(self, name: str) -> str | None:
        """The value of a variable, or a long placeholder if only the base image knows it."""
        if not self.stages:
            found = self._globals.get(name)
        else:
            stage = self.stages[-1]
            found = ChainMap(stage.environment, stage.declared).get(name, _UNKNOWN)
        self._work += len(found or "")
        if self._work > _MOST_WORK:
            raise DockerfileError(f"the variables of this file expand to more than {_MOST_WORK:,} characters in total")
        return found

    def _declare(self, instruction: Instruction) -> None:
        declared = self.stages[-1].declared if self.stages else self._globals
        for name, default in arguments(instruction, self._counted).items():
            content = self._given.get(name, self._globals.get(name) if default is None else default)
            if content is not None:
                declared[name] = content

    def _from(self, instruction: Instruction) -> Instruction:
        written, *alias = separate(instruction.rest)
        if alias and (len(alias) != 2 or alias[0].lower() != "as"):
            raise DockerfileError("FROM takes an image, or an image AS name", instruction)
        lookup = self._globals.get
        base = value(written, lookup, instruction)
        if stage := self._aliases.get(base.lower()):
            if stage.triggers:
                raise DockerfileError("triggers (ONBUILD) are not run; write out their instructions", instruction)
            made = _Stage(stage.base, dict(stage.environment), {})
            literal = base.lower()
        elif base == _SCRATCH:
            made, literal = _Stage(None, {}, {}), base
        else:
            image = self._image(base, written, instruction)
            made, literal = _Stage(image, {}, {}), str(image)
        self.stages.append(made)
        if alias:
            literal += f" AS {self._alias(alias[1], made, instruction)}"
        return replace(instruction, flags=self._platform(instruction, lookup), rest=literal)

    def _alias(self, text: str, stage: _Stage, instruction: Instruction) -> str:
        name = text.lower()
        if not _ALIAS.fullmatch(name) or name in (_SCRATCH, "context"):
            raise DockerfileError(f"{text[:40]} cannot be the name of a stage; use letters and digits", instruction)
        if name in self._aliases:
            raise DockerfileError(f"another stage is already named {name}", instruction)
        self._aliases[name] = stage
        return name

    def _platform(self, instruction: Instruction, lookup: Lookup) -> dict[str, str]:
        if "platform" not in instruction.flags:
            return {}
        platform = value(instruction.flags["platform"], lookup, instruction)
        if platform and not _PLATFORM.fullmatch(platform):
            raise DockerfileError(f"--platform={platform[:40]} is not a platform such as linux/amd64", instruction)
        return {"platform": platform} if platform else {}

    def _image(self, name: str, written: str, instruction: Instruction) -> ImageName:
        try:
            image = ImageName.read(name)
        except ImageNameError as error:
            raise DockerfileError(str(error), instruction) from None
        self.images.setdefault(image, name if name == written else f"{name} ({written})")
        return image

    def _plain(self, instruction: Instruction) -> Instruction:
        """Normalizes lists and the image of COPY --from."""
        if (source := instruction.flags.get("from")) is not None:
            instruction = replace(instruction, flags={**instruction.flags, "from": self._copied(source, instruction)})
        if instruction.keyword in _LISTS and (listed := json_form(instruction)) is not None:
            return replace(instruction, rest=json.dumps(listed, ensure_ascii=False))
        if instruction.keyword == "HEALTHCHECK":
            kind, rest = health(instruction)
            listed = json_form(instruction, rest)
            rest = rest if listed is None else json.dumps(listed, ensure_ascii=False)
            return replace(instruction, rest=f"{kind} {rest}".rstrip())
        return instruction

    def _copied(self, source: str, instruction: Instruction) -> str:
        if source.lower() in self._aliases:
            return source.lower()
        if _INDEX.fullmatch(source) and int(source) < len(self.stages):
            return str(int(source))
        if "$" in source:
            raise DockerfileError("--from takes the name of a stage or image, without variables", instruction)
        return str(self._image(source, source, instruction))
