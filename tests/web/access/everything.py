"""A platform where one of everything exists, everybody that it knows, and every address that it answers."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.urls import URLPattern, get_resolver, reverse
from tests.web.full_challenge import Full, make_full
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.submitting import announce
from tests.web.tus import CHUNK_TYPE, VERSION, announcing
from tests.web.world import World, make_team

from palio.web.access.tokens import SCOPES
from palio.web.api import api
from palio.web.models import Announcement, ApiToken, Challenge, Registration, Submission, Team, Upload, User, Webhook
from palio.web.verbs import registry_accounts, unsubscribing
from palio.web.verbs.invitations import invite
from palio.web.verbs.messages import send as send_message
from palio.web.verbs.rescore import begin
from palio.web.verbs.tokens import make_token
from palio.web.verbs.webhook_secrets import encrypted, new_secret
from palio.web.verbs.webhooks import SCORED

# As docs/access.md names them. The captain has handed everything in; the rival is another team's captain.
ROLES = {
    "anonymous": None,
    "stranger": "stella",
    "captain": "bob",
    "team mate": "bea",
    "other team": "carol",
    "viewer": "vera",
    "scorer": "sam",
    "organizer": "alice",
    "other organizer": "olga",
    "publisher": "pia",
    "admin": "ada",
}


@dataclass(frozen=True)
class Call:
    """A method of an address: `name` is the page's, or the operation's."""

    name: str
    method: str

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


@dataclass(frozen=True)
class Secrets:
    """What was shown once, and is in the database as a hash alone."""

    token: str
    site: str
    challenge: str
    team: str


@dataclass(frozen=True)
class Everything:
    """Subjects of the challenge `mednist` (bob's, where they are somebody's), of carol, and of the draft."""

    full: Full
    people: Mapping[str, User | None]
    upload: Upload
    rival_upload: Upload
    rescore: str
    announcement: Announcement
    message: str  # to bob's team
    token: ApiToken
    invitations: Mapping[str, str]  # ids, by the page that takes them back
    secrets: Secrets
    webhooks: Mapping[str, str]  # ids, by the kind of their owner
    account: str  # of the team at a registry
    unpublished: Submission  # in the draft
    draft_registration: Registration

    @property
    def world(self) -> World:
        return self.full.world


def make_everything(world: World, folder: Path) -> Everything:
    full = make_full(world, folder)
    bundle = write_leaderboard_bundle(folder / "with-data", final="    public_data: public_data\n")
    (bundle / "public_data").mkdir()
    (bundle / "public_data" / "a.txt").write_text("apple")
    yaml = bundle / "competition.yaml"
    yaml.write_text(yaml.read_text().replace(", hidden: true", ""))  # with a hidden column, teams get no receipt
    publish(world.challenge, bundle)
    counted = full.best.counted
    assert counted is not None
    assert world.challenge.current is not None
    counted.version = world.challenge.current
    counted.save()
    people = {role: getattr(world, name) if name in vars(world) else None for role, name in ROLES.items() if name}
    stella = User.objects.create_user("stella", password="stella-long-password")
    people["stranger"] = stella
    people["publisher"] = User.objects.create_user("pia", password="pia-long-password", is_staff=True)
    rescore = begin(world.challenge, "Final", world.alice)
    said = Announcement.objects.create(challenge=world.challenge, title="Hello", text="All", author=world.alice)
    Team.objects.filter(pk=world.team.pk).update(is_public=True)
    token, secret = make_token(world.bob, "laptop", SCOPES, days=7)
    site, for_site = invite(world.ada)
    challenge, for_challenge = invite(world.alice, challenge=world.challenge)
    team, for_team = invite(world.bob, team=world.team)
    zebras = make_team(world.draft, "Zebras", world.alice)
    pending = Registration.objects.create(challenge=world.draft, user=stella)
    return Everything(
        full=full,
        people={"anonymous": None, **people},
        upload=announce(world.team, world.bob, b"x" * 3000, "blobs-coming.zip"),
        rival_upload=announce(world.rivals, world.carol, b"y" * 3000, "carolingians-coming.zip"),
        rescore=rescore.pk,
        announcement=said,
        message=send_message(world.challenge, "team", "Blobs", "Hello", "Private", actor=world.alice).pk,
        token=token,
        invitations={
            "pages:revoke-account-invitation": site.pk,
            "pages:revoke-invitation": challenge.pk,
            "pages:revoke-member-invitation": team.pk,
            "api:revoke-account-invitation": site.pk,
            "api:revoke-invitation": challenge.pk,
            "api:revoke-member-invitation": team.pk,
        },
        webhooks={
            kind: Webhook.objects.create(
                challenge=world.challenge,
                team=owner,
                url="https://ci.example.org/",
                events=[SCORED],
                secret=encrypted(new_secret()),
                created_by=by,
            ).pk
            for kind, owner, by in (("challenge", None, world.alice), ("team", world.team, world.bob))
        },
        account=registry_accounts.save(world.team, "ghcr.io", "lab", "pull-only", actor=world.bob).pk,
        secrets=Secrets(secret, for_site, for_challenge, for_team),
        unpublished=add_submission(zebras, phase="Final", scores=scores(0.5), minute=40),
        draft_registration=pending,
    )


def address(call: Call, of: Everything, **other: object) -> str:
    """Where a call goes for bob's subjects in `mednist`; `other` are other subjects."""
    best = of.full.best
    known: dict[str, Any] = {
        "challenge": of.world.challenge.slug,
        "team": of.world.team.pk,
        "file": best.file_id,
        "upload": of.upload.pk,
        "submission": best.pk,
        "registration": of.full.pending.pk,
        "rescore": of.rescore,
        "message": of.message,
        "link": unsubscribing.address(of.world.bob.pk, "scored").rstrip("/").rpartition("/")[2],
        "token": of.token.pk,
        "invitation": of.invitations.get(call.name),
        "webhook": of.webhooks["team" if "-team-" in call.name else "challenge"],
        "account": of.account,
        "code": of.secrets.challenge,
        "phase": "Final" if call.name in {"pages:leaderboard-phase", "pages:statistics-phase"} else 1,
        "kind": "public-data",
        "stage": "build",
        "index": 0,
        "number": 1 if call.name == "pages:challenge-file" else of.announcement.pk,
        "name": "dave" if call.name == "pages:change-account" else "logo.png",
        "username": "vera",
        "key": "x-y",
        "uidb36": "1",
        "pk": 1,
        **other,
    }
    return reverse(call.name, kwargs={name: known[name] for name in arguments(call)})


