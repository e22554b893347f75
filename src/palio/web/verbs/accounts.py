"""Account management for operators: reset links, deactivation, publishing rights."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.urls import reverse

from palio.core.errors import PalioError
from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.models import User
from palio.web.verbs import events


def reset_link(user: User, *, actor: User) -> str:
    """The path where this user can choose a new password, once, within three days."""
    if not user.is_active:
        raise PalioError("account-inactive", user=user.username)
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    with transaction.atomic():
        events.record("person.reset-link", actor=actor, user=user.username)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})


def set_active(user: User, active: bool, *, actor: User) -> User:
    """Deactivate an account and end its sessions, or reactivate it. No data is deleted."""
    if user == actor and not active:
        raise PalioError("account-own")
    return _set(user, "is_active", active, actor)


def remove_second_factors(user: User, *, actor: User) -> None:
    """Remove all second factors, recovery codes and passkeys of a user who has lost them."""
    with transaction.atomic():
        count, _ = Authenticator.objects.filter(user=user).delete()
        if count:
            events.record("person.second-factors-removed", actor=actor, user=user.username, count=count)


def set_language(user: User, language: str) -> None:
    """The language of mail to this user, by its code. Raises PalioError "value-unknown"."""
    if language not in LANGUAGE_NAMES:
        allowed = ", ".join(f"`{code}`" for code in LANGUAGE_NAMES)
        raise PalioError("value-unknown", value=language[:100], allowed=allowed)
    User.objects.filter(pk=user.pk).update(language=language)


def set_publisher(user: User, allowed: bool, *, actor: User) -> User:
    """Set whether a user may publish challenges."""
    return _set(user, "is_staff", allowed, actor)


def _set(user: User, field: str, value: bool, actor: User) -> User:
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if getattr(locked, field) != value:
            setattr(locked, field, value)
            locked.save(update_fields=[field])
            events.record("person.changed", actor=actor, user=user.username, what=field, value=value)
    return locked
