"""Decides what kind of submission a zip is: by its files and by the kinds that a phase takes.

Each kind has a rule that says why a zip is not of it. The first kind in ORDER that the phase takes and that no reason
rules out is the kind. Where predictions or code are all that the phase takes, any files can be that, unless the zip is
plainly another kind.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import PurePosixPath

from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.file_name import DOCKERFILE, find_dockerfile
from palio.core.errors import PalioError
from palio.core.submission.monai.bundle import METADATA as MONAI_METADATA

ORDER = (SubmissionKind.CONTEXT, SubmissionKind.MONAI, SubmissionKind.CODE, SubmissionKind.RESULTS)
CODE_METADATA = ("metadata.yaml", "metadata")
_PROGRAMS = frozenset(
    {".py", ".pyc", ".ipynb", ".whl", ".sh", ".r", ".jl", ".m", ".java", ".jar"}
    | {".c", ".cpp", ".rs", ".go", ".js", ".so"}
)
_WEIGHTS = frozenset({".pth", ".pt", ".onnx", ".safetensors", ".ckpt", ".keras", ".tflite"})


def kind_of_zip(
    name: str, files: Sequence[str], accepted: Collection[SubmissionKind], *, has_command: bool = False
) -> SubmissionKind:
    """The kind of a zip of `files`, which may be one that is not accepted if it is plainly that.

    `has_command`: its CODE_METADATA has a command. Platforms write a file of that name into predictions too.

    Raises PalioError "dockerfile-missing" or "submission-fits-none", which says for each accepted kind why.
    """
    against = {kind: _RULES[kind](files) for kind in ORDER if kind in accepted}
    if has_command and SubmissionKind.CODE in against:
        against[SubmissionKind.CODE] = None
    for kind, reason in against.items():
        if reason is None:
            return kind
    if DOCKERFILE in files:
        return SubmissionKind.CONTEXT
    if MONAI_METADATA in files:
        return SubmissionKind.MONAI
    match list(against):
        case [SubmissionKind.CONTEXT]:
            raise dockerfile_missing(name, files)
        case [SubmissionKind.CODE | SubmissionKind.RESULTS as only]:
            return only
    if SubmissionKind.IMAGE in accepted:
        against[SubmissionKind.IMAGE] = "it is a zip, not a .tar or .tar.gz from `docker save`"
    allowed = ", ".join(f"`{kind}`" for kind in against)
    evidence = [f"{kind}: {reason}" for kind, reason in against.items()]
    raise PalioError("submission-fits-none", name=name, allowed=allowed, evidence=evidence)


def dockerfile_missing(name: str, files: Sequence[str]) -> PalioError:
    hint = _no_dockerfile(files)
    return PalioError("dockerfile-missing", name=name, hint="" if hint == _NO_DOCKERFILE else f"In this zip, {hint}.")


def is_program(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in _PROGRAMS


_NO_DOCKERFILE = "it has no Dockerfile at its root"


def _no_dockerfile(files: Sequence[str]) -> str | None:
    if find_dockerfile(files):
        return None
    if several := [file for file in files if "/" not in file and find_dockerfile([file])]:
        return f"{' and '.join(sorted(several))} could be the Dockerfile; rename one of them"
    deeper = [file for file in files if find_dockerfile([PurePosixPath(file).name])]
    return f"{deeper[0]} is not at its root" if deeper else _NO_DOCKERFILE


def _no_monai_bundle(files: Sequence[str]) -> str | None:
    return None if MONAI_METADATA in files else f"it has no {MONAI_METADATA}"


def _no_code(files: Sequence[str]) -> str | None:
    if any(is_program(file) or _is_weights(file) for file in files):
        return None
    return "it has no program, such as a .py file, and no metadata.yaml with a command"


def _no_results(files: Sequence[str]) -> str | None:
    if find_dockerfile(files):
        return "it has a Dockerfile"
    for file in files:
        if is_program(file):
            return f"{file} is a program, not a prediction"
        if _is_weights(file):
            return f"{file} is a model, not a prediction"
    return None


def _is_weights(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in _WEIGHTS


_RULES: dict[SubmissionKind, Callable[[Sequence[str]], str | None]] = {
    SubmissionKind.CONTEXT: _no_dockerfile,
    SubmissionKind.MONAI: _no_monai_bundle,
    SubmissionKind.CODE: _no_code,
    SubmissionKind.RESULTS: _no_results,
}
