"""A team's files, which can be submitted again or deleted."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from palio.core.attempt.states import ENDS
from palio.core.errors import PalioError
from palio.web.models import Attempt, StoredFile, Upload, User
from palio.web.storage.files import remove_file, store_changing
from palio.web.verbs import events


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
        if not StoredFile.objects.filter(sha256=file.sha256, deleted=None).exists():
            remove_file(settings.FOLDERS, file.sha256)
