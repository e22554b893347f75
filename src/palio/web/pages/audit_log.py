"""The audit log, the export and the report of a challenge."""

from collections.abc import Sequence
from itertools import groupby

from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path, reverse

from palio.core.errors import PalioError
from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.pages.dashboard import dashboard_context
from palio.web.queries import audit_log
from palio.web.queries.event_sentences import groups
from palio.web.queries.export import ExportParts, entries, export_name
from palio.web.queries.report import phases_still_open, report_name, report_zip
from palio.web.storage.downloads import zip_response

_ON_A_PAGE = 100


def events(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, wanted, refused = request.subject, audit_log.AuditLogFilter.of(request.GET.dict()), None
    try:
        rows = audit_log.find(found, wanted)
    except PalioError as error:
        rows, refused = found.events.none(), error
    page = Paginator(rows, _ON_A_PAGE).get_page(request.GET.get("page"))
    context = dashboard_context(
        request,
        "events",
        wanted=wanted,
        page=page,
        groups=groups(page.object_list),
        refused=refused,
        query=wanted.query(),
        kinds=_kinds(audit_log.kinds(found)),
        actors=audit_log.actors(found),
    )
    return render(request, "dashboard/audit_log.html", context, status=refused.status if refused else 200)


def _kinds(kinds: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """By what they are about: the kinds with their labels."""
    return [
        (about, [(kind, kind.partition(".")[2].replace("-", " ").replace("_", " ")) for kind in of])
        for about, of in groupby(kinds, key=lambda kind: kind.partition(".")[0])
    ]


def export(request: Request[Challenge], challenge: str) -> HttpResponse:
    still_open = phases_still_open(request.subject) if request.subject.current else []
    return render(request, "dashboard/export.html", dashboard_context(request, "export", still_open=still_open))


def download(request: Request[Challenge], challenge: str) -> StreamingHttpResponse:
    """`files` and `runs` add more to the export."""
    files, runs = bool(request.GET.get("files")), bool(request.GET.get("runs"))
    parts = ExportParts(files=files, runs=runs, address=_address(request))
    return zip_response(export_name(request.subject), entries(request.subject, parts))


def report(request: Request[Challenge], challenge: str) -> FileResponse:
    """The report with its files, made while the browser waits."""
    found, name = report_zip(request.subject, _address(request)), report_name(request.subject)
    return FileResponse(found, as_attachment=True, filename=name, content_type="application/zip")


def _address(request: Request[Challenge]) -> str:
    return request.build_absolute_uri(reverse("pages:challenge", args=[request.subject.slug]))


urls = [
    path("c/<slug:challenge>/manage/audit-log/", events, name="audit-log"),
    path("c/<slug:challenge>/manage/export/", export, name="export"),
    path("c/<slug:challenge>/manage/export.zip", download, name="export-zip"),
    path("c/<slug:challenge>/manage/report.zip", report, name="report-zip"),
]
