"""Attacks that do not apply to an engine are not tests there; their folders say why (`not_on`).

Nor are those of an ordinary user where an ordinary user runs them all, and those that are no attack on a sandbox.
"""

from typing import Any

import pytest
from tests import ordinary_user
from tests.submissions.attacks import AS_USER


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _does_not_apply(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _does_not_apply(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    parameters: dict[str, Any] = call.params if call else {}
    if parameters.get("ground", "").endswith(AS_USER) and ("blind" in parameters or not ordinary_user.needed()):
        return True
    return "attack" in parameters and not parameters["attack"].applies_to(parameters["ground"])
