from collections.abc import Callable
from typing import TypeAlias

import pytest
from tests.web.controller.stepped_controller import SteppedController

MakeDesk: TypeAlias = Callable[..., SteppedController]


@pytest.fixture
def stepped(make_controller: MakeDesk) -> SteppedController:
    return make_controller()
