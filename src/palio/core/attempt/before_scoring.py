"""What an ingestion program leaves for the scoring program that its task wants to run beside it.

    input/res   the predictions; on Codabench both programs see the submission there
    shared      /app/shared
    output      /app/output, which both share

The first is the folder of predictions; the others are folders in it, so that a re-score has them, too. The scoring
program finds each where it expects it.

Covered: the files from which Palio reads scores, problems and reports never come from the ingestion program, with which
the submission runs. Not covered: what else a scoring program makes of files in its own output folder.
"""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from glob import escape as glob_escape
from pathlib import Path

from palio.core.attempt.jobs import SCORES, SHARED, Attempt
from palio.core.attempt.prepared import Prepared
from palio.core.attempt.progress import clear
from palio.core.attempt.verdicts import PROBLEMS_FILE
from palio.core.engine import Collected, Mount
from palio.core.files.tree import copy_tree

_PREDICTIONS = "input/res"
_LEFT = {"output": SCORES, "shared": SHARED}
_IN_PREDICTIONS = "palio-{}"  # how the folders are called among the predictions


def take_all_output(collected: Collected, folder: Path) -> Collected:
    """Arranges what was collected from /app in `folder`, and returns what counts of it."""
    app = folder.with_name(f"{folder.name}-app")
    clear(app)
    folder.rename(app)
    found = app / _PREDICTIONS
    if found.is_dir():
        found.rename(folder)
    else:
        folder.mkdir()
    for name in _LEFT:
        if (app / name).is_dir() and any((app / name).iterdir()):
            (app / name).rename(folder / _IN_PREDICTIONS.format(name))
    shutil.rmtree(app)
    kept = (f"{_PREDICTIONS}/", *(f"{name}/" for name in _LEFT))
    files = tuple(file for file in collected.files if file.startswith(kept))
    return replace(collected, files=files, refused=tuple(_counting(collected.refused)))


def left_for_scoring(
    label: str, predictions: Path, prepared: Prepared, *, attempt: Attempt, scores: Sequence[str]
) -> tuple[Path, list[Mount]]:
    """The predictions as the scoring program sees them, and what else it gets. `label` tells stages and tasks apart.
    `scores` are the files with scores.
    """
    statistics = attempt.phase.rules.statistics
    read = [*scores, PROBLEMS_FILE, *([glob_escape(statistics.cases)] if statistics else []), "*.htm", "*.html"]
    mounts = []
    for name, target in _LEFT.items():
        source = predictions / _IN_PREDICTIONS.format(name)
        if source.is_dir():
            mounts.append(Mount(prepared.made(f"{label}-{name}", partial(_copy_without, read, source)), target))
        elif name == "shared":
            mounts.append(Mount(prepared.made(f"{label}-nothing", Path), target))
    apart = [_IN_PREDICTIONS.format(name) for name in _LEFT]
    if any((predictions / name).is_dir() for name in apart):
        predictions = prepared.made(f"{label}-predictions", partial(_copy_without, apart, predictions))
    return predictions, mounts


def _copy_without(left_out: Iterable[str], source: Path, half: Path) -> None:
    """`left_out` are patterns of names at the top."""
    copy_tree(source, half, executable=False)
    for path in [path for pattern in left_out for path in half.glob(pattern)]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _counting(refused: tuple[str, ...]) -> Iterator[str]:
    """The refusals that are not of the ingestion program's own folder."""
    return (reason for reason in refused if not reason.startswith("program/"))
