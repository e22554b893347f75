"""The admin account that operates the platform: created at the first start, with a sign-in link that works once."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.db import transaction
from django.urls import reverse

from palio.core.errors import PalioError
from palio.web.models import User
from palio.web.verbs import events

NAME = "admin"


def link_if_nobody_is_in() -> str | None:
    """A sign-in link for the admin until one can sign in; the first call creates the account."""
    admins = list(User.objects.filter(is_superuser=True, is_active=True))
    if any(admin.has_usable_password() or admin.last_login for admin in admins):
        return None
    return link_for(admins[0] if admins else _make_admin(NAME))


def new_link(name: str) -> str:
    """A link with which `name` sets a new password; makes them an admin. Raises PalioError "usage"."""
    user = User.objects.filter(username=name).first()
    if user is None and User.objects.filter(is_superuser=True).exists():
        raise PalioError(
            "usage",
            problem=f"There is no account named {name}.",
            next_step="Name one that there is; the accounts of admins are: "
            + ", ".join(User.objects.filter(is_superuser=True).values_list("username", flat=True)),
        )
    if user is not None and not (user.is_superuser and user.is_active):
        with transaction.atomic():
            user.is_superuser = user.is_staff = user.is_active = True
            user.save(update_fields=["is_superuser", "is_staff", "is_active"])
            events.record("admin.made", actor=None, user=user.username)
    return link_for(user or _make_admin(name))


def link_for(user: User) -> str:
    """Valid until the password is set, or for three days (Django's PASSWORD_RESET_TIMEOUT)."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.CONFIGURATION.address}{path}"


def _make_admin(name: str) -> User:
    with transaction.atomic():
        user = User.objects.create_superuser(name)  # without a password, so nobody can sign in
        events.record("admin.made", actor=None, user=user.username)
    return user
