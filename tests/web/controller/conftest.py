from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.web.controller.desk import Desk

MakeDesk: TypeAlias = Callable[..., Desk]


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()
