"""Reads a single task for Codabench, `task.yaml` and its zips, which can be uploaded there without a challenge.

Palio has no place for a task without a challenge, so `palio check` only says whether it is sound, and what it needs.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from palio.core.bundle.contents import contents_of, is_zip
from palio.core.bundle.model import Problem
from palio.core.bundle.paths import Paths
from palio.core.bundle.phases import MAX_NAME
from palio.core.bundle.program import read_program
from palio.core.bundle.read import NAME, TASK_NAME
from palio.core.bundle.readers import boolean, scalar, text, text_up_to
from palio.core.bundle.values import Findings, Refused, Section, Value
from palio.core.bundle.wording import quoted
from palio.core.bundle.yaml_source import read_yaml
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile

PARTS = ("scoring_program", "ingestion_program", "input_data", "reference_data")
_KEY = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class TaskFile:
    """A task by its name, and its problems in file order."""

    name: str
    problems: tuple[Problem, ...]


def has_only_a_task(folder: Path) -> bool:
    """Whether a folder is a task for Codabench, and not a challenge."""
    return (folder / TASK_NAME).is_file() and not (folder / NAME).exists()


def read_task_file(folder: Path) -> TaskFile:
    """Raises PalioError "source-unreadable"."""
    findings = Findings(TASK_NAME)
    document = read_yaml(folder / TASK_NAME, findings)
    if document is None:
        return TaskFile("", findings.all)
    top = document.section()
    if not isinstance(document.content, dict):  # reported already
        return TaskFile("", findings.all)
    name = top.require("name", text_up_to(MAX_NAME), "", "give the task a name")
    top.require("description", text, "", "say in a sentence what the task is, which Codabench requires")
    top.read("is_public", boolean, False)
    top.read("ingestion_only_during_scoring", boolean, False)
    if top.take("scoring_program") is None:
        top.missing("scoring_program", "name its zip, as in `scoring_program: {zip: scoring_program.zip}`")
    for part in PARTS:
        _part(top, part, Paths(folder.resolve()))
    top.finish()
    return TaskFile(name, findings.all)


def _part(top: Section, part: str, paths: Paths) -> None:
    """A program or data of the task, which is either a zip next to task.yaml or the key of a dataset on Codabench."""
    value = top.take(part)
    if value is None:
        return
    if not isinstance(value.content, dict):
        value.error(f"{value.found}; write `{part}: {{zip: {part}.zip}}`, or `key:` with the key of a dataset there")
        return
    section = top.adopt(value)
    key, zip_ = section.read("key", _dataset_key, None), section.take("zip")
    if section.take("key") and zip_:
        value.error("has both `key` and `zip`; keep one of them")
    elif not section.take("key") and zip_ is None:
        value.error("names neither a `zip` nor a `key`; write the name of a zip next to task.yaml")
    elif key:
        value.warn(f"is the dataset {quoted(key)} on Codabench, which Palio cannot read; it needs that file")
    elif section.read("zip", paths.file, None) is not None:
        section.read("zip", lambda written: _zip(written, part, paths), None)


def _dataset_key(value: Value) -> str:
    written = scalar(value, "write the key of a dataset")
    if not _KEY.fullmatch(written):
        raise Refused(f"{value.found}, which is no key of a dataset; copy the key from the page of your datasets")
    return written


def _zip(value: Value, part: str, paths: Paths) -> None:
    path = paths.file(value)
    if not is_zip(path):
        raise Refused(f"names the file {quoted(path.name)}; name a .zip")
    try:
        if not contents_of(path).names:
            raise Refused(f"names {quoted(path.name)}, which is empty; zip the files themselves")
    except UnfitFile as fault:
        raise Refused(f"names {quoted(path.name)}, but {fault}") from None
    if part.endswith("_program"):
        try:
            read_program(path)
        except PalioError as error:
            raise Refused(
                f"{error.failure.message.rstrip('.')}; {_lower(error.failure.next_step)}".rstrip(".")
            ) from None


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
