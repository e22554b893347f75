"""A team's files, which can be submitted again or deleted."""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from palio.core.attempt.states import ENDS
from palio.core.errors import PalioError
from palio.web.models import Attempt, StoredFile, Upload, User
from palio.web.storage.files import current_store, store_changing
from palio.web.verbs import events

ORPHANS_KEPT = timedelta(days=1)

log = logging.getLogger(__name__)


def delete_file(file: StoredFile, user: User) -> None:
    """Delete the content, unless another team has the same; submissions keep their rows and results.

    Does nothing if it is already deleted. Raises PalioError "file-in-use".
    """
    with store_changing(settings.FOLDERS):
        with transaction.atomic():
            file = StoredFile.objects.select_for_update().get(pk=file.pk)
            if Attempt.objects.filter(submission__file=file).exclude(state__in=[*ENDS]).exists():
                raise PalioError("file-in-use", name=file.name)
            if file.deleted is None:
                file.deleted = timezone.now()
                file.save(update_fields=["deleted"])
                Upload.objects.filter(file=file).delete()
                events.record(
                    "file.deleted", actor=user, challenge=file.team.challenge, file=file.id, sha256=file.sha256
                )
        _remove_unused(file.sha256)


def _remove_unused(sha256: str) -> bool:
    """Remove the content from the store if no team has it; the store must be locked. What cannot be removed now becomes
    an orphan.
    """
    if StoredFile.objects.filter(sha256=sha256, deleted=None).exists():
        return False
    try:
        current_store().remove(sha256)
    except PalioError as error:
        log.error("%s is deleted, but still in the file store; it is removed later: %s", sha256, error)
        return False
    return True


def remove_orphans(now: datetime | None = None) -> int:
    """Remove files of the store that belong to no team, for example because a process was killed before it recorded
    one; return how many. Files younger than a day may just be getting recorded. Raises PalioError.
    """
    latest, removed = (now or timezone.now()) - ORPHANS_KEPT, 0
    for listed in current_store().listed():
        if listed.changed > latest or StoredFile.objects.filter(sha256=listed.sha256, deleted=None).exists():
            continue
        with store_changing(settings.FOLDERS):
            removed += _remove_unused(listed.sha256)
    return removed
