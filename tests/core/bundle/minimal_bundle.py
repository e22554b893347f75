"""The smallest bundle, and what its reader says of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

WriteBundle = Callable[..., Path]


MINIMAL = """\
version: 2
title: Small
pages: [{title: Overview, file: pages/overview.md}]
tasks: [{index: 0, scoring_program: scoring_program}]
phases: [{name: Only, start: 2025-01-01, tasks: [0]}]
leaderboards: [{columns: [{key: f1, sorting: desc}]}]
"""


def problems(path: Path) -> list[str]:
    with pytest.raises(PalioError) as raised:
        read_bundle(path)
    assert raised.value.failure.code == "bundle-invalid"
    return [line for line in raised.value.failure.evidence if not line.startswith("warning: ")]


def warnings(path: Path) -> list[str]:
    return [str(warning) for warning in read_bundle(path).warnings]
