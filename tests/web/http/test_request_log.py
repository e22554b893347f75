"""What Django's log of requests keeps: what broke, and not what was refused for now."""

import logging
import sys

import pytest

from palio.web.http.request_log import OnlyWhatBroke


@pytest.mark.parametrize(
    ("status", "broke", "is_logged"),
    [(500, True, True), (500, False, True), (503, False, False), (507, False, False), (503, True, True)],
)
def test_temporary_refusal_not_logged_as_error(status: int, broke: bool, is_logged: bool) -> None:
    trace = None
    if broke:
        try:
            raise OSError
        except OSError:
            trace = sys.exc_info()
    record = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "%s", ("/api/v1/uploads",), trace)
    record.status_code = status
    assert OnlyWhatBroke().filter(record) is is_logged
