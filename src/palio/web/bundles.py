"""The bundles of published challenges, read once in each process."""

from functools import lru_cache

from django.conf import settings

from palio.core.bundle.model import Bundle, Phase
from palio.core.bundle.read import read_bundle
from palio.web.models import Challenge, ChallengeVersion
from palio.web.store import bundle_path


def bundle_of(version: ChallengeVersion) -> Bundle:
    return _read(version.digest)


def current_bundle(challenge: Challenge) -> Bundle:
    """Of the version that is shown and evaluated with. Raises ValueError before the first is published."""
    if challenge.current is None:
        raise ValueError(f"{challenge.slug} has no version yet")
    return bundle_of(challenge.current)


def phase_named(bundle: Bundle, name: str) -> Phase | None:
    return next((phase for phase in bundle.phases if phase.name == name), None)


@lru_cache(maxsize=64)  # a bundle under a digest never changes
def _read(digest: str) -> Bundle:
    return read_bundle(bundle_path(settings.FOLDERS, digest))
