"""The file stores on which the same tests run."""

import os
from collections.abc import Iterator

import pytest
from tests.conftest import NO_AZURITE, lacking
from tests.web.storage.services import Service, azure, program, s3


@pytest.fixture(scope="session", params=["s3", "azure"])
def started(request: pytest.FixtureRequest) -> Iterator[Service]:
    if request.param == "s3":
        if program("moto_server") is None:
            lacking("moto is not installed (make setup)")
        with s3() as service:
            yield service
        return
    if program("azurite-blob") is None:
        pytest.skip(NO_AZURITE)
    with azure() as service:
        yield service


@pytest.fixture
def service(started: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """With an empty bucket, and its variables in the environment."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    yield started
    started.empty()
