"""Publishing a bundle from the browser."""

from pathlib import Path

from django.contrib import messages
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext

from palio.core.errors import PalioError
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge
from palio.web.pages.file_forms import receives_file
from palio.web.verbs.publish import Publication
from palio.web.verbs.upload_bundle import publish_archive


@receives_file
def publish(request: HttpRequest) -> HttpResponse:
    """Publish a new challenge, or a new version if the name is that of a challenge the user organizes."""
    if request.method != "POST":
        return render(request, "publish/form.html", {"challenge": None})
    return _received(request, None)


@receives_file
def publish_version(request: Request[Challenge], challenge: str) -> HttpResponse:
    found = request.subject
    if request.method != "POST":
        return render(request, "publish/form.html", {"challenge": found})
    return _received(request, found)


def _received(request: HttpRequest, challenge: Challenge | None) -> HttpResponse:
    context: dict[str, object] = {"challenge": challenge, "given": request.POST}
    file = request.FILES.get("bundle")
    try:
        if not isinstance(file, TemporaryUploadedFile):
            raise PalioError("file-missing")
        publication = publish_archive(
            Path(file.temporary_file_path()),
            file.name or "bundle.zip",
            actor=signed_in(request),
            slug=challenge.slug if challenge else request.POST.get("slug", "").strip() or None,
            draft="draft" in request.POST,
            note=request.POST.get("note", "").strip(),
            accept_findings=request.POST.get("accept_findings", ""),
        )
    except PalioError as error:
        return render(request, "publish/form.html", context | {"failure": error.failure}, status=error.status)
    return _published(request, publication)


def _published(request: HttpRequest, publication: Publication) -> HttpResponse:
    version = publication.version
    if publication.is_new:
        messages.success(request, gettext("Version %(number)s published.") % {"number": version.number})
    else:
        said = gettext("This bundle is identical to version %(number)s. Nothing was changed.")
        messages.info(request, said % {"number": version.number})
    for warning in publication.warnings:
        messages.warning(request, warning)
    return redirect("pages:challenge", version.challenge.slug)


urls = [
    path("publish/", publish, name="publish"),
    path("c/<slug:challenge>/versions/new/", publish_version, name="publish-version"),
]
