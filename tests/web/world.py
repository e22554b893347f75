"""The people that tests of the platform are about, each with what they may do in the challenge `mednist`.

alice organizes it; sam scores, vera views; bob and bea are one team, carol another; dave has an account and nothing
else; olga organizes another challenge; ada operates the platform.
"""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from palio.web.models import Challenge, ChallengeVersion, Membership, Registration, Role, RoleKind, Team, User
from palio.web.storage.bundles import bundle_of
from palio.web.storage.files import keep_bundle
from palio.web.verbs.joining import terms_of


@dataclass(frozen=True)
class World:
    """`challenge` and `other` are published, `draft` is not; `team` is bob's and bea's, `rivals` is carol's."""

    alice: User
    sam: User
    vera: User
    bob: User
    bea: User
    carol: User
    dave: User
    olga: User
    ada: User
    challenge: Challenge
    other: Challenge
    draft: Challenge
    team: Team
    rivals: Team


def make_world(bundle: Path) -> World:
    """All of them, in an empty database; the challenges are versions of `bundle`."""
    names = ("alice", "sam", "vera", "bob", "bea", "carol", "dave", "olga")
    people = {name: User.objects.create_user(name, password=f"{name}-long-password") for name in names}
    people["ada"] = User.objects.create_superuser("ada", password="ada-long-password")
    digest = keep_bundle(settings.FOLDERS, bundle)
    published, draft = Challenge.Visibility.PUBLISHED, Challenge.Visibility.DRAFT
    challenge = make_challenge("mednist", digest, people["alice"], published)
    other = make_challenge("other", digest, people["olga"], published)
    hidden = make_challenge("draft", digest, people["alice"], draft)
    Role.objects.create(challenge=challenge, user=people["sam"], kind=RoleKind.SCORER)
    Role.objects.create(challenge=challenge, user=people["vera"], kind=RoleKind.VIEWER)
    team = make_team(challenge, "Blobs", people["bob"], people["bea"])
    rivals = make_team(challenge, "Carolingians", people["carol"])
    return World(**people, challenge=challenge, other=other, draft=hidden, team=team, rivals=rivals)


def make_challenge(slug: str, digest: str, organizer: User, visibility: Challenge.Visibility) -> Challenge:
    challenge = Challenge.objects.create(slug=slug, visibility=visibility)
    version = ChallengeVersion.objects.create(
        challenge=challenge, number=1, digest=digest, title=slug, published_by=organizer
    )
    challenge.current = version
    challenge.save()
    Role.objects.create(challenge=challenge, user=organizer, kind=RoleKind.ORGANIZER)
    return challenge


def make_team(challenge: Challenge, name: str, captain: User, *others: User) -> Team:
    team = Team.objects.create(challenge=challenge, name=name, captain=captain)
    version = challenge.current
    terms = terms_of(bundle_of(version)) if version else None
    for user in (captain, *others):
        Membership.objects.create(team=team, challenge=challenge, user=user)
        Registration.objects.create(
            challenge=challenge,
            user=user,
            state=Registration.State.APPROVED,
            decided=timezone.now(),
            terms_version=version if terms else None,
            terms_digest=terms.digest if terms else "",
            terms_accepted=timezone.now() if terms else None,
        )
    return team
