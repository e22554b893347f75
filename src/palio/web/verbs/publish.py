"""Publishing: a bundle becomes a challenge, or the next version of one.

A published version never changes. Each new version lists its changes for participants.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from palio.core.bundle.difference import differences
from palio.core.bundle.model import Bundle
from palio.core.bundle.read import named_digest
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile
from palio.core.files.staging import reading as reading_source
from palio.web.models import Challenge, ChallengeVersion, Role, RoleKind, User
from palio.web.storage.bundles import bundle_of, keep_reading, read_new, reading_at
from palio.web.storage.files import bundle_path, keep_bundle
from palio.web.verbs import events
from palio.web.verbs.data_audit import Audited, accept, audit_data

SLUG_CHARACTERS = 60


@dataclass(frozen=True)
class Publication:
    """`is_new` is false if the bundle was already published and nothing was done."""

    version: ChallengeVersion
    is_new: bool
    warnings: tuple[str, ...]


def publish(
    folder: Path, *, actor: User | None, slug: str | None = None, draft: bool = False, note: str = ""
) -> ChallengeVersion:
    """Publish `folder` and return its version, new or existing; see `publish_bundle`."""
    return publish_bundle(folder, actor=actor, slug=slug, draft=draft, note=note).version


def publish_bundle(
    folder: Path,
    *,
    actor: User | None,
    slug: str | None = None,
    draft: bool = False,
    note: str = "",
    accept_findings: str = "",
    same_data: bool = False,
    base: int | None = None,
) -> Publication:
    """Check the bundle in `folder`, store a copy, and make it the current version of the challenge `slug`.

    Without a slug, one is made from the title. A draft is visible only to its organizers; publishing again without
    `draft` makes it visible to everyone. A new version of a challenge with submissions needs a `note`. New data is
    audited; `accept_findings` is the reason why serious findings are acceptable. `same_data`: it is that of the current
    version, so it is not audited again. `base`: the number that the current version must have. Raises PalioError
    listing all problems of the bundle, "data-findings" or "edit-outdated".
    """
    content = read_new(folder)
    reading = reading_at(content, Path(content["root"]))
    bundle = reading.bundle
    name = _slug(slug, bundle.title)
    _refuse_early(name, bundle, actor, draft=draft)
    digest = _keep(bundle)
    if named_digest(reading_at(content, bundle_path(settings.FOLDERS, digest)).bundle) != bundle.digest:
        raise PalioError("folder-unreadable", path=folder, reason="its files were changed while it was being published")
    keep_reading(digest, content)
    audited = Audited()
    if content["has_images"] and not same_data and not _is_current(name, digest):
        audited = audit_data(bundle_path(settings.FOLDERS, digest))
    accepted = accept(audited, accept_findings)
    try:
        with transaction.atomic():
            version, is_new = _publish(name, digest, bundle, actor=actor, draft=draft, note=note, base=base)
            if accepted:
                events.record(
                    "challenge.findings_accepted",
                    actor=actor,
                    challenge=version.challenge,
                    version=version.number,
                    digest=digest,
                    reason=accepted,
                    findings=list(audited.serious),
                )
    except IntegrityError:  # somebody else has just taken the name
        raise _taken(name) from None
    return Publication(version, is_new, (*reading.warnings, *audited.warnings))


def _slug(slug: str | None, title: str) -> str:
    name = slugify(title)[:SLUG_CHARACTERS].strip("-") if slug is None else slug
    if not name or name != slugify(name) or len(name) > SLUG_CHARACTERS:
        raise PalioError("slug-invalid", name=name or title, limit=SLUG_CHARACTERS)
    return name


def _is_current(slug: str, digest: str) -> bool:
    return Challenge.objects.filter(slug=slug, current__digest=digest).exists()


def _taken(slug: str) -> PalioError:
    return PalioError("slug-taken", slug=slug)


def _refuse_early(slug: str, bundle: Bundle, actor: User | None, *, draft: bool) -> None:
    """Checks before anything is copied; those of the challenge are repeated in the transaction."""
    _refuse_engine(bundle)
    challenge = Challenge.objects.filter(slug=slug).first()
    if challenge is not None:
        _refuse_version(challenge, bundle, actor, draft=draft)


def _refuse_engine(bundle: Bundle) -> None:
    known = settings.CONFIGURATION.engines
    for phase in bundle.phases:
        if (name := phase.rules.engine) and known.of(name) is None:
            names = "It has: " + ", ".join(known.names) if known.names else "It has no named engines"
            raise PalioError("engine-unnamed", phase=phase.name, name=name, names=f"{names}.")


def _refuse_version(challenge: Challenge, bundle: Bundle, actor: User | None, *, draft: bool) -> None:
    organizers = challenge.roles.filter(kind=RoleKind.ORGANIZER, user=actor)
    if actor is not None and not actor.is_superuser and not organizers.exists():
        raise _taken(challenge.slug)
    if challenge.visibility == Challenge.Visibility.ARCHIVED:
        raise PalioError("publish-archived", slug=challenge.slug)
    if draft and challenge.visibility == Challenge.Visibility.PUBLISHED:
        raise PalioError("publish-not-draft", slug=challenge.slug)
    named = {phase.name for phase in bundle.phases}
    used = challenge.submissions.order_by("phase").values_list("phase", flat=True).distinct()
    if gone := [phase for phase in used if phase not in named]:
        raise PalioError("phase-in-use", phases=_quoted(gone))


def _quoted(names: Sequence[str]) -> str:
    return "the phase " + " and ".join(f"“{name}”" for name in names)


def _keep(bundle: Bundle) -> str:
    try:
        with reading_source(bundle.root):
            return keep_bundle(settings.FOLDERS, bundle.root)
    except UnfitFile as fault:
        raise PalioError("folder-unreadable", path=bundle.root, reason=str(fault)) from None


def _publish(
    slug: str, digest: str, bundle: Bundle, *, actor: User | None, draft: bool, note: str, base: int | None
) -> tuple[ChallengeVersion, bool]:
    challenge = Challenge.objects.select_for_update().filter(slug=slug).first()
    if base is not None and challenge and challenge.current and challenge.current.number != base:
        raise PalioError("edit-outdated", number=challenge.current.number, base=base)
    if challenge is None:
        challenge = _make(slug, bundle, actor)
    else:
        _refuse_version(challenge, bundle, actor, draft=draft)
    before = challenge.current
    version = before
    if version is None or version.digest != digest:
        if not note.strip() and challenge.submissions.exists():  # its change register needs the reason
            raise PalioError("publish-reason-missing", slug=slug)
        version = _add_version(challenge, digest, bundle, actor, note)
    becomes_public = not draft and challenge.visibility != Challenge.Visibility.PUBLISHED
    if becomes_public:
        challenge.visibility = Challenge.Visibility.PUBLISHED
    challenge.save()
    if version != before:
        detail: dict[str, Any] = {"version": version.number, "digest": digest, "draft": draft}
        events.record("challenge.published", actor=actor, challenge=challenge, **detail)
    if becomes_public:
        events.record("challenge.shown", actor=actor, challenge=challenge, visibility=challenge.visibility)
    return version, version != before or (becomes_public and before is not None)


def _make(slug: str, bundle: Bundle, actor: User | None) -> Challenge:
    joining = Challenge.Joining.OPEN if bundle.auto_approve else Challenge.Joining.APPROVAL
    challenge = Challenge.objects.create(slug=slug, joining=joining)
    if actor is not None:
        Role.objects.create(challenge=challenge, user=actor, kind=RoleKind.ORGANIZER, granted_by=actor)
        events.record("role.granted", actor=actor, challenge=challenge, user=actor.username, role=RoleKind.ORGANIZER)
    return challenge


def _add_version(challenge: Challenge, digest: str, bundle: Bundle, actor: User | None, note: str) -> ChallengeVersion:
    before = challenge.current
    old = bundle_of(before) if before else None
    changes = differences(old, bundle) if old else ()
    version = ChallengeVersion.objects.create(
        challenge=challenge,
        number=before.number + 1 if before else 1,
        digest=digest,
        title=bundle.title[:200],
        changes=[asdict(change) for change in changes],
        note=note.replace("\0", ""),  # PostgreSQL cannot store NUL
        published_by=actor,
    )
    if old and old.auto_approve != bundle.auto_approve and challenge.joining != Challenge.Joining.INVITATION:
        challenge.joining = Challenge.Joining.OPEN if bundle.auto_approve else Challenge.Joining.APPROVAL
    challenge.current = version
    challenge.leaderboard_revision += 1
    return version
