"""API schemas of challenges, phases and versions."""

from datetime import datetime
from typing import Any

from django.http import Http404
from django.utils import timezone
from ninja import Schema

from palio.core.bundle.model import Phase
from palio.core.bundle.pick_phase import phase_state
from palio.web.http.request import Request
from palio.web.models import Challenge, ChallengeVersion
from palio.web.queries.challenges import published, visible_until
from palio.web.storage.bundles import bundle_of
from palio.web.storage.downloads import downloads


class ChallengeOut(Schema):
    slug: str
    title: str
    description: str
    visibility: str
    joining: str
    version: int
    digest: str


class PhaseOut(Schema):
    """`state` is `open`, `soon` or `closed`; a limit of null means unlimited.

    `scores` is `visible`, or `hidden` if participants see none. `feedback` is the rule with its parameters.
    """

    index: int
    name: str
    description: str
    state: str
    opens: datetime
    closes: datetime | None
    submissions_a_day: int | None
    submissions_in_all: int | None
    kinds: list[str]
    data: str
    limits: dict[str, dict[str, float | bool]]
    logs: dict[str, str]
    scores: str
    feedback: dict[str, str | float]
    downloads: list[str]


class TermsOut(Schema):
    """Send `digest` when joining, to accept this text."""

    text: str
    digest: str


class QuestionOut(Schema):
    """A question to answer with each submission; `type` is `text`, `checkbox` or `select`, with `options`.

    Answers `on_leaderboard` are public.
    """

    key: str
    title: str
    type: str
    options: list[str]
    required: bool
    on_leaderboard: bool


class ChallengeWholeOut(ChallengeOut):
    phases: list[PhaseOut]
    terms: TermsOut | None
    pages: list[str]
    questions: list[QuestionOut]


class ChangeOut(Schema):
    what: str
    old: str
    new: str


class VersionOut(Schema):
    number: int
    digest: str
    title: str
    note: str
    published: datetime
    published_by: str | None
    current: bool
    changes: list[ChangeOut]


def shown_challenge(challenge: Challenge) -> dict[str, Any]:
    version = challenge.current
    if version is None:
        raise Http404
    return {
        "slug": challenge.slug,
        "title": version.title,
        "description": bundle_of(version).description,
        "visibility": challenge.visibility,
        "joining": challenge.joining,
        "version": version.number,
        "digest": version.digest,
    }


def shown_phases(request: Request[Challenge]) -> list[dict[str, Any]]:
    _, _, bundle = published(request.subject)
    offered = [
        (download.phase.index, download.kind) for download in downloads(bundle, visible_until(request.relations))
    ]
    return [
        _phase(phase) | {"downloads": [kind for index, kind in offered if index == phase.index]}
        for phase in bundle.phases
    ]


def _phase(phase: Phase) -> dict[str, Any]:
    rules = phase.rules
    return {
        "index": phase.index,
        "name": phase.name,
        "description": phase.description,
        "state": phase_state(phase, timezone.now()),
        "opens": phase.start,
        "closes": phase.end,
        "submissions_a_day": phase.max_submissions_per_day,
        "submissions_in_all": phase.max_submissions,
        "kinds": [kind.value for kind in rules.submissions],
        "data": rules.data,
        "limits": {"build": vars(rules.build), "predict": vars(rules.predict), "score": vars(rules.score)},
        "logs": {
            "sample": rules.logs_sample.value,
            "predict": rules.logs_predict.value,
            "score": rules.logs_score.value,
        },
        "scores": rules.scores.value,
        "feedback": {"rule": rules.feedback.rule.value, "digits": rules.feedback.digits, "step": rules.feedback.step},
    }


def shown_version(version: ChallengeVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "digest": version.digest,
        "title": version.title,
        "note": version.note,
        "published": version.published,
        "published_by": version.published_by.username if version.published_by else None,
        "current": version.challenge.current_id == version.pk,
        "changes": version.changes,
    }
