"""Links in mails that end mails of their kind, without signing in (RFC 8058).

A link is signed with the platform's secret, names one person and one kind, and never expires: mails are kept for years.
It can only stop mails. allauth sends mails about the account itself, such as password resets, without such a link.
"""

from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_noop

from palio.web.models import Mail, NotificationSettings, User
from palio.web.verbs import events
from palio.web.verbs.notifications import SAYS, Channel, Kind, settings_of

DIGEST = "digest"  # a kind of mail that is no notification
_SALT = "palio.unsubscribe"


@dataclass(frozen=True)
class Subscription:
    """What a link ends: mails of `kind` to `user`."""

    user: User
    kind: str

    @property
    def says(self) -> str:
        return (
            gettext_noop("Digest of the challenges that you organize") if self.kind == DIGEST else SAYS[Kind(self.kind)]
        )


def address(user: int, kind: str) -> str:
    """The whole address of the link."""
    link = signing.dumps([user, kind], salt=_SALT)
    return f"{settings.CONFIGURATION.address}{reverse('pages:unsubscribe', args=[link])}"


def read_link(link: str) -> Subscription | None:
    """None if the platform has not signed it, or the account is gone."""
    try:
        number, kind = signing.loads(link, salt=_SALT)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=number).first()
    return Subscription(user, kind) if user and kind in (*Kind, DIGEST) else None


def unsubscribe(subscription: Subscription, *, everything: bool = False) -> None:
    """Switch off mails of the kind, or of all kinds, and remove those that wait. The list on the platform stays."""
    user = subscription.user
    kinds = [*Kind, DIGEST] if everything else [subscription.kind]
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        found = settings_of(user)
        added = [f"{kind}/{Channel.MAIL}" for kind in kinds if kind != DIGEST]
        found.off = [*found.off, *(each for each in added if each not in found.off)]
        if DIGEST in kinds:
            found.digest = NotificationSettings.Digest.OFF
        found.save()
        Mail.objects.filter(user=user, kind__in=kinds, state=Mail.State.WAITING, leased_until=None).delete()
        events.record("notifications.unsubscribed", actor=user, mails="all" if everything else subscription.kind)
