"""What organizers see on pages that are not the desk's."""

from django import template

from palio.web.desk.audit import of_submission
from palio.web.models import Event, Submission

register = template.Library()
_SHOWN = 30


@register.simple_tag
def submission_events(submission: Submission) -> list[Event]:
    """The last things that people did with it."""
    return [*of_submission(submission).order_by("-id")[:_SHOWN]][::-1]
