"""What participants learn of scores under the feedback rule of a phase. Every surface for participants asks here.

`rounded` and `ladder` slow down attacks on hidden cases that only watch the leaderboard (Blum & Hardt, The Ladder, ICML
2015). Organizers see exact scores. Ranks for participants are computed from these values, so that the order of equally
rounded scores tells nothing. Which submissions a ladder shows, `leaderboard.ladder` decides.
"""

from collections.abc import Mapping

from palio.core.bundle.model import FeedbackPolicy, FeedbackRule
from palio.core.sentences import Figure, Sentence

_DECIMALS = 9  # of a step; digits after these come from binary fractions


def shown_values(scores: Mapping[str, float], policy: FeedbackPolicy) -> dict[str, float]:
    """The scores of one submission as participants may read them, if this submission is shown. None of NONE.

    Replace the step of a parameter-free LADDER before, by the worth of one case.
    """
    match policy.rule:
        case FeedbackRule.EXACT:
            return dict(scores)
        case FeedbackRule.ROUNDED:
            return {key: round(score, policy.digits) + 0.0 for key, score in scores.items()}
        case FeedbackRule.LADDER:  # the step of a parameter-free one depends on the cases
            return {key: to_step(score, policy.step) for key, score in scores.items()} if policy.step else {}
        case FeedbackRule.NONE:
            return {}


def shown_alone(scores: Mapping[str, float], policy: FeedbackPolicy) -> dict[str, float] | None:
    """The scores of one submission whose team's history is unknown, as in a run folder; None if that decides."""
    return None if policy.rule in {FeedbackRule.LADDER, FeedbackRule.NONE} else shown_values(scores, policy)


def shown_interval(interval: tuple[float, float], policy: FeedbackPolicy) -> tuple[float, float] | None:
    """An interval as participants may read it: of ROUNDED with ends rounded outward; None of LADDER and NONE."""
    match policy.rule:
        case FeedbackRule.EXACT:
            return interval
        case FeedbackRule.ROUNDED:
            low, high = interval
            return _outward(low, policy.digits, -1), _outward(high, policy.digits, 1)
    return None


def may_compare(policy: FeedbackPolicy) -> bool:
    """Whether participants may read what compares submissions case by case: rank ranges, p-values, counts of cases."""
    return policy.is_exact


def sentence(policy: FeedbackPolicy) -> str:
    """The rule in words; empty for exact scores."""
    match policy.rule:
        case FeedbackRule.EXACT:
            return ""
        case FeedbackRule.ROUNDED:
            return Sentence.of_count(
                "Participants see scores rounded to %(digits)s decimal, and ranks of the rounded scores.",
                "Participants see scores rounded to %(digits)s decimals, and ranks of the rounded scores.",
                policy.digits,
                digits=str(policy.digits),
            )
        case FeedbackRule.LADDER if policy.is_parameter_free:
            return Sentence(
                "Participants see a score only if it is better than the best shown one of its team by more than one "
                "standard error of their difference on the same cases. It is rounded to the nearest 1/n, where n is "
                "the number of hidden cases."
            )
        case FeedbackRule.LADDER:
            return Sentence(
                "Participants see a score only if it is better than the best shown one of its team by more than "
                "%(step)s; it is rounded to %(step)s.",
                step=Figure(f"{policy.step:g}"),
            )
        case FeedbackRule.NONE:
            return Sentence("Participants see no scores until the organizers release them.")


def to_step(score: float, step: float) -> float:
    return round(round(score / step) * step, _DECIMALS) + 0.0  # + 0.0: no negative zero


def _outward(end: float, digits: int, sign: int) -> float:
    rounded = round(end, digits)
    if sign * (rounded - end) < 0:
        rounded = round(rounded + sign * 10.0**-digits, digits)
    return rounded + 0.0
