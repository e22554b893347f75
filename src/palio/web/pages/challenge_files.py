"""Files of a challenge: pictures on its pages, and downloads for participants. Never hidden data."""

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import path

from palio.core.bundle.color import DARK_PAPER, readable_on, text_on
from palio.web.http.request import Request
from palio.web.models import Challenge
from palio.web.queries.challenges import ACCENT, published, sample_pictures, visible_until
from palio.web.reading.markdown import PICTURES, is_public
from palio.web.storage.bundles import bundle_of, reading_of
from palio.web.storage.downloads import download_response, downloads

_ONE_DAY_S = 24 * 3600


def picture(request: Request[Challenge], challenge: str, number: int, name: str) -> HttpResponseBase:
    """A file that the pages of this version show: a picture, a small picture of a sample case, or the accent as a style
    sheet, because the pages allow no inline styles. An SVG is only served as a download or inside <img>.
    """
    version = request.subject.versions.filter(number=number).first()
    if version is None:
        raise Http404
    bundle = bundle_of(version)
    if name == ACCENT and (color := bundle.presentation.accent):
        return _accent(color)
    if sample := dict(sample_pictures(version, request.relations)).get(name):
        return _kept(HttpResponse(sample, "image/png"))
    if name not in reading_of(version).pictures:
        raise Http404
    file = bundle.root / name
    if not is_public(bundle, file) or not file.is_file():
        raise Http404
    suffix = file.suffix.lower()
    response = FileResponse(
        file.open("rb"), as_attachment=suffix == ".svg", filename=file.name, content_type=PICTURES[suffix]
    )
    return _kept(response)


def _accent(color: str) -> HttpResponseBase:
    dark = readable_on(DARK_PAPER, color)
    content = (
        f":root {{ --accent: {color}; --on-accent: {text_on(color)}; }}\n"
        "@media (prefers-color-scheme: dark) {\n"
        f"  :root {{ --accent: {dark}; --on-accent: {text_on(dark)}; }}\n"
        "}\n"
    )
    return _kept(HttpResponse(content, "text/css; charset=utf-8"))


def _kept(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = f"private, max-age={_ONE_DAY_S}"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def data(request: Request[Challenge], challenge: str) -> HttpResponse:
    found, _, bundle = published(request.subject)
    context = {"challenge": found, "bundle": bundle, "downloads": downloads(bundle, visible_until(request.relations))}
    return render(request, "challenge/data.html", context)


def download(request: Request[Challenge], challenge: str, phase: int, kind: str) -> HttpResponseBase:
    found, _, bundle = published(request.subject)
    return download_response(bundle, found.slug, phase, kind, visible_until(request.relations))


urls = [
    path("c/<slug:challenge>/versions/<int:number>/files/<path:name>", picture, name="challenge-file"),
    path("c/<slug:challenge>/data/", data, name="challenge-data"),
    path("c/<slug:challenge>/data/<int:phase>/<slug:kind>", download, name="challenge-download"),
]
