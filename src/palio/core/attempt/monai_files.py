"""Gives the files that a MONAI bundle writes for single cases the names that the scoring program reads.

MONAI's savers derive names from inputs: `SaveImaged` writes `a1b2/a1b2_trans.nii.gz` for `/mnt/in/a1b2.nii.gz`. An
output belongs to the input whose name it begins with. The case is the input's folder. If it is in none, it is the part
of the name that `palio.blind` takes for the case (`p07` of `p07_flair.nii.gz`), else the name without suffixes. Files
with other suffixes, and those that belong to no case or to several, stay where they are.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from palio.core.attempt.restore import move_files
from palio.core.bundle.case_names import CasesUnclearError, Hidden, name_parts
from palio.core.bundle.model import BlindPolicy, MonaiPolicy
from palio.core.bundle.suffixes import Suffixes
from palio.core.errors import PalioError

_SHOWN = 5
_ANY = BlindPolicy("*", ())


def name_files(predictions: Path, inputs: Path, policy: MonaiPolicy, blind: BlindPolicy | None = None) -> None:
    """Moves the files in `predictions` to the policy's paths. `inputs` is the folder that the bundle read, named by
    `blind`.

    Raises PalioError "monai-output-unfit" if a case has several files.
    """
    if policy.files is None:
        return
    moved = dict(_moves(predictions, list(_cases(inputs, blind or _ANY)), policy.files))
    times = Counter(moved.values())
    several = [path for path, target in moved.items() if times[target] > 1]
    taken = [path for path, target in moved.items() if _is_taken(predictions, target, moved)]
    if wrong := several or taken:
        reason = "it wrote several files for a case" if several else "it wrote another file to that place"
        raise PalioError(
            "monai-output-unfit", stage="predict", file=moved[wrong[0]], reason=reason, evidence=wrong[:_SHOWN]
        )
    move_files(predictions, moved)


def _is_taken(predictions: Path, target: str, moved: Mapping[str, str]) -> bool:
    """Whether something that stays is at a path, or a file where it needs a folder."""
    above = [str(parent) for parent in PurePosixPath(target).parents]
    files = [path for path in above if path not in moved and (predictions / path).is_file()]
    return bool(files) or (target not in moved and (predictions / target).exists())


def _cases(inputs: Path, blind: BlindPolicy) -> Iterator[tuple[str, str]]:
    """The name of each input without suffixes, and its case; also the case itself, with which an output may begin."""
    paths = [path.relative_to(inputs) for path in inputs.rglob("*") if path.is_file()]
    suffixes = Suffixes(path.name for path in paths)
    beside = _beside([path.name for path in paths if len(path.parts) == 1], blind)
    for path in paths:
        stem = suffixes.split(path.name)[0]
        case = path.parts[0] if len(path.parts) > 1 else beside.get(path.name, stem)
        yield stem, case
        if len(path.parts) == 1:
            yield case, case


def _beside(names: list[str], blind: BlindPolicy) -> dict[str, str]:
    """The cases of the files that are in no folder, as far as their names tell."""
    try:
        parts = name_parts(names, blind, lambda *_: b"")
    except CasesUnclearError:
        return {}
    hidden = {name: [part for part in own if isinstance(part, Hidden)] for name, own in parts.items()}
    return {name: own[0].text for name, own in hidden.items() if len(own) == 1}


def _moves(predictions: Path, cases: list[tuple[str, str]], pattern: str) -> Iterator[tuple[str, str]]:
    """Each file that has to move, and where."""
    suffix = PurePosixPath(pattern).name.partition(".")[2]
    by_start: dict[str, set[str]] = {}
    for stem, case in cases:
        by_start.setdefault(stem, set()).add(case)
    for path in sorted(predictions.rglob("*")):
        if not path.is_file() or (suffix and not path.name.endswith(f".{suffix}")):
            continue
        relative = path.relative_to(predictions)
        found = _case(relative, by_start)
        target = pattern.replace("{case}", found) if found else None
        if target and target != relative.as_posix():
            yield relative.as_posix(), target


def _case(output: Path, by_start: dict[str, set[str]]) -> str | None:
    """The only case whose input's name the output's begins with, or that the output's folders name."""
    name = output.name
    ends = [end for end in range(len(name), 0, -1) if end == len(name) or not name[end].isalnum()]
    found = next((by_start[name[:end]] for end in ends if name[:end] in by_start), set())
    named = found.intersection(output.parts[:-1]) or found
    return next(iter(named)) if len(named) == 1 else None
