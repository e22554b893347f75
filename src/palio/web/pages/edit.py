"""Editing dates, limits and texts of a challenge: a form, a review of what it changes, and the new version."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import gettext

from palio.core.bundle.edit import FIELDS, Edit, Field, has_editable_phases, shown_values, texts_of
from palio.core.bundle.model import Bundle
from palio.core.errors import PalioError
from palio.web.http.request import Request, signed_in
from palio.web.models import Challenge
from palio.web.pages.dashboard import dashboard_context
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import edit_bundle

_FIRST_FIELDS = 4  # dates and submission limits; limits of stages come after them


@dataclass(frozen=True)
class Input:
    """A field of the form: its name in the form, and what it holds now."""

    field: Field
    name: str
    value: str


@dataclass(frozen=True)
class Text:
    title: str
    file: str
    name: str
    value: str
    changed: bool


def edit(request: Request[Challenge], challenge: str) -> HttpResponse:
    """`do` is `review` or `publish`; without it, the form with the current values is shown."""
    found = request.subject
    bundle = current_bundle(found)
    typed = request.POST if request.method == "POST" else {}
    wanted = _wanted(bundle, typed)
    reviewed, refused = None, None
    if request.method == "POST":
        try:
            if request.POST.get("do") == "publish":
                return _published(request, wanted)
            _refuse_outdated(found, request.POST.get("base", ""))
            reviewed = edit_bundle.review(found, wanted, actor=signed_in(request))
        except PalioError as error:
            refused = error
            if error.failure.code in {"edit-unconfirmed", "edit-reason-missing", "reason-too-long"}:
                reviewed = edit_bundle.review(found, wanted, actor=signed_in(request))
    context = dashboard_context(
        request,
        "edit",
        phases=_phases(bundle, typed) if has_editable_phases(bundle) else [],
        texts=_texts(bundle, typed),
        base=found.current.number if found.current else 0,
        reviewed=reviewed,
        refused=refused,
        reason=request.POST.get("reason", ""),
    )
    return render(request, "dashboard/edit.html", context, status=refused.status if refused else 200)


def _published(request: Request[Challenge], wanted: Edit) -> HttpResponse:
    base = request.POST.get("base", "")
    _refuse_outdated(request.subject, base)
    done = edit_bundle.apply(
        request.subject,
        wanted,
        base=int(base),
        reason=request.POST.get("reason", ""),
        confirm="confirm" in request.POST,
        actor=signed_in(request),
    )
    messages.success(request, gettext("Version %(number)s published.") % {"number": done.version.number})
    for warning in done.warnings:
        messages.warning(request, warning)
    return redirect("pages:challenge-versions", request.subject.slug)


def _refuse_outdated(challenge: Challenge, base: str) -> None:
    number = challenge.current.number if challenge.current else 0
    if base != str(number):
        raise PalioError("edit-outdated", number=number, base=base[:12] or "?")


def _wanted(bundle: Bundle, typed: Mapping[str, str]) -> Edit:
    """What the form says. A field that it does not have keeps its value."""
    phases = {
        phase.name: {each.key: typed[name] for each in FIELDS if (name := f"phase-{phase.index}-{each.key}") in typed}
        for phase in bundle.phases
    }
    names = enumerate(texts_of(bundle))
    texts = {file: typed[name] for place, file in names if (name := f"text-{place}") in typed}
    return Edit({name: values for name, values in phases.items() if values}, texts)


def _phases(bundle: Bundle, typed: Mapping[str, str]) -> list[tuple[str, list[Input], list[Input]]]:
    """For each phase its name, dates and submission limits, and limits of stages."""
    found = []
    for phase in bundle.phases:
        shown = shown_values(phase)
        inputs = []
        for each in FIELDS:
            name = f"phase-{phase.index}-{each.key}"
            inputs.append(Input(each, name, typed.get(name, shown[each.key])))
        found.append((phase.name, inputs[:_FIRST_FIELDS], inputs[_FIRST_FIELDS:]))
    return found


def _texts(bundle: Bundle, typed: Mapping[str, str]) -> list[Text]:
    found = []
    for place, (file, (title, where)) in enumerate(texts_of(bundle).items()):
        now = where.read_text(encoding="utf-8", errors="replace")
        value = typed.get(f"text-{place}", now)
        found.append(Text(title, file, f"text-{place}", value, value.split() != now.split()))
    return found


urls = [path("c/<slug:challenge>/manage/edit/", edit, name="edit-challenge")]
