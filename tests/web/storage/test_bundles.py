"""Published bundles, as they were read: kept beside them, and made again where that is missing."""

from pathlib import Path

import pytest
from django.conf import settings
from tests.web.world import World

from palio.core.bundle.read import read_bundle
from palio.web.storage import bundles
from palio.web.storage.bundles import bundle_of, current_bundle, reading_of
from palio.web.storage.files import bundle_path


def kept(world: World) -> list[Path]:
    version = world.challenge.current
    assert version
    return sorted(settings.FOLDERS.bundles.glob(f".{version.digest}-*.json"))


def test_bundle_read_in_process_equal(world: World) -> None:
    version = world.challenge.current
    assert version
    bundles._read.cache_clear()
    assert bundle_of(version) == read_bundle(bundle_path(settings.FOLDERS, version.digest))


def test_bundle_cached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = current_bundle(world.challenge)
    assert len(kept(world)) == 1
    bundles._read.cache_clear()
    monkeypatch.setattr(bundles, "read_bounded", None)
    assert current_bundle(world.challenge) == before


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]", b'{"bundle": {}}', b"\xff"])
def test_bundle_cache_missing_or_damaged(world: World, content: bytes | None) -> None:
    before = reading_of(world.challenge.current)  # type: ignore[arg-type]
    (place,) = kept(world)
    place.unlink() if content is None else place.write_bytes(content)
    bundles._read.cache_clear()
    again = reading_of(world.challenge.current)  # type: ignore[arg-type]
    assert (again.bundle, again.pictures) == (before.bundle, before.pictures)
    assert kept(world) == [place]


def test_bundle_cache_of_other_version_removed(world: World) -> None:
    current_bundle(world.challenge)
    (place,) = kept(world)
    other = place.with_name(place.name.replace("-", "-0.0.1-", 1))
    place.rename(other)
    bundles._read.cache_clear()
    current_bundle(world.challenge)
    assert kept(world) == [place]
