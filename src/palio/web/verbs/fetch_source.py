"""Fetches a submission that is not uploaded: an image by reference, or the files at a tag of a Git repository.

What a reference or tag means is pinned here, before anything counts; the file that is kept says so. A tag that meant
something else before is noted.
"""

from collections.abc import Mapping

from palio.core.bundle.model import Phase, SubmissionKind
from palio.core.bundle.pick_phase import pick_phase
from palio.core.errors import PalioError
from palio.core.submission.reference import parse_image
from palio.engines.sources.git import fetch_tag
from palio.engines.sources.images import pin_image
from palio.web.models import StoredFile, Team, User
from palio.web.reading.bounded import SUBMISSIONS, without_folder
from palio.web.storage.bundles import current_bundle
from palio.web.storage.upload_folder import UploadFolder, room
from palio.web.verbs import registry_accounts
from palio.web.verbs.complete_upload import take_fetched
from palio.web.verbs.engine_support import refuse_now
from palio.web.verbs.uploads import most_bytes

SOURCE_CHARACTERS = 1000
_FETCH_S = 50.0  # proxies in front wait for a response for a minute


def fetch_source(
    team: Team, user: User, source: str, phase: Phase | None = None, kind: SubmissionKind | None = None
) -> StoredFile:
    """Returns the team's file, ready to be submitted; fetching the same again returns the same file.

    Raises PalioError "source-missing", and the errors of engines.sources, complete_upload and engine_support.
    """
    source = source.replace("\0", "").strip()
    if not source:
        raise PalioError("source-missing")
    phase = phase or pick_phase(current_bundle(team.challenge), None)
    is_git = "://" in source or source.startswith("git@")
    if not is_git:
        _refuse_references(source, phase)
        refuse_now(user, SubmissionKind.REFERENCE, phase)
    UploadFolder.refuse_full(0)
    folder = UploadFolder.of_form("fetched")
    try:
        with SUBMISSIONS.taken_by(team.pk), room():
            folder.make()
            fetch = _of_git if is_git else _of_image
            name, origin = fetch(source, folder, phase, team)
        file = take_fetched(
            team, user, folder.content.parent / name, origin, SubmissionKind.REFERENCE if not is_git else kind, phase
        )
    except PalioError as error:
        raise without_folder(error, folder.root) from None
    finally:
        folder.remove()
    _note_move(file, origin)
    return file


def _of_image(source: str, folder: UploadFolder, phase: Phase, team: Team) -> tuple[str, dict[str, str]]:
    account = registry_accounts.credential(team, parse_image(source)[0].registry)
    found = pin_image(source, max_bytes=phase.rules.build.size_bytes, time_s=_FETCH_S, account=account)
    name = f"{found.called.replace(':', '-')}.json"
    (folder.content.parent / name).write_bytes(found.document())
    return name, {"source": found.repository, "tag": found.tag, "digest": found.digest, "platform": found.platform}


def _of_git(source: str, folder: UploadFolder, phase: Phase, _team: Team) -> tuple[str, dict[str, str]]:
    found = fetch_tag(source, folder.content.parent, max_bytes=most_bytes(phase), time_s=_FETCH_S)
    return found.archive.name, {"source": found.repository, "tag": found.tag, "commit": found.commit}


def _refuse_references(source: str, phase: Phase) -> None:
    if SubmissionKind.REFERENCE not in phase.rules.submissions:
        allowed = ", ".join(f"`{kind}`" for kind in phase.rules.submissions)
        facts = {"kind": SubmissionKind.REFERENCE, "phase": phase.name, "allowed": allowed}
        raise PalioError("submission-kind-refused", name=source[:200], **facts)


def _note_move(file: StoredFile, origin: Mapping[str, str]) -> None:
    """Notes on the file that its tag meant something else when the team last used it."""
    pinned = "commit" if "commit" in origin else "digest"
    if not origin["tag"]:
        return
    same_tag = {"origin__source": origin["source"], "origin__tag": origin["tag"]}
    before = (
        StoredFile.objects.filter(team=file.team, created__lt=file.created, **same_tag)
        .exclude(**{f"origin__{pinned}": origin[pinned]})
        .order_by("-created")
        .first()
    )
    if before is None:
        return
    was = str(before.origin[pinned]).removeprefix("sha256:")[:12]
    note = f"the tag `{origin['tag']}` has moved: on {before.created:%Y-%m-%d at %H:%M} UTC it was {was}"
    if note not in file.notes:
        file.notes = [*file.notes, note]
        file.save(update_fields=["notes"])
