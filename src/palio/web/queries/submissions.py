"""Files and submissions of a team."""

from django.db.models import Prefetch, QuerySet

from palio.web.models import StoredFile, Submission, Team


def submissions_of(team: str, phase: str | None = None) -> QuerySet[Submission]:
    """Newest first."""
    rows = Submission.objects.filter(team=team, **({"phase": phase} if phase else {}))
    return rows.select_related("challenge", "team", "user", "file", "counted__version").order_by("-created", "id")


def files_of(team: Team) -> QuerySet[StoredFile]:
    """Files that are not deleted, newest first."""
    submissions = Submission.objects.select_related("counted__version").order_by("-created")
    rows = StoredFile.objects.filter(team=team, deleted=None).order_by("-created", "id")
    return rows.prefetch_related(Prefetch("submissions", submissions))
