"""Errors by their codes, for tests that are about something else than the sentences."""

from collections.abc import Callable
from typing import Any

import pytest

from palio.core.errors import PalioError


def code_of(call: Callable[[], object]) -> str:
    """The code of the PalioError that `call` raises."""
    with pytest.raises(PalioError) as raised:
        call()
    return raised.value.failure.code


def shown(code: str, **facts: Any) -> str:
    """How an error is shown in one line: its message and next step."""
    failure = PalioError(code, **facts).failure
    return f"{failure.message} {failure.next_step}"
