"""Reads how a program of a bundle (scoring, ingestion) is started.

`metadata.yaml` or `metadata` in its folder has `command: python $program/score.py $input $output`. No shell is
involved: quotes group words; `&&`, `*` and variables other than those below are passed on unchanged. A folder with a
Dockerfile may leave the command to the image. Both platforms read these files as YAML, and so does this module; only
CodaLab 1.5 takes a list of commands, of which a single one can run here.
"""

import shlex
from dataclasses import dataclass
from pathlib import Path

from palio.core.bundle.contents import Contents, contents_of, is_zip
from palio.core.bundle.readers import text
from palio.core.bundle.values import Findings, Refused, Value
from palio.core.bundle.yaml_source import MAX_BYTES, parse_bytes
from palio.core.dockerfile.read import MOST_BYTES, DockerfileError, decoded, parse
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile
from palio.core.plain_words import PlainWord, UnfitWordError

METADATA = ("metadata.yaml", "metadata")  # the first one found is used
_TEXT_METADATA = "metadata.txt"  # as some editors save it
DOCKERFILE = "Dockerfile"
_MOST_COMMAND = 4096  # characters


@dataclass(frozen=True)
class Program:
    """How a program starts. `command` is split into words; None means that the image has its own command."""

    command: tuple[str, ...] | None
    has_dockerfile: bool


def read_program(path: Path, within: Path | None = None) -> Program:
    """Reads the program in a folder or zip. Links are followed to what is `within` a folder above.

    Raises PalioError("program-command-missing") with the reason.
    """
    try:
        contents = program_contents(path, within)
        command, reason = _command(contents)
        has_dockerfile = DOCKERFILE in contents.names
        image_starts = command is None and has_dockerfile and _starts(contents.head(DOCKERFILE, MOST_BYTES + 1))
    except DockerfileError as fault:
        where = f"its Dockerfile, {fault.where}" if fault.instruction else "its Dockerfile"
        raise PalioError("program-command-missing", program=path.name, reason=f"{where}: {fault.reason}") from None
    except UnfitFile as fault:
        raise PalioError("program-command-missing", program=path.name, reason=fault) from None
    except OSError as error:
        raise PalioError("source-unreadable", path=path, reason=error.strerror or error) from error
    if command is None and not image_starts:
        if has_dockerfile:
            reason += ", and its Dockerfile has neither CMD nor ENTRYPOINT"
        raise PalioError("program-command-missing", program=path.name, reason=reason)
    return Program(command, has_dockerfile)


def own_command(submission: Path, *, is_needed: bool) -> tuple[str, ...] | None:
    """The command in the metadata of a code submission, an unpacked folder; None if it has none.

    The file may be any text if no command `is_needed`: on CodaLab, its presence says that the zip is code. Raises
    PalioError("code-command-invalid").
    """
    contents = contents_of(submission)
    name = next((name for name in METADATA if name in contents.names), None)
    if name is None:
        return None
    findings = Findings(name)
    document = parse_bytes(contents.head(name, MAX_BYTES + 1), findings)
    is_mapping = document is not None and isinstance(document.content, dict)
    if not is_mapping and not is_needed:
        return None
    command = document.section().read("command", _split, None) if document else None
    if problems := [problem for problem in findings.errors if problem.field == "command" or not is_mapping]:
        raise PalioError("code-command-invalid", reason="; ".join(map(str, problems)))
    return command


def program_contents(path: Path, within: Path | None = None) -> Contents:
    """Like `contents_of`, but without the extra top folder of a zip, which is removed from programs."""
    contents = contents_of(path, within)
    top, slash, _ = contents.names[0].partition("/") if contents.names else ("", "", "")
    prefix = top + slash
    if not is_zip(path) or not slash or not all(name.startswith(prefix) for name in contents.names):
        return contents
    names = tuple(name.removeprefix(prefix) for name in contents.names)
    return Contents(names, lambda name, size_bytes: contents.head(prefix + name, size_bytes), contents.changes)


def _starts(dockerfile: bytes) -> bool:
    """Whether a Dockerfile sets a command or entry point."""
    return any(instruction.keyword in ("CMD", "ENTRYPOINT") for instruction in parse(decoded(dockerfile)))


def with_container_paths(command: tuple[str, ...], *, ingestion: bool, scoring: bool) -> tuple[str, ...]:
    """Replaces `$input` and similar words in the command by the paths of the /app layout.

    `ingestion`: it is the ingestion program's command. `scoring`: it runs in the scoring stage. Replacement is textual
    and in a fixed order, so that `$input_data` becomes `/app/input_data`, as old programs expect.
    """
    paths = {
        "$input": "/app/input_data" if ingestion else "/app/input",
        "$output": "/app/output",
        "$program": "/app/program",
        "$ingestion_program": "/app/program",
        "$hidden": "/app/input/ref",
        "$shared": "/app/shared",
        "$submission_program": "/app/ingested_program",
        "$tmp": "/app/output",
        "$predictions": "/app/input/res" if scoring else "/app/output",
    }
    replaced = []
    for word in command:
        for name, path in paths.items():
            word = word.replace(name, path)
        replaced.append(word)
    return tuple(replaced)


def _command(contents: Contents) -> tuple[tuple[str, ...] | None, str]:
    """Returns the command, or None and the reason."""
    name = next((name for name in METADATA if name in contents.names), None)
    if name is None:
        deeper = [file for file in contents.names if file.rpartition("/")[2] in METADATA]
        found = f" at its top level, only {deeper[0]}" if deeper else ""
        if _TEXT_METADATA in contents.names:
            found = f", only {_TEXT_METADATA}; rename it to {METADATA[1]}"
        return None, f"it has no {' or '.join(METADATA)}{found}"
    findings = Findings(name)
    document = parse_bytes(contents.head(name, MAX_BYTES + 1), findings)
    advice = "write the command that starts it"
    command = None if document is None else document.section().require("command", _split, None, advice)
    return command, "; ".join(str(problem) for problem in findings.errors)


def _split(value: Value) -> tuple[str, ...]:
    if isinstance(value.content, tuple) and len(value.content) > 1:
        raise Refused(f"is a list of {len(value.content)} commands; write one, such as a script that runs the others")
    written = text(value.content[0] if isinstance(value.content, tuple) and value.content else value)
    if len(written) > _MOST_COMMAND:
        raise Refused(f"has {len(written):,} characters; at most {_MOST_COMMAND:,} are allowed")
    try:
        words = tuple(PlainWord(word) for word in shlex.split(written))
    except UnfitWordError as error:
        raise Refused(f"cannot be used, because {error.reason}") from None
    except ValueError as error:
        raise Refused(f"cannot be split into words ({error}); check its quotes") from None
    if not words or not words[0]:
        raise Refused(f"{value.found}, which names no program; write the program to start")
    return words
