"""Looks every minute for what people are told because of the time: phases that close soon, digests that are due."""

import logging
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from palio.web.controller.outgoing import remove_old
from palio.web.models import Challenge, Mail, Notification
from palio.web.storage.bundles import current_bundle
from palio.web.verbs.digests import write_due_digests
from palio.web.verbs.notices import closes_soon

LOOK_S = 60.0
SOON = timedelta(hours=24)
KEPT = timedelta(days=180)  # a notification

log = logging.getLogger("palio.controller")


def look_at_time() -> float:
    """Writes what is due; returns how many seconds to wait for the next time."""
    now = timezone.now()
    published = Challenge.objects.exclude(current=None).filter(visibility=Challenge.Visibility.PUBLISHED)
    for challenge in published.select_related("current"):
        try:
            for phase in current_bundle(challenge).phases:
                if phase.end is not None and phase.start <= now < phase.end <= now + SOON:
                    with transaction.atomic():
                        closes_soon(challenge, phase, phase.end)
        except Exception:
            log.exception("Looking at the phases of a challenge failed; it is tried again later")
    write_due_digests(now)
    remove_old(Mail)
    Notification.objects.filter(created__lt=now - KEPT).delete()
    return LOOK_S
