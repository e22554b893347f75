"""Every engine has to pass every test that uses `trial`, which is each engine in turn, for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.trial import Trial, bubblewrap, bubblewrap_watching, docker, kubernetes


@pytest.fixture(
    params=[
        pytest.param(docker, marks=pytest.mark.docker, id="docker"),
        pytest.param(bubblewrap, marks=pytest.mark.bubblewrap, id="bubblewrap"),
        pytest.param(bubblewrap_watching, marks=pytest.mark.bubblewrap, id="bubblewrap-watching"),
        pytest.param(kubernetes, marks=[pytest.mark.docker, pytest.mark.kubernetes], id="kubernetes"),
    ]
)
def trial(request: pytest.FixtureRequest, tmp_path: Path, state: Path) -> Iterator[Trial]:
    made = Trial(request.param(state), lambda: request.param(state), tmp_path)
    yield made
    for work in made.works:
        made.engine.remove(work)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for the module, so that its image is built once."""
    return tmp_path_factory.mktemp("state")
