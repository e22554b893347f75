"""Joining a challenge: accepting the terms, requesting to join, approval, withdrawal."""

import hashlib
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.bundle.model import Bundle
from palio.core.errors import PalioError
from palio.web.models import Challenge, ChallengeVersion, Registration, User
from palio.web.storage.bundles import bundle_of
from palio.web.verbs import events, notices
from palio.web.verbs.bulk import BulkResult, several
from palio.web.verbs.teams import ensure_team, leave_for_good


@dataclass(frozen=True)
class Terms:
    """Terms to accept, identified by their digest: accepting them does not accept later ones."""

    text: str
    digest: str


def terms_of(bundle: Bundle) -> Terms | None:
    if bundle.terms is None:
        return None
    content = bundle.terms.read_bytes()
    return Terms(content.decode(errors="replace"), hashlib.sha256(content).hexdigest())


def registration_of(challenge: Challenge, user: User) -> Registration | None:
    return Registration.objects.filter(challenge=challenge, user=user).select_related("terms_version").first()


def needs_terms(registration: Registration) -> bool:
    """Whether the terms have changed since this person accepted them."""
    terms = terms_of(bundle_of(_version(registration.challenge)))
    return terms is not None and terms.digest != registration.terms_digest


def join(challenge: Challenge, user: User, *, terms_digest: str = "", invited: bool = False) -> Registration:
    """Request to join. `terms_digest` is that of the text that was shown and accepted.

    The resulting state is approved, with a team of one, or pending. Raises PalioError.
    """
    version = _version(challenge)
    _refuse_closed(challenge, invited=invited)
    terms = _accepted(version, terms_digest)
    approved = invited or challenge.joining == Challenge.Joining.OPEN
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        registration = registration_of(challenge, user)
        if registration is None:
            registration = Registration(challenge=challenge, user=user)
        else:
            _refuse_state(registration, invited=invited)
        now = timezone.now()
        registration.state = Registration.State.APPROVED if approved else Registration.State.PENDING
        registration.created = now
        registration.decided, registration.decided_by = (now if approved else None), None
        _note_terms(registration, version, terms)
        registration.save()
        if approved:
            ensure_team(challenge, user)
        events.record(
            "registration.made",
            actor=user,
            challenge=challenge,
            state=registration.state,
            terms=registration.terms_digest,
            version=version.number,
        )
    return registration


def accept_terms(registration: Registration, terms_digest: str) -> Registration:
    """Accept the terms of a later version."""
    version = _version(registration.challenge)
    terms = _accepted(version, terms_digest)
    with transaction.atomic():
        _note_terms(registration, version, terms)
        registration.save(update_fields=["terms_version", "terms_digest", "terms_accepted"])
        events.record(
            "terms.accepted",
            actor=registration.user,
            challenge=registration.challenge,
            terms=registration.terms_digest,
            version=version.number,
        )
    return registration


def decide(registration: Registration, *, approve: bool, actor: User) -> Registration:
    """Approve or refuse a join request. Decisions can be changed, but a person who has submitted cannot be refused."""
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update().get(pk=registration.challenge_id)
        locked = Registration.objects.select_for_update().select_related("user").get(pk=registration.pk)
        wanted = Registration.State.APPROVED if approve else Registration.State.REFUSED
        if locked.state == wanted:
            return locked
        if locked.state == Registration.State.WITHDRAWN:
            raise PalioError("join-request-withdrawn", user=locked.user.username)
        if not approve and challenge.submissions.filter(user=locked.user).exists():
            raise PalioError("participant-has-submissions", user=locked.user.username)
        before, locked.state = locked.state, wanted
        locked.decided, locked.decided_by = timezone.now(), actor
        locked.save(update_fields=["state", "decided", "decided_by"])
        if approve:
            ensure_team(challenge, locked.user)
        else:
            leave_for_good(challenge, locked.user)
        events.record(
            "registration.decided",
            actor=actor,
            challenge=challenge,
            user=locked.user.username,
            before=before,
            state=wanted,
        )
        notices.decided(locked, at=locked.decided)
    return locked


def decide_several(registrations: QuerySet[Registration], *, approve: bool, actor: User) -> BulkResult:
    """Decide on each, the oldest first; one that is refused does not hold up the others."""
    return several(
        registrations.select_related("user").order_by("created"),
        lambda each: decide(each, approve=approve, actor=actor),
        lambda each: each.user.username,
    )


def withdraw(challenge: Challenge, user: User) -> None:
    """Withdraw from the challenge. Submissions stay until they are withdrawn themselves."""
    with transaction.atomic():
        Challenge.objects.select_for_update().get(pk=challenge.pk)
        registration = registration_of(challenge, user)
        if registration is None or registration.state == Registration.State.WITHDRAWN:
            raise PalioError("not-a-participant")
        if registration.state == Registration.State.REFUSED:
            raise PalioError("not-a-participant")
        leave_for_good(challenge, user)
        registration.state = Registration.State.WITHDRAWN
        registration.save(update_fields=["state"])
        events.record("registration.withdrawn", actor=user, challenge=challenge)


def _version(challenge: Challenge) -> ChallengeVersion:
    if challenge.current is None:
        raise PalioError("challenge-empty")
    return challenge.current


def _refuse_closed(challenge: Challenge, *, invited: bool) -> None:
    if challenge.visibility == Challenge.Visibility.ARCHIVED:
        raise PalioError("challenge-archived")
    if challenge.visibility == Challenge.Visibility.DRAFT:
        raise PalioError("challenge-draft")
    if challenge.joining == Challenge.Joining.INVITATION and not invited:
        raise PalioError("invitation-needed")


def _refuse_state(registration: Registration, *, invited: bool) -> None:
    if registration.state == Registration.State.REFUSED and not invited:
        raise PalioError("join-request-refused")
    if registration.state == Registration.State.APPROVED:
        raise PalioError("already-joined")
    if registration.state == Registration.State.PENDING and not invited:
        raise PalioError("join-request-pending")


def _accepted(version: ChallengeVersion, digest: str) -> Terms | None:
    terms = terms_of(bundle_of(version))
    if terms is None or digest == terms.digest:
        return terms
    if not digest:
        raise PalioError("terms-not-accepted")
    raise PalioError("terms-changed")


def _note_terms(registration: Registration, version: ChallengeVersion, terms: Terms | None) -> None:
    if terms is not None:
        registration.terms_version = version
        registration.terms_digest, registration.terms_accepted = terms.digest, timezone.now()
