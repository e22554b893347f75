"""Tags for what organizers see outside the dashboard."""

from django import template

from palio.web.models import Event, Submission
from palio.web.queries.audit_log import of_submission
from palio.web.queries.event_sentences import sentence

register = template.Library()
register.filter("sentence", sentence)
_SHOWN = 30


@register.simple_tag
def submission_events(submission: Submission) -> list[Event]:
    """The latest things that people did with a submission, oldest first."""
    return [*of_submission(submission).order_by("-id")[:_SHOWN]][::-1]
