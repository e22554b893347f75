"""The page of a submission: its stages while it runs, then scores, report and receipt, or the failure.

The page polls a fragment every second; the response is empty if nothing has changed, and polling stops when the
attempt has finished. The team sees what `queries.submission` allows; viewers, scorers and organizers see everything.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import State
from palio.core.bundle.leaderboards import primary_of, score_columns
from palio.core.bundle.model import Phase
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import PalioError
from palio.core.receipt.key import machine_public_key
from palio.core.submission.fact_sheet import answer_text
from palio.web.access.rules import ORGANIZER, SCORER, VIEWER
from palio.web.http.request import Request
from palio.web.language.numbers import number
from palio.web.models import Submission
from palio.web.queries import case_summary
from palio.web.queries import submission as team_view
from palio.web.queries.queue import place_of
from palio.web.queries.stages import SAYS, cards, remaining_text
from palio.web.storage.bundles import bundle_of
from palio.web.verbs.choose import choice_of
from palio.web.verbs.queue import Place
from palio.web.verbs.quota import cancelling_counts

_UNCHANGED = 204  # htmx does not swap
_TAIL_BYTES = 12_000  # of a log, on the page; the full log has its own page


class _SubmissionPage:
    """A submission and its latest attempt, as this user may see them."""

    def __init__(self, request: Request[Submission]) -> None:
        self.submission = request.subject
        self.held = request.relations
        self.full = bool(VIEWER & self.held)
        self.attempt = team_view.latest_attempt(self.submission)
        self.now = timezone.now()

    @property
    def phase(self) -> Phase | None:
        version = self.attempt.version if self.attempt else self.submission.challenge.current
        return find_phase(bundle_of(version), self.submission.phase) if version else None

    @property
    def state(self) -> str:
        return self.attempt.state if self.attempt else State.QUEUED

    @property
    def ended(self) -> bool:
        return self.attempt is not None and self.attempt.ended

    def place(self) -> Place | None:
        return place_of(self.attempt) if self.attempt else None

    def stages(self) -> dict[str, Any]:
        stages: dict[str, Any] = {}
        if self.attempt is None:
            return stages
        if not self.full:
            stages = team_view.shown_attempt(self.attempt)["stages"]
        else:
            with suppress(OSError, ValueError, KeyError):
                stages = team_view.run_folder(self.attempt).read_json("result.json")["stages"]
        return stages

    def stamp(self) -> str:
        """Changes with the content of the fragment; every second while a stage runs."""
        attempt = self.attempt
        running = bool(attempt and not attempt.ended and attempt.state != State.QUEUED)
        of = [
            self.state,
            attempt and [attempt.identity, attempt.moved, attempt.cancel_requested],
            self.place(),
            int(self.now.timestamp()) if running else 0,
            self.full,
        ]
        return hashlib.sha256(json.dumps(of, default=str).encode()).hexdigest()[:16]

    def failure(self) -> dict[str, Any] | None:
        if self.attempt is None or self.state != State.FAILED:
            return None
        found = (self.attempt.failure if self.full else None) or self.attempt.failure_shown
        return team_view.with_action_needed(found, own="team" in self.held)

    def scores(self) -> list[dict[str, Any]]:
        """One entry per column, from the attempt that counts, else from the latest one."""
        standing = self.submission.counted or self.attempt
        if standing is None or standing.scores is None:
            return []
        told = standing.scores if self.full else team_view.shown_scores(self.submission, self.attempt) or {}
        bundle = bundle_of(standing.version)
        phase = find_phase(bundle, self.submission.phase)
        primary = primary_of(bundle, phase).key
        return [
            {
                "title": column.title,
                "arrow": "↑" if column.descending else "↓",
                "value": number(told[column.key], f".{column.precision}f"),
                "exact": told[column.key],
                "primary": column.key == primary,
                "hidden": column.hidden,
            }
            for column in score_columns(bundle, phase)
            if column.key in told
        ]

    def answers(self) -> list[tuple[str, str]]:
        """The fact sheet: questions and answers. A question that was removed since is named by its key."""
        version = self.submission.challenge.current
        titles = {question.key: question.title for question in bundle_of(version).fact_sheet} if version else {}
        return [(titles.get(key, key), answer_text(answer)) for key, answer in self.submission.answers.items()]

    def live(self) -> dict[str, Any]:
        phase = self.phase
        attempt = self.attempt
        blind = team_view.scores_hidden(attempt)
        return {
            "submission": self.submission,
            "attempt": attempt,
            "state": self.state,
            "says": gettext(SAYS[State(self.state)]),
            "ended": self.ended,
            "cancelling": bool(attempt and attempt.cancel_requested and not attempt.ended),
            "cancel_counts": cancelling_counts(attempt),
            "cards": cards(attempt, self.submission.file.kind, phase, self.stages(), self.now) if attempt else [],
            "remaining": remaining_text(attempt, self.submission.file.kind, phase, self.now) if attempt else "",
            "substitute": team_view.used_substitute(attempt) if attempt else None,
            "place": self.place(),
            "waiting": team_view.shown_waiting(attempt) if attempt else None,
            "stamp": self.stamp(),
            "failure": self.failure(),
            "scores": self.scores(),
            "scores_hidden": blind,
            **self.cases(),
            "feedback": team_view.feedback(attempt),
            "blind": blind and not self.full,
            "has_report": self.report() is not None,
            "has_receipt": self.receipt() is not None,
            "scorer": team_view.scorer_of(attempt) if attempt and self.ended else None,
            "public_key": _public_key() if self.ended else None,
            "full": self.full,
            "is_team": "team" in self.held,
            "may_score": bool(SCORER & self.held),
            "may_organize": bool(ORGANIZER & self.held),
            "attempts": team_view.attempts_of(self.submission, full=self.full),
            "choice": choice_of(self.submission) if self.ended else None,
        }

    def cases(self) -> dict[str, Any]:
        """Where it stands, and what its single cases say."""
        if not self.ended or self.submission.withdrawn:
            return {}
        summary = case_summary.shown_summary(self.submission, full=self.full)
        return {
            "standing": case_summary.standing_of(self.submission, full=self.full),
            "cases": summary,
            "drawn": case_summary.drawn_summary(summary) if summary else None,
        }

    def report(self) -> Path | None:
        """The report on these scores; None if there is none, or none for this user."""
        return team_view.report_path(self.submission.counted or self.attempt, full=self.full)

    def receipt(self) -> Path | None:
        return team_view.receipt_path(self.attempt, full=self.full)

    def log(self, stage: Stage) -> str | None:
        if self.attempt is None:
            return None
        return (team_view.full_log if self.full else team_view.shown_log)(self.attempt, stage)

    def logs(self) -> list[dict[str, Any]]:
        found = []
        for stage in Stage:
            text = self.log(stage)
            if text is not None:
                found.append({"stage": stage.value, "end": _end(text), "cut": len(text) > _TAIL_BYTES, "text": text})
        return found

    def logs_stamp(self) -> str:
        """Changes with the sizes of the logs, so that unchanged logs are not read."""
        folder = team_view.run_folder(self.attempt) if self.attempt else None
        sizes = [folder.log(stage).stat().st_size for stage in Stage if folder.log(stage).exists()] if folder else []
        of = [self.state, self.attempt and self.attempt.identity, sizes]
        return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:16]

    def logs_context(self) -> dict[str, Any]:
        return {
            "submission": self.submission,
            "logs": self.logs(),
            "logs_stamp": self.logs_stamp(),
            "state": self.state,
            "ended": self.ended,
        }


def _public_key() -> str | None:
    with suppress(PalioError):  # an unreadable key hides no receipts; the controller reports the problem
        return machine_public_key()
    return None


def _end(text: str) -> str:
    if len(text) <= _TAIL_BYTES:
        return text
    _, _, whole_lines = text[-_TAIL_BYTES:].partition("\n")
    return whole_lines or text[-_TAIL_BYTES:]


def submission(request: Request[Submission], submission: str) -> HttpResponse:
    shown = _SubmissionPage(request)
    context = shown.live() | shown.logs_context() | {"answers": shown.answers()}
    return render(request, "submission/page.html", context | {"challenge": shown.submission.challenge})


def live(request: Request[Submission], submission: str) -> HttpResponse:
    """The fragment that changes. `seen` and `state` are what the page shows now."""
    shown = _SubmissionPage(request)
    if request.GET.get("seen") == shown.stamp():
        return HttpResponse(status=_UNCHANGED)
    context = shown.live() | {"moved": request.GET.get("state") != shown.state, "is_fragment": True}
    return render(request, "submission/live.html", context)


def logs(request: Request[Submission], submission: str) -> HttpResponse:
    shown = _SubmissionPage(request)
    if request.GET.get("seen") == shown.logs_stamp():
        return HttpResponse(status=_UNCHANGED)
    return render(request, "submission/logs.html", shown.logs_context())


def log(request: Request[Submission], submission: str, stage: str) -> HttpResponse:
    """A log as plain text, as far as this user may read it."""
    text = _SubmissionPage(request).log(Stage(stage)) if stage in {*Stage} else None
    if text is None:
        raise Http404
    return HttpResponse(text, "text/plain; charset=utf-8")


def report(request: Request[Submission], submission: str) -> HttpResponse:
    """The report, for a sandboxed frame."""
    content = team_view.report_html(request.subject, full=bool(VIEWER & request.relations))
    if content is None:
        raise Http404
    return HttpResponse(content, "text/html; charset=utf-8", headers=team_view.REPORT_HEADERS)


def receipt(request: Request[Submission], submission: str) -> HttpResponse:
    found = _SubmissionPage(request).receipt()
    if found is None:
        raise Http404
    headers = {"Content-Disposition": 'attachment; filename="receipt.json"'}
    return HttpResponse(found.read_bytes(), "application/json", headers=headers)


urls = [
    path("s/<str:submission>/", submission, name="submission"),
    path("s/<str:submission>/live/", live, name="submission-live"),
    path("s/<str:submission>/logs/", logs, name="submission-logs"),
    path("s/<str:submission>/logs/<str:stage>/", log, name="submission-log"),
    path("s/<str:submission>/report/", report, name="submission-report"),
    path("s/<str:submission>/receipt.json", receipt, name="submission-receipt"),
]
