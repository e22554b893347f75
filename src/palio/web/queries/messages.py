"""Messages to participants, as organizers and receivers see them; shared by pages and API."""

from django.db.models import Count, QuerySet

from palio.web.models import Challenge, Message


def listed(challenge: Challenge) -> QuerySet[Message]:
    """Newest first, each with the number of its receivers as `count`."""
    return challenge.messages.select_related("author", "team").annotate(count=Count("receivers"))
