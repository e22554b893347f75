import pytest

from palio.core.engine import JOB_UIDS
from palio.core.errors import PalioError
from palio.engines.job_users import VARIABLE, job_uids


def test_range_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert job_uids() == JOB_UIDS
    monkeypatch.setenv(VARIABLE, "20000-20009")
    assert job_uids() == range(20000, 20010)


@pytest.mark.parametrize("text", ["0-10", "20000", "20009-20000", "20000-99999999999", "a-b"])
def test_range_invalid(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(PalioError) as raised:
        job_uids()
    assert raised.value.failure.code == "usage"