def body(call: Call, of: Everything) -> Mapping[str, object]:
    """What is sent along, where without it even whoever may do it would hear that something is not there."""
    return {
        "pages:submit-file": {"file": of.full.best.file_id},
        "api:submit": {"file": of.full.best.file_id},
        "api:accept-invitation": {"code": of.secrets.challenge},
        "api:send-message": {"to": "all", "title": "Hello", "text": "All"},
        "api:preview-message": {"to": "all", "title": "Hello", "text": "All"},
        "api:rename-team": {"name": "Blobs and more"},
    }.get(call.name, {})


def calls() -> list[Call]:
    """Every method of every address that has a name, from the resolver and from the API's operations."""
    found = [Call(name, method) for name, pattern in _patterns() for method in _methods(name, pattern)]
    found += [
        Call(f"api:{operation.url_name}", method)
        for _, router in api._routers
        for path in router.path_operations.values()
        for operation in path.operations
        for method in operation.methods
    ]
    return sorted(found, key=str)


def arguments(call: Call) -> tuple[str, ...]:
    """The names of what stands in its address."""
    return next(found for name, _, found in _below(get_resolver(), "", ()) if name == call.name)


def _patterns() -> Iterator[tuple[str, URLPattern]]:
    """Of the API only what ninja itself answers: its operations share patterns, and are found at their routers."""
    own = {f"api:{operation.url_name}" for _, router in api._routers for path in router.path_operations.values()
           for operation in path.operations}  # fmt: skip
    for name, pattern, _ in _below(get_resolver(), "", ()):
        if name not in own:
            yield name, pattern


def _below(resolver: Any, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, URLPattern, tuple[str, ...]]]:
    """Each pattern with its whole name, and the names of its arguments."""
    for pattern in resolver.url_patterns:
        found = (*above, *(pattern.pattern.converters or pattern.pattern.regex.groupindex))
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}", pattern, found
        else:
            yield from _below(pattern, f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix, found)


def _methods(name: str, pattern: URLPattern) -> list[str]:
    """GET and POST of what allauth has; of our own views what they say that they take."""
    if name.startswith("api:"):
        return ["GET"]
    if not name.startswith("pages:"):
        return ["GET", "POST"]
    view: Any = pattern.callback
    while view is not None:
        allowed = inspect.getclosurevars(view).nonlocals.get("request_method_list")
        if allowed:
            return list(allowed)
        inner, view = view, getattr(view, "__wrapped__", None)
    return ["GET", "POST"] if "request.method" in inspect.getsource(inner) else ["GET"]


def send(client: Any, call: Call, where: str, content: Mapping[str, object] | None = None) -> Any:
    """The answer, read to its end."""
    given: dict[str, Any] = {"headers": VERSION} if call.name == "api:get-upload" else {}
    if call.method not in ("GET", "HEAD", "OPTIONS"):
        is_api = call.name.startswith("api:")
        given = {"data": dict(content or {}), **({"content_type": "application/json"} if is_api else {})}
        if call.name == "pages:language" and not client.handler.enforce_csrf_checks:
            given["headers"] = {"Origin": "http://127.0.0.1"}  # as a browser sends it from one of our pages
        if call.name == "api:create-upload":
            given = {"headers": announcing(b"z" * 3000)}
        if call.name == "api:append-to-upload":
            given = {"data": b"x" * 1024, "content_type": CHUNK_TYPE, "headers": VERSION | {"Upload-Offset": "0"}}
        if call.name == "api:delete-upload":
            given = {"headers": VERSION}
    answer = getattr(client, call.method.lower())(where, **given)
    answer.whole = whole(answer)
    return answer


def whole(answer: Any) -> bytes:
    """All of a response's body."""
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def drafted(of: Everything) -> Mapping[str, object]:
    """The draft's subjects, in the place of bob's."""
    draft: Challenge = of.world.draft
    return {
        "challenge": draft.slug,
        "team": of.unpublished.team_id,
        "file": of.unpublished.file_id,
        "submission": of.unpublished.pk,
        "registration": of.draft_registration.pk,
    }
