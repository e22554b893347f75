"""Submitting: limits, the upload form, and the submissions of the user's team.

A script uploads large files in chunks through the API; without it, the form sends the whole file, with the same result.
"""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_POST

from palio.core.attempt.states import ENDS
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, Phase, SubmissionKind
from palio.core.bundle.pick_phase import find_phase, pick_phase
from palio.core.errors import PalioError
from palio.core.submission.fact_sheet import ANSWER_CHARACTERS, answer_text
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge, StoredFile, Submission, Team
from palio.web.pages.actions import redirect_after, show_error
from palio.web.pages.file_forms import receives_file
from palio.web.queries.submission import built_image, latest_attempt, scores_hidden, shown_scores
from palio.web.queries.submissions import files_of, submissions_of
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import complete_upload, files, submission_limits, submit
from palio.web.verbs.choose import choosing, put_on_leaderboard, take_off_leaderboard
from palio.web.verbs.engine_support import left_out
from palio.web.verbs.fetch_source import SOURCE_CHARACTERS, fetch_source
from palio.web.verbs.quota import cancelling_may_count
from palio.web.verbs.teams import require_team
from palio.web.verbs.uploads import CHUNK_BYTES

ON_A_PAGE = 50


@receives_file
def submit_page(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    if request.method != "POST":
        return _page(request, found)
    return _submit(request, found, lambda team, phase: _received(request, team, phase))


@require_POST
def submit_file(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Submit a file that the team uploaded before."""
    return _submit(request, request.subject, lambda team, phase: _chosen(request, team, phase))


@require_POST
def fetch_source_page(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Pin an image or fetch a Git tag, then show what was recognized, before it is submitted."""
    found, user = request.subject, signed_in(request)
    try:
        team = require_team(found, user)
        phase = _phase(found, request.POST.get("phase"))
        file = fetch_source(team, user, request.POST.get("source", "")[: SOURCE_CHARACTERS + 1], phase)
    except PalioError as error:
        return _page(request, found, error)
    return _review(found, phase, file)


def submissions(request: Request[Challenge], challenge: str) -> HttpResponse:
    """Submissions of the user's team, newest first."""
    found = request.subject
    team = require_team(found, signed_in(request))
    rows = Paginator(submissions_of(team.pk), ON_A_PAGE).get_page(request.GET.get("page"))
    bundle = current_bundle(found)
    context = {
        "challenge": found,
        "team": team,
        "page": rows,
        "rows": [_row(submission, bundle) for submission in rows],
        "primary": bundle.leaderboard.primary,
        "teams_choose": any(choosing(bundle, phase) for phase in bundle.phases),
        "takes_several": len(bundle.phases) > 1,
    }
    return render(request, "submit/submissions.html", context)


@require_POST
def delete_file(request: Request[StoredFile], file: str) -> HttpResponse:
    subject = request.subject

    def act() -> str:
        files.delete_file(subject, signed_in(request))
        return gettext("%(file)s deleted. Its submissions and their results are kept.") % {"file": subject.name}

    return redirect_after(request, reverse("pages:submit", args=[subject.team.challenge.slug]), act)


@require_POST
def cancel(request: Request[Submission], submission: str) -> HttpResponse:
    subject = request.subject

    def act() -> str:
        attempt = submit.cancel(subject, signed_in(request), counts=request.POST.get("counts") == "yes")
        return (
            gettext("Submission cancelled.")
            if attempt.ended
            else gettext("Cancelling: the running stage is being stopped.")
        )

    return redirect_after(request, reverse("pages:submission", args=[subject.pk]), act)


@require_POST
def withdraw(request: Request[Submission], submission: str) -> HttpResponse:
    subject = request.subject

    def act() -> str:
        submit.withdraw(subject, signed_in(request))
        return gettext("Submission withdrawn from the leaderboard.")

    return redirect_after(request, reverse("pages:submission", args=[subject.pk]), act)


@require_POST
def choose(request: Request[Submission], submission: str) -> HttpResponse:
    """Put it on the leaderboard, or take it off. `do` is `put` or `take-off`."""
    subject, actor = request.subject, signed_in(request)

    def act() -> str:
        if request.POST.get("do") == "take-off":
            take_off_leaderboard(subject, actor)
            return gettext("Submission taken off the leaderboard.")
        put_on_leaderboard(subject, actor)
        return gettext("Submission put on the leaderboard.")

    return redirect_after(request, reverse("pages:submission", args=[subject.pk]), act)


def _submit(request: HttpRequest, challenge: Challenge, take: Any) -> HttpResponse:
    """Get the file from `take` and submit it; show a refusal on the page of the form."""
    try:
        user = signed_in(request)
        team = require_team(challenge, user)
        phase = _phase(challenge, request.POST.get("phase"))
        file = take(team, phase)  # kept even if it cannot be submitted now, for later
        if request.POST.get("check"):
            return _review(challenge, phase, file)
        submitted = submit.submit(
            file,
            user,
            phase_name=phase.name,
            note=request.POST.get("note", ""),
            answers=_answers(request, current_bundle(challenge)),
        )
    except PalioError as error:
        return _page(request, challenge, error)
    for note in submitted.notes:
        messages.info(request, gettext("Submitted. Note: %(note)s.") % {"note": note})
    return redirect("pages:submission", submitted.submission.pk)


def _review(challenge: Challenge, phase: Phase, file: StoredFile) -> HttpResponse:
    """The page that shows what was recognized in the file, and submits it."""
    query = urlencode({"phase": phase.name, "file": file.pk})
    return redirect(f"{reverse('pages:submit', args=[challenge.slug])}?{query}")


def _received(request: HttpRequest, team: Team, phase: Phase) -> StoredFile:
    given = request.FILES.get("file")
    if given is None:
        raise PalioError("file-missing")
    wanted = next((kind for kind in SubmissionKind if kind == request.POST.get("kind")), None)
    return complete_upload.take_whole(team, signed_in(request), given, wanted, phase)


def _answers(request: HttpRequest, bundle: Bundle) -> dict[str, str]:
    """What the form says. A checkbox that is not checked is not sent, and means no."""
    return {
        question.key: request.POST.get(f"answer-{question.key}", "no" if question.type == "checkbox" else "")
        for question in bundle.fact_sheet
    }


def _last_answers(team: Team) -> dict[str, str]:
    """The answers of the team's last submission, from which the next one mostly differs little."""
    last = Submission.objects.filter(team=team).order_by("-created").values_list("answers", flat=True).first()
    return {key: answer_text(answer) for key, answer in (last or {}).items()}


def _chosen(request: HttpRequest, team: Team, phase: Phase) -> StoredFile:
    wanted = request.POST.get("file", "")
    file = next((file for file in files_of(team) if file.pk == wanted), None)
    if file is None:
        raise PalioError("file-unknown")
    return complete_upload.for_phase(file, phase)


def _page(request: HttpRequest, challenge: Challenge, error: PalioError | None = None) -> HttpResponse:
    user = signed_in(request)
    try:
        team = require_team(challenge, user)
    except PalioError as missing:
        show_error(request, missing)
        return HttpResponseRedirect(reverse("pages:challenge", args=[challenge.slug]))
    bundle, phase = current_bundle(challenge), _phase(challenge, request.POST.get("phase") or request.GET.get("phase"))
    quota = submission_limits.quota_of(team, phase)
    not_here = left_out(quota.kinds, user, phase)
    kinds = [kind for kind in quota.kinds if kind not in not_here]
    listed = files_of(team)
    again = request.POST.get("file") or request.GET.get("file")
    answers = _answers(request, bundle) if request.method == "POST" else _last_answers(team)
    context = {
        "challenge": challenge,
        "team": team,
        "phase": phase,
        "again": next((file for file in listed if file.pk == again), None),
        "source": request.POST.get("source", ""),
        "source_characters": SOURCE_CHARACTERS,
        "takes_references": SubmissionKind.REFERENCE in kinds,
        "takes_git": any(kind in kinds for kind in _IN_ZIPS),
        "questions": [(question, answers.get(question.key, "")) for question in bundle.fact_sheet],
        "has_public_questions": any(question.on_leaderboard for question in bundle.fact_sheet),
        "answer_characters": ANSWER_CHARACTERS,
        "phases": [(each, each == phase, f"?{urlencode({'phase': each.name})}") for each in bundle.phases],
        "quota": quota,
        "failure": error.failure if error else None,
        "terms_changed": submit.lacks_terms(challenge, user),
        "kinds": [(kind.value, gettext(KINDS[kind])) for kind in kinds],
        "uploads": [(kind.value, gettext(KINDS[kind])) for kind in kinds if SUFFIXES[kind]],
        "ingests": SubmissionKind.CODE in kinds and any(task.ingestion_program for task in phase.tasks),
        "ingests_before": any(task.ingestion_only_during_scoring for task in phase.tasks),
        "monai_classes": phase.rules.monai.classes if SubmissionKind.MONAI in kinds else (),
        "cancelling_may_count": cancelling_may_count(phase),
        "left_out": [(kind.value, gettext(why)) for kind, why in not_here.items()],
        "files": [_file(file, bundle) for file in listed],
        "accept": ",".join(sorted({suffix for kind in kinds for suffix in SUFFIXES[kind]})),
        "chunk_bytes": CHUNK_BYTES,
        "note": request.POST.get("note", ""),
        "note_characters": submit.NOTE_CHARACTERS,
        "now": timezone.now(),
    }
    return render(request, "submit/page.html", context, status=error.status if error else 200)


KINDS = {
    SubmissionKind.CONTEXT: gettext_noop("a zip with a Dockerfile at its root"),
    SubmissionKind.IMAGE: gettext_noop("a saved image (.tar or .tar.gz)"),
    SubmissionKind.RESULTS: gettext_noop("predictions (.csv or .zip)"),
    SubmissionKind.CODE: gettext_noop("code that this challenge runs (.zip)"),
    SubmissionKind.MONAI: gettext_noop("a MONAI bundle, without a Dockerfile (.zip)"),
    SubmissionKind.REFERENCE: gettext_noop("an image in a registry"),
}
SUFFIXES = {
    SubmissionKind.CONTEXT: [".zip"],
    SubmissionKind.IMAGE: [".tar", ".tar.gz", ".tgz", ".gz"],
    SubmissionKind.RESULTS: [".csv", ".zip"],
    SubmissionKind.CODE: [".zip"],
    SubmissionKind.MONAI: [".zip"],
    SubmissionKind.REFERENCE: [],
}
_IN_ZIPS = (SubmissionKind.CONTEXT, SubmissionKind.CODE, SubmissionKind.MONAI)
assert set(KINDS) == set(SUFFIXES) == set(SubmissionKind)  # noqa: S101 - each kind has its words


def _phase(challenge: Challenge, name: str | None) -> Phase:
    bundle = current_bundle(challenge)
    return (find_phase(bundle, name) if name else None) or pick_phase(bundle, None, timezone.now())


def _row(submission: Submission, bundle: Bundle) -> dict[str, Any]:
    attempt = latest_attempt(submission)
    scores = shown_scores(submission, attempt) or {}
    return {
        "submission": submission,
        "state": attempt.state if attempt else "queued",
        "failure": attempt.failure_shown if attempt else None,
        "image": built_image(attempt) if attempt else None,
        "score": scores.get(primary_of(bundle, find_phase(bundle, submission.phase)).key),
        "hidden": scores_hidden(attempt) and attempt is not None and attempt.state == "scored",
    }


def _file(file: StoredFile, bundle: Bundle) -> dict[str, Any]:
    rows = [_row(each, bundle) for each in file.submissions.all()]
    image = next((row["image"] for row in rows if row["image"]), None)
    return {
        "file": file,
        "submissions": rows,
        "image": image,
        "running": any(row["state"] not in ENDS for row in rows),
    }


urls = [
    path("c/<slug:challenge>/submit/", submit_page, name="submit"),
    path("c/<slug:challenge>/submit/file/", submit_file, name="submit-file"),
    path("c/<slug:challenge>/submit/source/", fetch_source_page, name="fetch-source"),
    path("c/<slug:challenge>/submissions/", submissions, name="submissions"),
    path("files/<str:file>/delete/", delete_file, name="delete-file"),
    path("s/<str:submission>/cancel/", cancel, name="cancel-submission"),
    path("s/<str:submission>/leaderboard/", choose, name="put-on-leaderboard"),
    path("s/<str:submission>/withdraw/", withdraw, name="withdraw-submission"),
]
