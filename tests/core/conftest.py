"""Fixtures of the evaluation's tests."""

from pathlib import Path

import pytest
from tests.core.small_challenge import SmallChallenge


@pytest.fixture
def challenge(tmp_path: Path) -> SmallChallenge:
    return SmallChallenge(tmp_path)
