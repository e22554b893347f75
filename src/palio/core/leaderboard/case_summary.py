"""What the single cases behind a submission's score say, small enough to store. Imports numpy.

classification   the confusion matrix with counts, and each class with its recall and Wilson interval
other kinds      the distribution of the values of single cases
groups           the score of the primary column within each value of a column of GROUPS, and within each class
worst            the worst cases, by their number in the order of their names: only organizers may see these
"""

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.files.log import harmless
from palio.core.files.untrusted import UnreadableFileError, read_untrusted
from palio.core.leaderboard.run_cases import checked_cases
from palio.core.statistics.cases import LIMIT_BYTES, Cases, Measurements, SingleCases
from palio.core.statistics.intervals import wilson_interval
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import Floats
from palio.core.statistics.summary import score_interval, score_value

GROUPS = ("site", "center", "scanner", "sex", "age_group")  # columns of the file that divide its cases
CLASS = "class"  # divides the cases of a classification by their true class
WORST = 20
MOST_CLASSES = 30  # with more, there is no matrix
MOST_GROUPS = 12  # different values of one column
FEWEST_CASES = 10  # in a group, so that a score of it says something and nobody can be recognized
_BINS = 20
_TEXT = 80  # characters of a name


def summarize(
    run_folder: Path,
    policy: StatisticsPolicy,
    primary: Column,
    scores: Mapping[str, float],
    tasks: Sequence[int] = (),
) -> dict[str, Any]:
    """JSON with kind, cases, interval (of the primary score), matrix and classes, or values, groups and worst.

    Only `reason`, a clause, if the cases cannot be used.
    `tasks` are the indexes of the phase's tasks if it has several; their cases are then taken together.
    """
    cases, reasons = checked_cases(run_folder, policy, [primary], primary, scores, tasks)
    if cases is None or reasons or primary.key not in scores:
        return {"reason": next(iter(reasons.values()), "there is no score in the primary column")}
    classified = [each for each in cases if isinstance(each, Cases)]
    if classified:
        found = _of_classes(classified)
    else:
        found = _of_values([each for each in cases if isinstance(each, Measurements)], policy, primary)
    groups = {} if tasks else _groups(run_folder, policy, primary, cases[0])
    interval = None
    with suppress(ValueError):
        ends = score_interval(cases, method(policy.kind, policy.metric_of(primary, primary) or ""))
        interval = [ends.low, ends.high]
    count = sum(len(each.files) for each in cases)
    return {"kind": policy.kind, "cases": count, "interval": interval, **found, "groups": groups}


def _of_classes(tasks: Sequence[Cases]) -> dict[str, Any]:
    truths = [truth for task in tasks for truth in task.truths]
    said = [prediction for task in tasks for prediction in task.predictions]
    classes, known = sorted({*truths}), {*truths}
    of_class = []
    for name in classes:
        count = truths.count(name)
        right = sum(truth == name == prediction for truth, prediction in zip(truths, said, strict=True))
        interval = wilson_interval(right, count)
        predicted = said.count(name)
        of_class.append(
            {
                "name": _shown(name),
                "cases": count,
                "right": right,
                "predicted": predicted,
                "low": interval.low,
                "high": interval.high,
            }
        )
    wrong = [place for place, (truth, prediction) in enumerate(zip(truths, said, strict=True)) if truth != prediction]
    worst = [
        {"number": place + 1, "truth": _shown(truths[place]), "prediction": _shown(said[place])}
        for place in wrong[:WORST]
    ]
    found: dict[str, Any] = {"classes": of_class, "worst": worst, "worst_of": len(wrong)}
    if len(classes) <= MOST_CLASSES:
        number = {name: place for place, name in enumerate(classes)}
        matrix = np.zeros((len(classes), len(classes) + 1), dtype=np.intp)
        for truth, prediction in zip(truths, said, strict=True):
            matrix[number[truth], number.get(prediction, len(classes))] += 1
        found["matrix"] = matrix.tolist()
        found["has_other"] = not known.issuperset(said)  # the last column: predictions that are no class
    return found


