from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.web.controller.desk import Desk
from tests.web.people import World

MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(world: World, tmp_path: Path) -> Iterator[MakeDesk]:
    made: list[Desk] = []

    def make(**configured: object) -> Desk:
        made.append(Desk(tmp_path, **configured))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(make_desk: MakeDesk) -> Desk:
    return make_desk()
