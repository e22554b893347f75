"""What was recognized in a submission, for the person who submits it: base image, entry point, size."""

import json

from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.file_name import find_dockerfile
from palio.core.dockerfile.read import MOST_BYTES, DockerfileError, decoded
from palio.core.dockerfile.resolve import resolve
from palio.core.errors import counted
from palio.core.files.archive import open_archive
from palio.core.quantities import size_text
from palio.core.submission.kinds import SubmissionFile
from palio.core.submission.reference import Reference, read_reference

_STARTS = ("ENTRYPOINT", "CMD")
_SHOWN = 200


def recognized(submission: SubmissionFile) -> list[tuple[str, str]]:
    """Names and facts, in order. Only what is read at once; an image's own facts are known when it is loaded."""
    if submission.kind is SubmissionKind.REFERENCE:
        return _of_reference(read_reference(submission.path, submission.name))
    if submission.kind is SubmissionKind.IMAGE:
        return []
    if not submission.name.lower().endswith(".zip"):
        return []
    with open_archive(submission.path, submission.name, inner=True) as archive:
        files = [member for member in archive.members if not member.is_folder]
        size = sum(member.entry.file_size for member in files)
        facts = [("contents", f"{counted(len(files), 'file')}, {size_text(size)} unpacked")]
        found = find_dockerfile(archive.files) if submission.kind is SubmissionKind.CONTEXT else None
        if found is not None:
            dockerfile = next(member for member in files if member.name == found.name)
            facts += _of_dockerfile(archive.head(dockerfile, MOST_BYTES + 1))
    return facts


def _of_reference(reference: Reference) -> list[tuple[str, str]]:
    tag = [("tag", reference.tag)] if reference.tag else []
    return [
        ("image", reference.name),
        *tag,
        ("platform", reference.platform),
        ("size", f"{size_text(reference.size_bytes)} compressed"),
        ("runs", _short(json.dumps(list(reference.command), ensure_ascii=False))),
    ]


def _of_dockerfile(content: bytes) -> list[tuple[str, str]]:
    try:
        resolved = resolve(decoded(content), {})
    except DockerfileError:
        return []  # is reported as such
    starts: dict[str, str] = {}
    for instruction in resolved.instructions:
        if instruction.keyword == "FROM":
            starts.clear()
        elif instruction.keyword in _STARTS:
            starts[instruction.keyword] = _short(instruction.text())
    runs = " ".join(starts[keyword] for keyword in _STARTS if keyword in starts)
    return [("base image", str(resolved.base or "scratch")), ("runs", runs or "what its base image runs")]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
