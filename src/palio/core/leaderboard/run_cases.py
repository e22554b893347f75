"""The single cases behind a run's primary score, which intervals and comparisons are computed from. Imports numpy."""

from collections.abc import Sequence
from math import fsum
from pathlib import Path

from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.statistics.cases import Answers, Cases, read_cases
from palio.core.statistics.metrics import METRICS, Counts


def cases_of_run(
    run_folder: Path, policy: StatisticsPolicy | None, primary: Column, score: float, tasks: Sequence[int] = ()
) -> tuple[Cases, ...] | str:
    """The single cases behind a primary score, or a clause that says why they cannot be used.

    `tasks` are the indexes of the phase's tasks if it has several. Each then has a file of cases, and the score is the
    mean over the tasks.
    """
    if policy is None:
        return "the challenge names no file of single cases (palio.statistics in competition.yaml)"
    if policy.kind != "classification" or policy.metric not in METRICS:
        return f"this version of Palio has no interval for the metric {policy.metric} of {policy.kind}"
    found, name = [], f"scores/{policy.cases}"
    for part in [f"{task}/" for task in tasks] or [""]:
        name = f"scores/{part}{policy.cases}"
        try:
            found.append(read_cases(RunFolder(run_folder).scores / part / policy.cases))
        except FileNotFoundError:
            return f"{name} is missing"
        except PalioError as error:
            return f"{name} cannot be used ({error.failure.evidence[0]})"
    value = fsum(_metric(cases, policy.metric) for cases in found) / len(found)
    if not primary.descending or abs(value - score) > 0.5 * 10**-primary.precision:
        digits = f".{primary.precision}f"
        of = f"mean {policy.metric} of {len(found)} tasks" if len(found) > 1 else f"{policy.metric} of {name}"
        return f"the {of} is {value:{digits}}, but the column {primary.title} shows {score:{digits}}"
    return tuple(found)


def _metric(cases: Cases, metric: str) -> float:
    answers = Answers.of([cases])
    counts = Counts.of_codes(answers.truth, answers.predictions[0], len(answers.classes))
    return float(METRICS[metric](counts))
