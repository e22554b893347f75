"""The entries of a leaderboard, read from the database: scored submissions, neither withdrawn nor hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db.models import Q, QuerySet

from palio.core.leaderboard.ranking import Entry
from palio.web.models import Attempt, Challenge, Rescore, Submission, Team

_AT_A_TIME = 500  # SQLite limits the number of values in a query


def read_entries(challenge: Challenge, phase: str, team: Team | None = None) -> list[Entry]:
    """Oldest first; with `team`, only that team's."""
    return _read(_listed(challenge, phase, team).filter(counted__isnull=False), {})


def read_again(challenge: Challenge, phase: str, team: Team | None, known: Sequence[Entry]) -> list[Entry]:
    """The same as `read_entries`, faster, if most entries are `known`.

    Scores of an attempt, and the team and time of a submission never change, so only what an organizer decides is read
    again. That is a third of the work with 10,000 entries.
    """
    listed = _listed(challenge, phase, team).filter(counted__isnull=False)
    by_attempt = {entry.attempt: entry for entry in known}
    attempts = list(listed.values_list("counted_id", flat=True))
    marked = listed.exclude(baseline=False, disqualified="").values_list("counted_id", "baseline", "disqualified")
    marks = {attempt: (baseline, disqualified) for attempt, baseline, disqualified in marked}
    new = [attempt for attempt in attempts if attempt not in by_attempt]
    for start in range(0, len(new), _AT_A_TIME):
        read = _read(listed.filter(counted__in=new[start : start + _AT_A_TIME]), {})
        by_attempt.update((entry.attempt, entry) for entry in read)
    entries = []
    for attempt in attempts:
        entry = by_attempt.get(attempt)
        if entry is None:  # changed between two queries; the change has a new revision
            continue
        baseline, disqualified = marks.get(attempt, (False, ""))
        if entry.baseline is not baseline or entry.disqualified != disqualified:
            entry = replace(entry, baseline=baseline, disqualified=disqualified)
        entries.append(entry)
    return entries


def read_rescored(rescore: Rescore) -> list[Entry]:
    """The entries of a phase as if the re-score were applied."""
    attempts = Attempt.objects.filter(rescore=rescore).order_by("number")  # the last attempt of a submission counts
    rows = attempts.values_list("submission_id", "identity", "scores")
    new = {submission: (attempt, scores) for submission, attempt, scores in rows}
    listed = _listed(rescore.challenge, rescore.phase)
    return _read(listed.filter(Q(counted__isnull=False) | Q(pk__in=attempts.order_by().values("submission"))), new)


def team_names(challenge: Challenge) -> dict[str, str]:
    """By the teams' ids. Read it after the entries, so that no team is missing."""
    return dict(Team.objects.filter(challenge=challenge).values_list("id", "name"))


def _listed(challenge: Challenge, phase: str, team: Team | None = None) -> QuerySet[Submission]:
    found = Submission.objects.filter(challenge=challenge, phase=phase, withdrawn=None, hidden=None)
    return (found if team is None else found.filter(team=team)).order_by("created", "id")


def _read(listed: QuerySet[Submission], new: Mapping[str, tuple[str, Mapping[str, float] | None]]) -> list[Entry]:
    """`new` are attempts and scores that replace those that count, by submission."""
    fields = ("id", "created", "team_id", "baseline", "disqualified", "counted_id", "counted__scores")
    entries = []
    for submission, created, team, baseline, disqualified, counted, counted_scores in listed.values_list(*fields):
        attempt, scores = new.get(submission, (counted, counted_scores))
        if scores is not None:
            entries.append(Entry(submission, created, scores, team, attempt, baseline, disqualified))
    return entries
