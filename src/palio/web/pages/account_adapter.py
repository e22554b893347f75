"""Sign-up rules for allauth: open to everyone or by invitation, with or without e-mail."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from palio.core.errors import PalioError

INVITED = "palio_invitation"  # session key: ID of the invitation that was followed


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return settings.CONFIGURATION.sign_up == "open" or _is_invited(request)

    def save_user(self, request: HttpRequest, user: Any, form: Any, commit: bool = True) -> Any:
        """Create the account and consume the invitation in one transaction."""
        from palio.web.verbs.invitations import take_for_account

        invited = request.session.get(INVITED)
        with transaction.atomic():
            user.language = get_language() or ""
            saved = super().save_user(request, user, form, commit)
            taken = bool(invited and commit and take_for_account(invited, saved))
            if settings.CONFIGURATION.sign_up != "open" and not taken:
                raise PalioError("invitation-invalid")
        if taken:
            request.session.pop(INVITED, None)
        return saved


def _is_invited(request: HttpRequest) -> bool:
    from palio.web.models import Invitation
    from palio.web.verbs.invitations import is_open

    invitation = Invitation.objects.filter(pk=request.session.get(INVITED, "")).select_related("used_by").first()
    return invitation is not None and is_open(invitation, None)
