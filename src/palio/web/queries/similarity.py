"""Nearly equal predictions of different teams, for the organizers' dashboard and nobody else."""

from dataclasses import dataclass

from django.utils.translation import gettext

from palio.web.language.numbers import number
from palio.web.models import Attempt, Challenge, SimilarityCheck


@dataclass(frozen=True)
class SimilarPair:
    """Two teams with nearly equal predictions, also as the API shows them. It is no proof of copying.

    `shared` are the same wrong answers, `chance` is that of so many if the two were independent; null for numbers.
    """

    phase: str
    team_a: str
    submission_a: str
    team_b: str
    submission_b: str
    cases: int
    equal: int
    shared: int
    errors_a: int | None
    errors_b: int | None
    chance: float | None

    @property
    def chance_text(self) -> str:
        if self.chance is None:
            return gettext("not computed for numbers")
        if self.chance < 1e-9:
            return gettext("below 1 in a billion")
        return gettext("1 in %(number)s") % {"number": number(1 / self.chance, ",.0f")}


def similar(challenge: Challenge) -> list[SimilarPair]:
    """Those of all phases, as last computed, without submissions that were withdrawn or re-scored since."""
    checks = SimilarityCheck.objects.filter(challenge=challenge).order_by("phase")
    pairs = [(check.phase, pair) for check in checks for pair in check.pairs]
    wanted = {pair[side] for _, pair in pairs for side in ("a", "b")}
    counting = Attempt.objects.filter(pk__in=wanted, submission__withdrawn=None).select_related("submission__team")
    known = {each.pk: each.submission for each in counting if each.submission.counted_id == each.pk}
    return [
        SimilarPair(
            phase=phase,
            team_a=known[pair["a"]].team.name,
            submission_a=known[pair["a"]].pk,
            team_b=known[pair["b"]].team.name,
            submission_b=known[pair["b"]].pk,
            **{key: pair[key] for key in ("cases", "equal", "shared", "errors_a", "errors_b", "chance")},
        )
        for phase, pair in pairs
        if pair["a"] in known and pair["b"] in known
    ]
