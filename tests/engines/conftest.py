"""Every engine has to pass every test that uses `trial`, which is each engine in turn, for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engines.trial import Trial, bubblewrap, bubblewrap_watching, docker, kubernetes

ON_KUBERNETES = [pytest.mark.docker, pytest.mark.kubernetes]  # Docker builds its images
# What docs/kubernetes.md says that this engine does not do, at least in the cluster with Kubernetes 1.20 where it is
# tested, whose network policies nothing enforces.
NOT_ON_KUBERNETES = {
    "test_shared_memory_size": "kubelets before 1.22 do not limit volumes in memory",
    "test_network_loopback_only": "nothing enforces the network policy",
}


@pytest.fixture(
    params=[
        pytest.param(docker, marks=pytest.mark.docker, id="docker"),
        pytest.param(bubblewrap, marks=pytest.mark.bubblewrap, id="bubblewrap"),
        pytest.param(bubblewrap_watching, marks=pytest.mark.bubblewrap, id="bubblewrap-watching"),
        pytest.param(kubernetes, marks=ON_KUBERNETES, id="kubernetes"),
    ]
)
def trial(request: pytest.FixtureRequest, tmp_path: Path, state: Path) -> Iterator[Trial]:
    name = request.function.__name__
    if request.param is kubernetes and name in NOT_ON_KUBERNETES:
        pytest.xfail(NOT_ON_KUBERNETES[name])
    made = Trial(request.param(state), lambda: request.param(state), tmp_path)
    yield made
    for work in made.works:
        made.engine.remove(work)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kept for the module, so that its image is built once."""
    return tmp_path_factory.mktemp("state")
