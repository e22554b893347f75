"""Checks that participants cannot learn the hidden labels from scores, and that a ladder can be computed."""

from collections.abc import Iterator

from palio.core.bundle.case_metrics import WrittenMetric
from palio.core.bundle.data_files import DataFiles, readable
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, FeedbackRule, Phase, Problem
from palio.core.bundle.problems import error, warning
from palio.core.bundle.wording import quoted
from palio.core.errors import counted
from palio.core.files.globs import PatternError

MANY_SUBMISSIONS = 20  # a phase with more on few cases should not give exact scores
FEW_CASES = 1000
FINAL_SUBMISSIONS = 5


def feedback_problems(bundle: Bundle, phase: Phase, files: DataFiles) -> Iterator[Problem]:
    """Warns where many exact scores on few cases let participants fit the hidden labels by watching the leaderboard.

    Refuses a ladder without a step where nothing tells the standard error of a difference.
    """
    no_error = _no_standard_error(bundle, phase)
    if phase.rules.feedback.is_parameter_free and no_error:
        yield error(
            "palio.feedback",
            f"is `ladder` without a step in “{phase.name}”, but {no_error}; write {{rule: ladder, step: 0.01}}",
        )
    elif phase.rules.feedback.rule is FeedbackRule.LADDER and primary_of(bundle, phase).computation is not None:
        yield error(
            "palio.feedback",
            f"is `ladder` in “{phase.name}”, but {quoted(primary_of(bundle, phase).key)}, by which the phase ranks, is "
            "computed from other columns; rank by a column with scores of its own, or use another rule",
        )
    most, cases = phase.max_submissions, _hidden_cases(phase, files)
    is_many = most is None or most > MANY_SUBMISSIONS
    followed = any(_is_final(later) for later in bundle.phases if later.index > phase.index)
    if phase.rules.data == "public" or not phase.rules.feedback.is_exact or not is_many or followed:
        return
    if cases is None or cases >= FEW_CASES:
        return
    count = counted(most, "submission") if most is not None else "any number of submissions"
    yield warning(
        "palio.feedback",
        f"is exact in “{phase.name}”, which allows {count} on {counted(cases, 'case')}, and no final phase follows; a "
        "team can fit its answers to the scores. Add a last phase with `max_submissions` of at most "
        f"{FINAL_SUBMISSIONS} or hidden scores, allow at most {MANY_SUBMISSIONS}, or set `feedback` to "
        f"{'{rule: ladder, step: 0.01}' if no_error else '`ladder`'}",
    )


def _no_standard_error(bundle: Bundle, phase: Phase) -> str:
    """Why nothing tells the standard error of a difference of two primary scores, a clause; empty if it is known."""
    policy, primary = phase.rules.statistics, primary_of(bundle, phase)
    if policy is None:
        return "the challenge names no file of single cases"
    if primary.computation is not None:
        return f"the column {quoted(primary.key)} is computed from others"
    written = policy.metric_of(primary, primary)
    if written is None:
        return f"no metric of `statistics` belongs to the column {quoted(primary.key)}"
    if WrittenMetric.parse(written).name.startswith("median"):
        return f"the standard error of a difference of medians, as of {quoted(written)}, is unknown"
    return ""


def _is_final(phase: Phase) -> bool:
    """Whether scores of the phase cannot be watched often: hidden ones, or those of a few submissions."""
    few = phase.max_submissions is not None and phase.max_submissions <= FINAL_SUBMISSIONS
    return phase.rules.feedback.rule is FeedbackRule.NONE or few


def _hidden_cases(phase: Phase, files: DataFiles) -> int | None:
    """The inputs of the phase's tasks, each file as one case; None if one of the tasks has no readable inputs."""
    total, blind = 0, phase.rules.blind
    try:
        is_input = blind.hides() if blind else None
    except PatternError:  # reported by another check
        return None
    for task in phase.tasks:
        if task.input_data is None or not task.input_data.exists():
            return None
        inputs = readable(files, task.input_data)
        if inputs is None or not inputs.names:
            return None
        total += sum(map(is_input, inputs.names)) if is_input else len(inputs.names)
    return total