def _of_values(tasks: Sequence[Measurements], policy: StatisticsPolicy, primary: Column) -> dict[str, Any]:
    metric = WrittenMetric.parse(policy.metric_of(primary, primary) or "")
    values = np.concatenate([_per_case(task, policy.kind, metric) for task in tasks])
    is_higher_worse = policy.kind != "mean" or not primary.descending
    counts, edges = np.histogram(values, bins=min(_BINS, max(1, len(values) // 3)))
    order = np.argsort(-values if is_higher_worse else values, kind="stable")[:WORST]
    return {
        "of": metric.argument or "dice" if policy.kind == "mean" else "absolute error",
        "is_higher_worse": is_higher_worse,
        "quantiles": [float(each) for each in np.quantile(values, [0, 0.25, 0.5, 0.75, 1])],
        "counts": counts.tolist(),
        "edges": [float(edge) for edge in edges],
        "worst": [{"number": int(place) + 1, "value": float(values[place])} for place in order],
        "worst_of": len(values),
    }


def _per_case(task: Measurements, kind: str, metric: WrittenMetric) -> Floats:
    """A value for each case: the measure, or how far predictions are from the truth, as a mean over labels."""
    if kind == "mean":
        return np.asarray(task.values[:, task.labels.index(metric.argument or "")])
    labels = len(task.labels)
    return np.asarray(np.abs(task.values[:, labels:] - task.values[:, :labels]).mean(axis=1))


def _groups(run_folder: Path, policy: StatisticsPolicy, primary: Column, cases: SingleCases) -> dict[str, Any]:
    """By column and value: {cases, score, low, high}; ends are None where the cases do not tell them."""
    found: dict[str, Any] = {}
    for column, values in _group_columns(run_folder, policy, cases).items():
        names = sorted({*values} - {""})
        if not 1 < len(names) <= MOST_GROUPS:
            continue
        of_values = {}
        for name in names:
            places = [place for place, value in enumerate(values) if value == name]
            if len(places) >= FEWEST_CASES and (scored := _scored(policy, primary, _subset(cases, places))):
                of_values[_shown(name)] = scored
        if of_values:
            found[column] = of_values
    if isinstance(cases, Cases) and 1 < len({*cases.truths}) <= MOST_CLASSES:
        of_classes = {each["name"]: each for each in _of_classes([cases])["classes"]}
        found[CLASS] = {
            name: {
                "cases": each["cases"],
                "score": each["right"] / each["cases"],
                "low": each["low"],
                "high": each["high"],
            }
            for name, each in of_classes.items()
            if each["cases"] >= FEWEST_CASES
        }
    return {column: values for column, values in found.items() if values}


def _scored(policy: StatisticsPolicy, primary: Column, cases: SingleCases) -> dict[str, Any] | None:
    metric = method(policy.kind, policy.metric_of(primary, primary) or "")
    try:
        score = score_value([cases], metric)
    except ValueError:
        return None
    if not np.isfinite(score):
        return None
    try:
        interval = score_interval([cases], metric)
    except ValueError:
        return {"cases": len(cases.files), "score": score, "low": None, "high": None}
    return {"cases": len(cases.files), "score": score, "low": interval.low, "high": interval.high}


def _subset(cases: SingleCases, places: Sequence[int]) -> SingleCases:
    def of(texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(texts[place] for place in places)

    if isinstance(cases, Cases):
        return Cases(of(cases.files), of(cases.truths), of(cases.predictions))
    groups = of(cases.groups) if cases.groups else ()
    return Measurements(of(cases.files), groups, cases.labels, cases.values[[*places]], cases.has_truth)


def _group_columns(run_folder: Path, policy: StatisticsPolicy, cases: SingleCases) -> dict[str, list[str]]:
    """The columns of GROUPS in the file, in the order of the cases. The file was read before, so it is sound."""
    try:
        text = read_untrusted(RunFolder(run_folder).scores / policy.cases, LIMIT_BYTES)
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    except (OSError, UnreadableFileError, csv.Error, ValueError, PalioError):
        return {}
    case = "case" if "case" in header and "file" not in header else "file"
    by_case = {row[header.index(case)]: row for row in rows if row}
    return {
        name: [by_case[file][header.index(name)].strip() for file in cases.files]
        for name in GROUPS
        if header.count(name) == 1 and name != policy.group
    }


def _shown(name: str) -> str:
    """A name from a file, in one line and safe for a page."""
    text = harmless(name.encode("utf-8", "replace")).replace("\n", " ")
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 1]}…"
