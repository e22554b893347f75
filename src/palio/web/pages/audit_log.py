"""What was done, by whom, and everything in one file."""

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path

from palio.web.models import Challenge
from palio.web.pages.dashboard import at_desk, challenge_of
from palio.web.queries import audit_log
from palio.web.queries.export import Parts, entries, export_name
from palio.web.storage.downloads import Streamed, zip_of

_ON_A_PAGE = 100


def events(request: HttpRequest, challenge: str) -> HttpResponse:
    found, wanted = challenge_of(request), audit_log.Wanted.of(request.GET.dict())
    page = Paginator(audit_log.find(found, wanted), _ON_A_PAGE).get_page(request.GET.get("page"))
    kinds, people = audit_log.kinds(found), audit_log.people(found)
    context = at_desk(request, "events", wanted=wanted, page=page, query=wanted.query(), kinds=kinds, people=people)
    return render(request, "dashboard/audit_log.html", context)


def export(request: HttpRequest, challenge: str) -> HttpResponse:
    return render(request, "dashboard/export.html", at_desk(request, "export"))


def download(request: HttpRequest, challenge: str) -> StreamingHttpResponse:
    """`files` and `runs` bring more along."""
    return send_export(
        challenge_of(request), Parts(files=bool(request.GET.get("files")), runs=bool(request.GET.get("runs")))
    )


def send_export(challenge: Challenge, parts: Parts) -> StreamingHttpResponse:
    response = StreamingHttpResponse(Streamed(zip_of(entries(challenge, parts))), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{export_name(challenge)}"'
    return response


urls = [
    path("c/<slug:challenge>/manage/audit-log/", events, name="audit-log"),
    path("c/<slug:challenge>/manage/export/", export, name="export"),
    path("c/<slug:challenge>/manage/export.zip", download, name="export-zip"),
]
