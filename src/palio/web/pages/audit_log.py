"""The audit log and the export of a challenge."""

from django.core.paginator import Paginator
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path

from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries import audit_log
from palio.web.queries.export import ExportParts, entries, export_name
from palio.web.storage.downloads import zip_response

_ON_A_PAGE = 100


def events(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, wanted = request.subject, audit_log.AuditLogFilter.of(request.GET.dict())
    page = Paginator(audit_log.find(found, wanted), _ON_A_PAGE).get_page(request.GET.get("page"))
    kinds, actors = audit_log.kinds(found), audit_log.actors(found)
    context = dashboard_context(
        request, "events", wanted=wanted, page=page, query=wanted.query(), kinds=kinds, actors=actors
    )
    return render(request, "dashboard/audit_log.html", context)


def export(request: Request[Challenge], challenge: str) -> HttpResponse:
    return render(request, "dashboard/export.html", dashboard_context(request, "export"))


def download(request: Request[Challenge], challenge: str) -> StreamingHttpResponse:
    """`files` and `runs` add more to the export."""
    parts = ExportParts(files=bool(request.GET.get("files")), runs=bool(request.GET.get("runs")))
    return zip_response(export_name(request.subject), entries(request.subject, parts))


urls = [
    path("c/<slug:challenge>/manage/audit-log/", events, name="audit-log"),
    path("c/<slug:challenge>/manage/export/", export, name="export"),
    path("c/<slug:challenge>/manage/export.zip", download, name="export-zip"),
]
