"""What was computed for a leaderboard, kept so that a new submission costs only what is new about it.

Pairs are tested and cases redrawn once. A submission that enters is tested against each of the others and gets the same
redraws; one that leaves takes its pairs along. The numbers are those of computing everything again: a test asserts it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palio.core.statistics.cases import Answers, Compared, SingleCases, Values, compared, joined
from palio.core.statistics.methods import Method
from palio.core.statistics.ranks import changed_number_better, number_better, redrawn_scores
from palio.core.statistics.summary import PairTable, RankStatistics, Redraws, pair_table, standing

_HEAD_BYTES = 1_000_000
VERSION = 1  # of the file, and of how its numbers are computed


@dataclass(frozen=True, eq=False)
class Kept:
    """Of submissions known by `labels`, in any order. `way` says how the numbers were computed (`Method.way`)."""

    settings: str
    way: str
    labels: tuple[str, ...]
    tasks: tuple[Compared, ...]
    table: PairTable
    redraws: Redraws

    def statistics(
        self, scores: Sequence[float], known: Sequence[int], method: Method, *, descending: bool
    ) -> RankStatistics:
        """Of a leaderboard, best first, on which these submissions have the places `known`."""
        return standing(scores, known, self.tasks, method, self.table, self.redraws, descending=descending)


def updated(
    before: Kept | None,
    labels: Sequence[str],
    read: Callable[[Sequence[str]], Sequence[Sequence[SingleCases]]],
    method: Method,
    settings: str,
    *,
    descending: bool,
) -> Kept:
    """The same for these submissions, in this order. `read` gives the cases of those that are new, for each task.

    `settings` names everything else on which the numbers depend: with another one, `before` is not used. Raises
    ValueError with a clause if submissions were scored on different cases, or cannot be compared.
    """
    wanted = {*labels}
    if before is not None and before.settings != settings:
        before = None
    stay = [place for place, label in enumerate(before.labels) if label in wanted] if before else []
    old = [before.labels[place] for place in stay] if before else []
    known = {*old}
    new = [label for label in labels if label not in known]
    tasks = tuple(task.chosen(stay) for task in before.tasks) if before and stay else ()
    if new:
        entering = [compared(of_task) for of_task in zip(*read(new), strict=True)]
        tasks = tuple(joined(tasks, entering) if tasks else entering)
    way, order = method.way(tasks, len(labels)), [*old, *new]
    same_way = before is not None and before.way == way
    if before is None or not same_way or len(new) > len(old):
        table, redraws = pair_table(tasks, method), Redraws.of(tasks, method, descending=descending)
    else:
        table = pair_table(tasks, method, before.table.chosen(stay))
        redraws = _entered(before.redraws, stay, tasks, method, len(new), descending=descending)
    place = {label: at for at, label in enumerate(order)}
    places = [place[label] for label in labels]
    if places != [*range(len(labels))]:
        tasks, table = tuple(task.chosen(places) for task in tasks), table.chosen(places)
        redraws = Redraws(redraws.scores[places], redraws.better[places])
    return Kept(settings, way, tuple(labels), tasks, table, redraws)


def _entered(
    before: Redraws, stay: Sequence[int], tasks: Sequence[Compared], method: Method, new: int, *, descending: bool
) -> Redraws:
    """The redraws after some submissions have left and the last `new` have entered."""
    gone = sorted({*range(len(before.scores))}.difference(stay))
    total = len(stay) + new
    added = np.empty((0, before.scores.shape[1]))
    if new:
        entering = [task.chosen(range(total - new, total)) for task in tasks]
        added = redrawn_scores(entering, method, before.scores.shape[1], submissions=total)
    scores, better = (before.scores[[*stay]], before.better[[*stay]]) if gone else (before.scores, before.better)
    if len(gone) > len(stay):
        scores = np.concatenate([scores, added])
        return Redraws(scores, number_better(scores, descending=descending))
    better = changed_number_better(scores, better, before.scores[gone], added, descending=descending)
    return Redraws(np.concatenate([scores, added]), better)


# -- the file


def save(kept: Kept, path: Path) -> None:
    """Replaces the file as a whole."""
    of_tasks: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {
        "p_values": kept.table.p_values,
        "scores": kept.redraws.scores,
        "better": kept.redraws.better,
    }
    if kept.table.only is not None:
        arrays["only"] = kept.table.only
    for number, task in enumerate(kept.tasks):
        if isinstance(task, Answers):
            of_tasks.append({"classes": task.classes, "digest": task.digest})
            small = np.min_scalar_type(len(task.classes))
            arrays |= {f"truth{number}": task.truth.astype(small), f"said{number}": task.predictions.astype(small)}
        else:
            traits = {"has_groups": task.has_groups, "has_classes": task.has_classes}
            of_tasks.append({"labels": task.labels, "digest": task.digest, **traits})
            arrays |= {f"values{number}": task.values, f"units{number}": task.units}
    head = {"version": VERSION, "settings": kept.settings, "way": kept.way, "labels": kept.labels, "tasks": of_tasks}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(json.dumps(head | {"arrays": [*arrays]}).encode() + b"\n")
        for array in arrays.values():
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    part.replace(path)


def load(path: Path) -> Kept | None:
    """None without the file, or if it is damaged or of another version: everything is then computed again."""
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline(_HEAD_BYTES))
            if head["version"] != VERSION:
                return None
            arrays = {name: np.lib.format.read_array(file, allow_pickle=False) for name in head["arrays"]}
        tasks = [_task(arrays, number, of) for number, of in enumerate(head["tasks"])]
        table = PairTable(arrays["p_values"], arrays.get("only"))
        redraws = Redraws(arrays["scores"], arrays["better"])
        return Kept(head["settings"], head["way"], tuple(head["labels"]), tuple(tasks), table, redraws)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None


def _task(arrays: dict[str, Any], number: int, of: dict[str, Any]) -> Compared:
    if "classes" in of:
        truth, said = (arrays[f"{name}{number}"].astype(np.intp) for name in ("truth", "said"))
        return Answers(tuple(of["classes"]), truth, said, of["digest"])
    values, units = arrays[f"values{number}"], arrays[f"units{number}"]
    return Values(tuple(of["labels"]), values, units, of["has_groups"], of["has_classes"], of["digest"])
