from dataclasses import replace
from pathlib import Path

import pytest

from palio.core.engine import Build, BuildLimits, Load

LIMITS = BuildLimits(time_s=1, memory_bytes=2, size_bytes=3, network=False)
BUILD = Build("name", "digest", Path("context"), LIMITS, Path("log"))


@pytest.mark.parametrize(
    "other",
    [
        replace(BUILD, digest="other"),
        replace(BUILD, dockerfile="Other"),
        replace(BUILD, arguments={"A": ""}),
        replace(BUILD, limits=replace(LIMITS, network=True)),
        replace(BUILD, limits=replace(LIMITS, memory_bytes=3)),
        replace(BUILD, limits=replace(LIMITS, size_bytes=2)),
    ],
)
def test_build_image_differs(other: Build) -> None:
    assert other.image_key != BUILD.image_key


def test_build_image_same_everywhere() -> None:
    one, other = (replace(BUILD, arguments=arguments) for arguments in ({"A": "1", "B": "2"}, {"B": "2", "A": "1"}))
    assert one.image_key == replace(other, name="other", context=Path("there"), log=Path("here")).image_key
    assert BUILD.image_key != BUILD.digest  # as the images of Palio 0.1 were called


def test_load_image_by_archive() -> None:
    assert Load("name", "digest", Path("archive"), LIMITS, Path("log")).image_key == "digest"
