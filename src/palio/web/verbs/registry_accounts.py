"""A team's accounts at registries of images. Their secrets are encrypted, and never shown, logged or exported."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from palio.core.dockerfile.image_names import ImageName, ImageNameError
from palio.core.errors import PalioError
from palio.engines.sources.accounts import Credential
from palio.web.models import RegistryAccount, Team, User
from palio.web.verbs import encryption, events

MOST = 5  # of a team
USERNAME_CHARACTERS, SECRET_CHARACTERS = 200, 8000  # tokens of cloud registries are long
_PURPOSE = "registry accounts"


def accounts_of(team: Team) -> QuerySet[RegistryAccount]:
    return team.registry_accounts.select_related("saved_by").order_by("registry")


def save(team: Team, registry: str, username: str, secret: str, *, actor: User) -> RegistryAccount:
    """Adds an account, or replaces the one at the same registry. Raises PalioError."""
    name, username, secret = registry_name(registry), _single_line(username), _single_line(secret)
    if not 0 < len(username) <= USERNAME_CHARACTERS or ":" in username or not 0 < len(secret) <= SECRET_CHARACTERS:
        raise PalioError("registry-account-invalid", limit=f"{SECRET_CHARACTERS:,}", name_limit=USERNAME_CHARACTERS)
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        if accounts_of(team).exclude(registry=name).count() >= MOST:
            raise PalioError("registry-accounts-too-many", limit=MOST)
        saved, _ = RegistryAccount.objects.update_or_create(
            team=team,
            registry=name,
            defaults={
                "username": username,
                "secret": encryption.encrypted(secret, _PURPOSE),
                "saved_by": actor,
                "saved": timezone.now(),
            },
        )
        _record("team.registry-account-saved", saved, actor)
    return saved


def delete(account: RegistryAccount, *, actor: User) -> None:
    with transaction.atomic():
        _record("team.registry-account-deleted", account, actor)
        account.delete()


def credential(team: Team, registry: str) -> Credential | None:
    """The team's account at a registry. None too where it was encrypted under an earlier secret of the platform."""
    found = team.registry_accounts.filter(registry=registry).first()
    if found is None:
        return None
    try:
        return Credential(found.username, encryption.decrypted(found.secret, _PURPOSE))
    except encryption.SecretUnreadableError:
        return None


def registry_name(text: str) -> str:
    """The registry as image names have it. Raises PalioError "registry-name-invalid"."""
    text = text.replace("\0", "").strip()
    given = text.removeprefix("https://").rstrip("/").lower()
    try:
        read = ImageName.read(f"{given}/lab/model").registry
    except ImageNameError:
        read = ""
    if not given or "/" in given or (read != given and given != f"index.{read}"):
        raise PalioError("registry-name-invalid", registry=text[:100])
    return read


def _single_line(text: str) -> str:
    """Nothing if it has control characters, which no account has and headers must not have."""
    text = text.strip()
    return text if text.isprintable() else ""


def _record(kind: str, account: RegistryAccount, actor: User) -> None:
    events.record(
        kind,
        actor=actor,
        challenge=account.team.challenge,
        team=account.team_id,
        registry=account.registry,
        username=account.username,
    )
