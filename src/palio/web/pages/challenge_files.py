"""Files of a challenge: pictures on its pages, and what participants may download. Nothing hidden is among them."""

from datetime import datetime

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.text import slugify

from palio.core.bundle.model import Bundle
from palio.web.access.rules import VIEWER
from palio.web.models import Challenge
from palio.web.pages.challenges import shown
from palio.web.reading.markdown import PICTURES, is_public
from palio.web.storage.bundles import bundle_of, reading_of
from palio.web.storage.downloads import Streamed, downloads, zip_stream

_ONE_DAY_S = 24 * 3600


def picture(request: HttpRequest, challenge: str, number: int, name: str) -> HttpResponseBase:
    """A file that a page of this version shows; an SVG only as a download, or where an <img> asks for it."""
    found: Challenge = request.subject  # type: ignore[attr-defined]
    version = found.versions.filter(number=number).first()
    if version is None:
        raise Http404
    bundle = bundle_of(version)
    if name not in reading_of(version).pictures:
        raise Http404
    file = bundle.root / name
    if not is_public(bundle, file) or not file.is_file():
        raise Http404
    suffix = file.suffix.lower()
    response = FileResponse(
        file.open("rb"), as_attachment=suffix == ".svg", filename=file.name, content_type=PICTURES[suffix]
    )
    response["Cache-Control"] = f"private, max-age={_ONE_DAY_S}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def data(request: HttpRequest, challenge: str) -> HttpResponse:
    found, _, bundle = shown(request)
    context = {"challenge": found, "bundle": bundle, "downloads": downloads(bundle, seen_until(request))}
    return render(request, "challenge/data.html", context)


def download(request: HttpRequest, challenge: str, phase: int, kind: str) -> HttpResponseBase:
    found, _, bundle = shown(request)
    return send(bundle, found.slug, phase, kind, seen_until(request))


def send(bundle: Bundle, slug: str, phase: int, kind: str, now: datetime | None) -> HttpResponseBase:
    """The download, streamed: the file as it is, or a zip made while it is sent."""
    for offered in downloads(bundle, now):
        if (offered.phase.index, offered.kind) != (phase, kind):
            continue
        response: HttpResponseBase
        if offered.as_it_is is not None:
            response = FileResponse(
                offered.as_it_is.open("rb"),
                as_attachment=True,
                filename=offered.as_it_is.name,
                content_type="application/octet-stream",
            )
        else:
            name = f"{slug}-{slugify(offered.phase.name) or phase}-{kind}.zip"
            response = StreamingHttpResponse(Streamed(zip_stream(offered.files)), content_type="application/zip")
            response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["X-Content-Type-Options"] = "nosniff"
        return response
    raise Http404


def seen_until(request: HttpRequest) -> datetime | None:
    """Whoever helps with the challenge sees the data of phases that have not begun, too."""
    return None if VIEWER & request.relations else timezone.now()  # type: ignore[attr-defined]


urls = [
    path("c/<slug:challenge>/versions/<int:number>/files/<path:name>", picture, name="challenge-file"),
    path("c/<slug:challenge>/data/", data, name="challenge-data"),
    path("c/<slug:challenge>/data/<int:phase>/<slug:kind>", download, name="challenge-download"),
]
