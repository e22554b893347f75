"""Records events, inside the transaction of the change they describe."""

from palio.web.models import Attempt, Challenge, Event, Submission, User


def record(
    kind: str,
    *,
    actor: User | None,
    challenge: Challenge | None = None,
    submission: Submission | None = None,
    attempt: Attempt | None = None,
    **detail: object,
) -> None:
    """Add a row; an attempt implies its submission, and a submission its challenge."""
    submission = submission or (attempt.submission if attempt else None)
    Event.objects.create(
        kind=kind,
        actor=actor,
        challenge=challenge or (submission.challenge if submission else None),
        submission=submission,
        attempt=attempt.identity if attempt else "",
        detail=detail,
    )
