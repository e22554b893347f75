"""What the engine can run, and for whom, so that nothing is offered or accepted that can only fail.

Sandboxes on the host system are only for operators, unless they say otherwise, and cannot load images. An engine
that does not enforce an isolation property runs no programs of participants, unless operators accept that by its name.
"""

from collections.abc import Iterable, Mapping, Sequence

from django.conf import settings
from django.utils.translation import gettext_noop

from palio.core.attempt.verdicts import unloadable
from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.errors import PalioError
from palio.core.redaction.failure import for_participant
from palio.engines import WITHOUT_IMAGES
from palio.web.models import ControllerBeat, User

_SHARED = "bubblewrap"
_NO_IMAGES = gettext_noop(
    "The engine of this platform cannot load images. Submit the files that the image was built from."
)


def refuse_untrusted(user: User, engine: str) -> None:
    """Raises PalioError "submitter-untrusted" if no program of this user may run on this engine."""
    if engine == _SHARED and not settings.CONFIGURATION.anyone_on_bubblewrap and not user.is_superuser:
        raise PalioError("submitter-untrusted", engine=engine, user=user.get_username())


def refuse_unenforced(user: User, engine: str, unenforced: Sequence[str]) -> None:
    """Raises PalioError "isolation-unenforced" for a participant, unless the configuration accepts each by name.

    `unenforced`: the isolation properties that the engine does not enforce on this machine.
    """
    refused = [each for each in unenforced if each not in settings.CONFIGURATION.accept_unenforced]
    if refused and not user.is_superuser:
        properties = " or ".join(refused)
        raise PalioError("isolation-unenforced", engine=engine, properties=properties, user=user.get_username())


def refuse_now(user: User, kind: SubmissionKind, phase: Phase | None = None) -> None:
    """The same when submitting, for the engine that the controller found; also raises PalioError
    "submission-kind-unsupported" for what that engine cannot run at all.
    """
    _refuse(user, kind, phase)


def left_out(kinds: Iterable[SubmissionKind], user: User, phase: Phase | None = None) -> Mapping[SubmissionKind, str]:
    """The kinds that `refuse_now` would refuse, each with the reason for the participant."""
    found = {}
    for kind in kinds:
        try:
            _refuse(user, kind, phase)
        except PalioError as error:
            is_unloadable = error.failure.code == "submission-kind-unsupported"
            found[kind] = _NO_IMAGES if is_unloadable else for_participant(error.failure).message
    return found


def _refuse(user: User, kind: SubmissionKind, phase: Phase | None = None) -> None:
    """Predictions are no program: only the organizers' scoring program runs on them. What another engine than the
    platform's does not enforce is only known to the controller.
    """
    beat = ControllerBeat.objects.order_by("-time").first()
    configured: str = settings.CONFIGURATION.engine
    engine = beat.engine.partition(" ")[0] if beat and configured == "auto" else configured  # empty until one is found
    unenforced = beat.unenforced if beat else ()
    named = settings.CONFIGURATION.engines.of(phase.rules.engine) if phase else None
    if named is not None and named.engine not in ("", engine):
        engine, unenforced = named.engine, ()
    if kind is not SubmissionKind.RESULTS:
        refuse_untrusted(user, engine)
        refuse_unenforced(user, engine, unenforced)
    if kind in (SubmissionKind.IMAGE, SubmissionKind.REFERENCE) and engine in WITHOUT_IMAGES:
        raise unloadable(engine, kind)
