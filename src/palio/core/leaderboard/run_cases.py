"""The single cases behind a run's primary score, which intervals and comparisons are computed from. Imports numpy."""

from pathlib import Path

from palio.core.attempt.run_folder import RunFolder
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.errors import PalioError
from palio.core.statistics.cases import Answers, Cases, read_cases
from palio.core.statistics.metrics import METRICS, Counts


def cases_of_run(run_folder: Path, policy: StatisticsPolicy | None, primary: Column, score: float) -> Cases | str:
    """The single cases behind a primary score, or a clause that says why they cannot be used."""
    if policy is None:
        return "the challenge names no file of single cases (palio.statistics in competition.yaml)"
    if policy.kind != "classification" or policy.metric not in METRICS:
        return f"this version of Palio has no interval for the metric {policy.metric} of {policy.kind}"
    name = f"scores/{policy.cases}"
    try:
        cases = read_cases(RunFolder(run_folder).scores / policy.cases)
    except FileNotFoundError:
        return f"{name} is missing"
    except PalioError as error:
        return f"{name} cannot be used ({error.failure.evidence[0]})"
    answers = Answers.of([cases])
    counts = Counts.of_codes(answers.truth, answers.predictions[0], len(answers.classes))
    value = float(METRICS[policy.metric](counts))
    if not primary.descending or abs(value - score) > 0.5 * 10**-primary.precision:
        digits = f".{primary.precision}f"
        return (
            f"the {policy.metric} of {name} is {value:{digits}}, but the column {primary.title} shows {score:{digits}}"
        )
    return cases
