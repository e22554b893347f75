"""The entries of a leaderboard, read from the database: scored submissions, neither withdrawn nor hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db.models import Count, Q, QuerySet

from palio.core.attempt.states import State
from palio.core.bundle.model import Column, FeedbackRule, Phase, Question
from palio.core.errors import Cause
from palio.core.leaderboard.ladder import shown_entries
from palio.core.leaderboard.ranking import Entry
from palio.core.submission.fact_sheet import answer_text
from palio.web.leaderboard.ladder import stored_steps
from palio.web.models import Attempt, Challenge, Rescore, Submission, Team

_MARKS = ("baseline", "disqualified", "chosen")
_AT_A_TIME = 500  # SQLite limits the number of values in a query


def read_entries(challenge: Challenge, phase: str, team: Team | None = None) -> list[Entry]:
    """Oldest first; with `team`, only that team's."""
    return _read(_listed(challenge, phase, team).filter(counted__isnull=False), {})


def read_again(challenge: Challenge, phase: str, team: Team | None, known: Sequence[Entry]) -> list[Entry]:
    """The same as `read_entries`, faster, if most entries are `known`.

    Scores of an attempt, and the team and time of a submission never change, so only what organizers and teams decide
    is read again. That is a third of the work with 10,000 entries.
    """
    listed = _listed(challenge, phase, team).filter(counted__isnull=False)
    by_attempt = {entry.attempt: entry for entry in known}
    attempts = list(listed.values_list("counted_id", flat=True))
    marked = listed.exclude(baseline=False, disqualified="", chosen=None)
    marks = {attempt: each for attempt, *each in marked.values_list("counted_id", *_MARKS)}
    new = [attempt for attempt in attempts if attempt not in by_attempt]
    for start in range(0, len(new), _AT_A_TIME):
        read = _read(listed.filter(counted__in=new[start : start + _AT_A_TIME]), {})
        by_attempt.update((entry.attempt, entry) for entry in read)
    entries = []
    for attempt in attempts:
        entry = by_attempt.get(attempt)
        if entry is None:  # changed between two queries; the change has a new revision
            continue
        baseline, disqualified, chosen = marks.get(attempt, (False, "", None))
        if (entry.baseline, entry.disqualified, entry.chosen) != (baseline, disqualified, chosen):
            entry = replace(entry, baseline=baseline, disqualified=disqualified, chosen=chosen)
        entries.append(entry)
    return entries


def read_shown(
    challenge: Challenge, phase: Phase, primary: Column, entries: Sequence[Entry], team: Team | None = None
) -> list[Entry]:
    """The entries with the scores that participants may read. With `team`, all entries are that team's."""
    policy, history = phase.rules.feedback, list[Entry]()
    if policy.rule is FeedbackRule.LADDER:  # also of what was withdrawn or hidden since
        history = read_history(challenge, phase.name, team)
    find_step = stored_steps(challenge, phase, primary, team) if policy.is_parameter_free else None
    return shown_entries(entries, history, primary, policy, find_step)


def read_history(challenge: Challenge, phase: str, team: Team | None = None) -> list[Entry]:
    """All scored submissions, also withdrawn and hidden ones. With `team`, only that team's."""
    found = Submission.objects.filter(challenge=challenge, phase=phase).exclude(counted=None)
    return _read(found.filter(team=team) if team else found, {})


def read_rescored(rescore: Rescore) -> list[Entry]:
    """The entries of a phase as if the re-score were applied."""
    attempts = Attempt.objects.filter(rescore=rescore).order_by("number")  # the last attempt of a submission counts
    rows = attempts.values_list("submission_id", "identity", "scores")
    new = {submission: (attempt, scores) for submission, attempt, scores in rows}
    listed = _listed(rescore.challenge, rescore.phase)
    return _read(listed.filter(Q(counted__isnull=False) | Q(pk__in=attempts.order_by().values("submission"))), new)


def failed_counts(challenge: Challenge, phase: str, team: Team | None = None) -> dict[str, int]:
    """By the teams' ids, how many submissions have no score because of the participant's own fault."""
    failed = Attempt.objects.filter(
        submission__challenge=challenge,
        submission__phase=phase,
        submission__counted=None,
        submission__withdrawn=None,
        submission__hidden=None,
        state=State.FAILED,
        failure_cause=Cause.PARTICIPANT,
    )
    if team is not None:
        failed = failed.filter(submission__team=team)
    rows = failed.values_list("submission__team").annotate(count=Count("submission", distinct=True))
    return dict(rows.order_by())


def scoring_versions(challenge: Challenge, phase: str) -> tuple[int, ...]:
    """The numbers of the challenge's versions by which the entries of a phase were scored."""
    listed = _listed(challenge, phase).filter(counted__isnull=False).order_by()
    return tuple(sorted(listed.values_list("counted__version__number", flat=True).distinct()))


def team_names(challenge: Challenge) -> dict[str, str]:
    """By the teams' ids. Read it after the entries, so that no team is missing."""
    return dict(Team.objects.filter(challenge=challenge).values_list("id", "name"))


def team_affiliations(challenge: Challenge) -> dict[str, str]:
    """By the teams' ids, of those that state one."""
    return dict(Team.objects.filter(challenge=challenge).exclude(affiliation="").values_list("id", "affiliation"))


def public_teams(challenge: Challenge) -> frozenset[str]:
    """The ids of the teams whose page everyone may see."""
    return frozenset(Team.objects.filter(challenge=challenge, is_public=True).values_list("id", flat=True))


def read_answers(labels: Sequence[str], questions: Sequence[Question]) -> dict[str, dict[str, str]]:
    """The answers to these questions by submission, as texts. Submissions without any are left out."""
    found: dict[str, dict[str, str]] = {}
    if not questions:
        return found
    for start in range(0, len(labels), _AT_A_TIME):
        rows = Submission.objects.filter(pk__in=labels[start : start + _AT_A_TIME]).values_list("id", "answers")
        for submission, answers in rows:
            texts = {each.key: answer_text(answers[each.key]) for each in questions if each.key in answers}
            if texts:
                found[submission] = texts
    return found


def _listed(challenge: Challenge, phase: str, team: Team | None = None) -> QuerySet[Submission]:
    found = Submission.objects.filter(challenge=challenge, phase=phase, withdrawn=None, hidden=None)
    return (found if team is None else found.filter(team=team)).order_by("created", "id")


def _read(listed: QuerySet[Submission], new: Mapping[str, tuple[str, Mapping[str, float] | None]]) -> list[Entry]:
    """`new` are attempts and scores that replace those that count, by submission."""
    fields = ("id", "created", "team_id", *_MARKS, "counted_id", "counted__scores")
    entries = []
    for submission, created, team, baseline, disqualified, chosen, counted, counted_scores in listed.values_list(
        *fields
    ):
        attempt, scores = new.get(submission, (counted, counted_scores))
        if scores is not None:
            entries.append(Entry(submission, created, scores, team, attempt, baseline, disqualified, chosen))
    return entries
