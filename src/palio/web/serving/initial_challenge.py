"""`--with`: publishes a challenge at the start, the one that comes with Palio or one in a folder."""

import os
import tempfile
from pathlib import Path

from django.conf import settings

from palio.core.errors import PalioError
from palio.data.getting import find_challenge, get_mednist
from palio.data.in_place import data_in_place
from palio.data.shipped import copy_challenge
from palio.web.models import Challenge, ChallengeVersion, User
from palio.web.serving.admin import NAME

SLUG = "mednist"
_MEDNIST_ACCEPTED = (
    "MedNIST is a teaching challenge with public labels, as its page says. docs/data.md lists what the audit finds."
)
_FOLDER_ACCEPTED = "Published by the operator with `palio serve --with`."


def publish_at_start(named: str) -> str:
    """Publish a challenge and return a line for the terminal. `mednist` is the built-in one, all else a folder.

    A folder's challenge gets a new version if it has changed. Raises what publishing raises.
    """
    return _publish_mednist() if named == SLUG else _publish_folder(Path(named))


def _publish_folder(folder: Path) -> str:
    version, is_new = _publish(folder)
    slug = version.challenge.slug
    return f"{slug} published, version {version.number}" if is_new else f"{slug} already published, same as in {folder}"


def _publish_mednist() -> str:
    """Publish it unless it exists. Raises PalioError "data-missing" if the images are not on this machine.

    They are taken from the challenge's own folder or from PALIO_MEDNIST; nothing is downloaded, because a server should
    start quickly.
    """
    if Challenge.objects.filter(slug=SLUG).exists():
        return "mednist already published"
    shipped = find_challenge(Path.cwd())
    if shipped is None:
        raise PalioError(
            "usage",
            problem="The MedNIST challenge, which comes with Palio, was not found.",
            next_step="Install Palio again, or start it in a checkout of its source.",
        )
    if found := data_in_place(shipped):
        _publish(shipped, SLUG)
        return f"mednist published, with the images in {shipped}" + (
            " (PHANTOM images: synthetic, not medical)" if found == "phantom" else ""
        )
    images = os.environ.get("PALIO_MEDNIST")
    if not images:
        raise PalioError(
            "data-missing",
            path=shipped / "input_data",
            field="the images of MedNIST",
            next_step="Get them with `palio data get mednist` and start again; or where there is no network, have "
            "synthetic pictures drawn with `palio data get mednist --phantom`. PALIO_MEDNIST may name a copy of them.",
        )
    with tempfile.TemporaryDirectory(prefix=".mednist-", dir=settings.FOLDERS.root) as folder:
        challenge = Path(folder) / SLUG
        copy_challenge(shipped, challenge)
        get_mednist(challenge, Path(images))
        _publish(challenge, SLUG)
    return f"mednist published, with the images of {images}"


def _publish(folder: Path, slug: str | None = None) -> tuple[ChallengeVersion, bool]:
    from palio.web.verbs.publish import publish_bundle

    admin = User.objects.filter(username=NAME).first() or User.objects.filter(is_superuser=True).first()
    reason = _MEDNIST_ACCEPTED if slug == SLUG else _FOLDER_ACCEPTED
    done = publish_bundle(folder, actor=admin, slug=slug, accept_findings=reason)
    return done.version, done.is_new
