"""Whose programs are run where: sandboxes on the machine's own system are for its operators alone, unless they say."""

from django.conf import settings

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.web.models import ControllerBeat, User

_SHARED = "bubblewrap"


def refuse_untrusted(user: User, engine: str, kind: SubmissionKind, *, is_scored_only: bool = False) -> None:
    """Raises PalioError "submitter-untrusted" if nothing of this user's may run on this engine.

    Predictions are no program: only the organizers' own one runs, on them.
    """
    if engine != _SHARED or settings.CONFIGURATION.anyone_on_bubblewrap or user.is_superuser:
        return
    if not is_scored_only and kind is not SubmissionKind.RESULTS:
        raise PalioError("submitter-untrusted", engine=engine, user=user.get_username())


def refuse_untrusted_now(user: User, kind: SubmissionKind) -> None:
    """The same at the time of submitting, for the engine that the controller has found."""
    beat = ControllerBeat.objects.first()
    configured: str = settings.CONFIGURATION.engine
    engine = beat.engine.partition(" ")[0] if beat and configured == "auto" else configured
    refuse_untrusted(user, engine, kind)
