"""What was done, by whom, and everything in one file."""

from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path

from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.pages.dashboard import at_desk
from palio.web.queries import audit_log
from palio.web.queries.export import Parts, entries, export_name
from palio.web.storage.downloads import zip_response

_ON_A_PAGE = 100


def events(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, wanted = request.subject, audit_log.Wanted.of(request.GET.dict())
    page = Paginator(audit_log.find(found, wanted), _ON_A_PAGE).get_page(request.GET.get("page"))
    kinds, people = audit_log.kinds(found), audit_log.people(found)
    context = at_desk(request, "events", wanted=wanted, page=page, query=wanted.query(), kinds=kinds, people=people)
    return render(request, "dashboard/audit_log.html", context)


def export(request: Request[Challenge], challenge: str) -> HttpResponse:
    return render(request, "dashboard/export.html", at_desk(request, "export"))


def download(request: Request[Challenge], challenge: str) -> StreamingHttpResponse:
    """`files` and `runs` bring more along."""
    parts = Parts(files=bool(request.GET.get("files")), runs=bool(request.GET.get("runs")))
    return zip_response(export_name(request.subject), entries(request.subject, parts))


urls = [
    path("c/<slug:challenge>/manage/audit-log/", events, name="audit-log"),
    path("c/<slug:challenge>/manage/export/", export, name="export"),
    path("c/<slug:challenge>/manage/export.zip", download, name="export-zip"),
]
