"""Submissions whose predictions on the public cases differed between two runs, for organizers and nobody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, ngettext

from palio.web.language.numbers import number
from palio.web.models import Challenge, SampleRepeat


@dataclass(frozen=True)
class NotDeterministic:
    """`differing` of `files` differ; `differences` has the first ones, as core.attempt.sample_differences has them.

    `failure` is what happened to the second run, if only that failed; then nothing was compared.
    """

    phase: str
    team: str
    submission: str
    files: int
    differing: int
    differences: tuple[Mapping[str, Any], ...]
    failure: str

    @property
    def sentences(self) -> list[str]:
        if self.failure:
            return [gettext("Only the second run failed: %(failure)s") % {"failure": self.failure}]
        more = self.differing - len(self.differences)
        form = ngettext("%(count)s more file differs.", "%(count)s more files differ.", more)
        others = [form % {"count": number(more, ",")}] * bool(more)
        return [_sentence(each) for each in self.differences] + others


def not_deterministic(challenge: Challenge) -> list[NotDeterministic]:
    """The latest first, without submissions that were withdrawn."""
    rows = SampleRepeat.objects.filter(
        attempt__submission__challenge=challenge, attempt__submission__withdrawn=None, finished__isnull=False
    )
    found = []
    for row in rows.select_related("attempt__submission__team").order_by("-finished"):
        if not row.failure and not row.found.get("differing"):
            continue
        submission = row.attempt.submission
        found.append(
            NotDeterministic(
                phase=submission.phase,
                team=submission.team.name,
                submission=submission.pk,
                files=row.found.get("files", 0),
                differing=row.found.get("differing", 0),
                differences=tuple(row.found.get("differences", ())),
                failure=(row.failure or {}).get("message", ""),
            )
        )
    return found


def _sentence(of: Mapping[str, Any]) -> str:
    name = of["name"]
    if of["only_in"]:
        first, second = (
            gettext("%(file)s: only the first run wrote it."),
            gettext("%(file)s: only the second run wrote it."),
        )
        return (first if of["only_in"] == 1 else second) % {"file": name}
    if of["differing"] is None:
        return gettext("%(file)s: the content differs.") % {"file": name}
    facts = {"file": name, "differing": number(of["differing"], ","), "rows": number(of["rows"], ",")}
    if of["largest"] is None:
        form = ngettext(
            "%(file)s: %(differing)s of %(rows)s row differ.",
            "%(file)s: %(differing)s of %(rows)s rows differ.",
            of["rows"],
        )
    else:
        form = ngettext(
            "%(file)s: %(differing)s of %(rows)s row differ, numbers by at most %(largest)s.",
            "%(file)s: %(differing)s of %(rows)s rows differ, numbers by at most %(largest)s.",
            of["rows"],
        )
        facts["largest"] = number(of["largest"], ".2g")
    return form % facts
