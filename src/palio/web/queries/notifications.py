"""A person's notifications, shared by pages and API."""

from collections.abc import Mapping

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.db.models import QuerySet

from palio.web.models import Notification, NotificationSettings, User
from palio.web.verbs.notifications import SAYS, Channel, addresses

MOST_COUNTED = 99


def unread_count(user: User | AnonymousUser) -> str:
    """For the header: empty without unread notifications. Every page has it, also one about a failed database."""
    if not isinstance(user, User):
        return ""
    try:
        count = Notification.objects.filter(user=user, read=None)[: MOST_COUNTED + 1].count()
    except DatabaseError:
        return ""
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count or "")


def listed(user: User, *, unread: bool = False) -> QuerySet[Notification]:
    """Newest first."""
    rows = Notification.objects.filter(user=user, **({"read": None} if unread else {}))
    return rows.select_related("challenge__current").order_by("-created", "id")


def choices(found: NotificationSettings) -> Mapping[str, Mapping[str, bool]]:
    """For each kind, for each channel, whether it is on."""
    return {kind.value: {channel.value: f"{kind}/{channel}" not in found.off for channel in Channel} for kind in SAYS}


def mail_address(user: User) -> str:
    """Where this person gets mail; empty if the platform sends none, or has no confirmed address."""
    if not settings.CONFIGURATION.mail_url:
        return ""
    return addresses().filter(user=user).values_list("email", flat=True).first() or ""
