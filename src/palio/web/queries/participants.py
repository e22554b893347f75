"""Participants of a challenge, including pending, refused and withdrawn ones."""

from django.db.models import OuterRef, Q, QuerySet, Subquery

from palio.web.models import Challenge, Membership, Registration


def registrations(challenge: Challenge, *, q: str = "", state: str = "") -> QuerySet[Registration]:
    """Oldest request first, each with the user's `team` and `team_id`."""
    membership = Membership.objects.filter(challenge=OuterRef("challenge"), user=OuterRef("user"))
    rows = challenge.registrations.select_related("user", "decided_by", "terms_version").annotate(
        team=Subquery(membership.values("team__name")[:1]), team_id=Subquery(membership.values("team_id")[:1])
    )
    if q:
        rows = rows.filter(Q(user__username__icontains=q) | Q(team__icontains=q))
    if state:
        rows = rows.filter(state=state)
    return rows.order_by("created", "id")
