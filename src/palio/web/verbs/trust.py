"""What the engine that was found runs, and for whom, so that nothing is offered or taken that can only fail.

Sandboxes on the machine's own system are for its operators alone, unless they say; and they load no saved images.
"""

from collections.abc import Iterable, Mapping

from django.conf import settings

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.participant_failure import for_participant
from palio.core.verdicts import unloadable
from palio.engines import WITHOUT_IMAGES
from palio.web.models import ControllerBeat, User

_SHARED = "bubblewrap"
_NO_IMAGES = (
    "The engine of this platform has no images, so that none can be loaded. Hand in what the image was built from."
)


def refuse_untrusted(user: User, engine: str, kind: SubmissionKind, *, is_scored_only: bool = False) -> None:
    """Raises PalioError "submitter-untrusted" if nothing of this user's may run on this engine.

    Predictions are no program: only the organizers' own one runs, on them.
    """
    if engine != _SHARED or settings.CONFIGURATION.anyone_on_bubblewrap or user.is_superuser:
        return
    if not is_scored_only and kind is not SubmissionKind.RESULTS:
        raise PalioError("submitter-untrusted", engine=engine, user=user.get_username())


def refuse_now(user: User, kind: SubmissionKind) -> None:
    """The same at the time of submitting, for the engine that the controller has found; and PalioError
    "submission-kind-unsupported" for what that engine cannot run at all.
    """
    _refuse(user, _engine_now(), kind)


def left_out(kinds: Iterable[SubmissionKind], user: User) -> Mapping[SubmissionKind, str]:
    """Those of the kinds that `refuse_now` would refuse, and why, in the participant's words."""
    engine, found = _engine_now(), {}
    for kind in kinds:
        try:
            _refuse(user, engine, kind)
        except PalioError as error:
            is_unloadable = error.failure.code == "submission-kind-unsupported"
            found[kind] = _NO_IMAGES if is_unloadable else for_participant(error.failure).message
    return found


def _refuse(user: User, engine: str, kind: SubmissionKind) -> None:
    refuse_untrusted(user, engine, kind)
    if kind is SubmissionKind.IMAGE and engine in WITHOUT_IMAGES:
        raise unloadable(engine)


def _engine_now() -> str:
    """Its name; empty while none was found."""
    beat = ControllerBeat.objects.first()
    configured: str = settings.CONFIGURATION.engine
    return beat.engine.partition(" ")[0] if beat and configured == "auto" else configured
