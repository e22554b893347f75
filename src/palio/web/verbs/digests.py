"""Digests by mail for organizers: what happened in their challenges since the last one.

A digest and the time until which it reports are committed together. A challenge in which nothing happened is left out,
and a digest of none is not sent.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext, ngettext, override

from palio.core.attempt.states import State
from palio.web.language.numbers import number
from palio.web.language.times import minute
from palio.web.language.words import word
from palio.web.models import Attempt, Challenge, NotificationSettings, Registration, RoleKind
from palio.web.verbs.notifications import addresses, footer, languages_of, title_of, write_mail
from palio.web.verbs.unsubscribing import DIGEST

LASTS = {NotificationSettings.Digest.DAILY: timedelta(days=1), NotificationSettings.Digest.WEEKLY: timedelta(days=7)}


def write_due_digests(now: datetime) -> int:
    """Writes the mail; returns how many."""
    written = 0
    reachable = addresses().filter(user__is_active=True).values("user_id")
    for digest, lasts in LASTS.items():
        due = NotificationSettings.objects.filter(digest=digest, digest_until__lte=now - lasts, user__in=reachable)
        for row in due:
            written += _write(row.pk, digest, now)
    return written


def _write(user: int, digest: NotificationSettings.Digest, now: datetime) -> bool:
    with transaction.atomic():
        row = NotificationSettings.objects.select_for_update().get(pk=user)
        since = row.digest_until
        if row.digest != digest or since is None or since > now - LASTS[digest]:
            return False  # changed, or written by another controller
        row.digest_until = now
        row.save(update_fields=["digest_until"])
        organized = Challenge.objects.filter(roles__user=user, roles__kind=RoleKind.ORGANIZER)
        listed = organized.exclude(visibility=Challenge.Visibility.ARCHIVED).select_related("current").order_by("slug")
        with override(languages_of([user])[user]):
            parts = [part for challenge in listed if (part := _of_challenge(challenge, since, now))]
            if not parts:
                return False
            text = "\n\n".join(
                [gettext("Since %(time)s UTC:") % {"time": minute(since)}, *parts, footer(_why(digest, len(parts)))]
            )
            is_daily = digest == NotificationSettings.Digest.DAILY
            subject = gettext("Your daily digest") if is_daily else gettext("Your weekly digest")
            write_mail(f"digest/{now.isoformat()}", subject, text, [user], kind=DIGEST)
    return True


def _why(digest: NotificationSettings.Digest, challenges: int) -> str:
    if digest == NotificationSettings.Digest.DAILY:
        form = ngettext(
            "You organize %(count)s challenge with news and asked for a daily digest.",
            "You organize %(count)s challenges with news and asked for a daily digest.",
            challenges,
        )
    else:
        form = ngettext(
            "You organize %(count)s challenge with news and asked for a weekly digest.",
            "You organize %(count)s challenges with news and asked for a weekly digest.",
            challenges,
        )
    return form % {"count": number(challenges, ",")}


def _of_challenge(challenge: Challenge, since: datetime, until: datetime) -> str:
    """Empty if there is nothing to report."""
    people = challenge.registrations
    joined = people.filter(state=Registration.State.APPROVED, decided__gt=since, decided__lte=until).count()
    pending = people.filter(state=Registration.State.PENDING).count()
    submissions = challenge.submissions.filter(created__gt=since, created__lte=until).count()
    ended = Attempt.objects.filter(
        submission__challenge=challenge, rescore=None, finished__gt=since, finished__lte=until
    )
    scored = ended.filter(state=State.SCORED).count()
    failed = dict(ended.filter(state=State.FAILED).values_list("failure_cause").annotate(Count("pk")))
    forms = [
        (joined, ngettext("%(count)s person joined", "%(count)s people joined", joined), ""),
        (
            pending,
            ngettext(
                "%(count)s join request waiting for your decision",
                "%(count)s join requests waiting for your decision",
                pending,
            ),
            "",
        ),
        (submissions, ngettext("%(count)s submission", "%(count)s submissions", submissions), ""),
        (scored, ngettext("%(count)s evaluation scored", "%(count)s evaluations scored", scored), ""),
    ]
    for cause, count in sorted(failed.items()):
        form = ngettext(
            "%(count)s evaluation failed; action needed: %(party)s",
            "%(count)s evaluations failed; action needed: %(party)s",
            count,
        )
        forms.append((count, form, word(cause)))
    lines = [form % {"count": number(count, ","), "party": party} for count, form, party in forms if count]
    if not lines:
        return ""
    address = f"{settings.CONFIGURATION.address}/c/{challenge.slug}/manage/"
    return "\n".join([title_of(challenge), address, *(f"- {line}" for line in lines)])
