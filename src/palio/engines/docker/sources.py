"""What a Dockerfile may take from beyond its own folder: images by their names, and nothing else.

Covered, before the engine sees the file: FROM and COPY --from of an image's id or its beginning, and of images that
Palio makes, which are other people's, in triggers too; ADD of anything that the engine itself would fetch, past every
limit on the build's network; and writings that the engine could read in another way than it is read here.
Not covered: triggers that a base image brings along, which build.py stops; and images that the operator has on the
engine under other names: whoever may build there may start from them.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from palio.core.dockerfile import DockerfileError, Instruction, json_form, parse, words

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]+")
_OWN_IMAGE = re.compile(r"((index\.)?docker\.io/)?(library/)?palio-[^/]*")
_STAGE_NUMBER = re.compile(r"[0-9]{1,3}")
_ESCAPE_DIRECTIVE = re.compile(r"\s*#\s*escape\s*=(?!\s*\\\s*$)", re.IGNORECASE)
_ODD = re.compile(r"[^\S \t\n]|[\x00-\x08\x0e-\x1f\x7f]")  # white space that one reader may take for a line's end


def check_sources(text: str, arguments: Mapping[str, str]) -> None:
    """Raises DockerfileError for the first instruction that takes what it may not. `arguments` are the build's."""
    _refuse_ambiguous(text)
    variables: dict[str, str] = {}  # those that FROM knows: declared before the first one
    stages: set[str] = set()
    for instruction in parse(text):
        match instruction.keyword:
            case "ARG" if not stages:
                for word in words(instruction, variables):
                    name, _, default = word.partition("=")
                    variables[name] = arguments.get(name, default)
            case "FROM":
                base, *alias = words(instruction, variables) or [""]
                if base.lower() not in stages:
                    _check_image(base, instruction)
                stages.add(alias[1].lower() if len(alias) == 2 else f"stage {len(stages)}")
            case "ONBUILD":
                for trigger in parse(instruction.rest):
                    _check_copied(replace(trigger, line=instruction.line), stages)
            case _:
                _check_copied(instruction, stages)


def _refuse_ambiguous(text: str) -> None:
    for number, line in enumerate(text.replace("\r\n", "\n").removeprefix("\ufeff").split("\n"), start=1):
        if _ODD.search(line):
            raise DockerfileError(f"line {number} holds a character that is neither text nor a plain space")
        if _ESCAPE_DIRECTIVE.match(line):
            raise DockerfileError(f"line {number} chooses another escape character, and only \\ is taken here")


def _check_copied(instruction: Instruction, stages: set[str]) -> None:
    if instruction.keyword not in ("ADD", "COPY"):
        return
    if instruction.rest.startswith("--"):
        raise DockerfileError("its flags cannot be read", instruction)
    source = instruction.flags.get("from")
    if source is not None and source.lower() not in stages and not _STAGE_NUMBER.fullmatch(source):
        _check_image(source, instruction)
    if instruction.keyword == "ADD":
        _check_added(instruction)


def _check_image(name: str, instruction: Instruction) -> None:
    if not _PLAIN_NAME.fullmatch(name):
        raise DockerfileError(f"`{name}` is not an image's name", instruction)
    if _OWN_IMAGE.fullmatch(name):
        raise DockerfileError("the images of other submissions are not given out", instruction)
    if _IMAGE_ID.fullmatch(name):
        raise DockerfileError("an image's name is needed here, as ids may be those of other submissions", instruction)


def _check_added(instruction: Instruction) -> None:
    for word in json_form(instruction.rest) or instruction.rest.split():
        if "://" in word or word.startswith("git@"):
            raise DockerfileError("the engine fetches nothing for a build; put the file into the zip", instruction)
        if any(character in word for character in "$\"'\\"):
            raise DockerfileError("ADD takes files by their plain names only; COPY takes variables too", instruction)
