"""Lines of the log: as they always were for people, and objects for programs."""

import io
import json
import logging
import threading
from typing import Any

from palio.web.config.log_format import about, formatter, only_about


def logged(log_format: str, *calls: Any) -> list[str]:
    """The lines of what `calls` log."""
    logger, output = logging.Logger("palio.example"), io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter(log_format))
    logger.addHandler(handler)
    for call in calls:
        call(logger)
    return output.getvalue().splitlines()


def test_text_is_one_readable_line() -> None:
    (line,) = logged("text", lambda log: log.warning("%s is low", "the disk"))
    assert line[23:] == " WARNING palio.example: the disk is low"


def test_object_says_when_who_and_what() -> None:
    (line,) = logged("json", lambda log: log.warning("%s is\nlow", "the disk", extra={"fields": {"free": 7}}))
    found = json.loads(line)
    assert found.pop("time").endswith("+00:00")
    assert found.pop("process") > 0
    assert found == {"level": "WARNING", "logger": "palio.example", "message": "the disk is\nlow", "free": 7}


def test_traceback_is_a_field_of_its_line() -> None:
    def broken(log: logging.Logger) -> None:
        try:
            raise ValueError("seven\nlines")
        except ValueError:
            log.exception("It broke")

    (line,) = logged("json", broken)
    assert json.loads(line)["exception"].endswith("ValueError: seven\nlines")


def test_lines_about_an_attempt_have_its_ids_and_no_others_do() -> None:
    def one(log: logging.Logger) -> None:
        with about("attempt1", "submission1"):
            log.info("a")
            with about("attempt2", "submission2"):
                log.info("b")
            log.info("c")
        log.info("d")

    found = [json.loads(line) for line in logged("json", one)]
    assert [(each.get("attempt"), each.get("submission")) for each in found] == [
        ("attempt1", "submission1"),
        ("attempt2", "submission2"),
        ("attempt1", "submission1"),
        (None, None),
    ]


def test_thread_about_an_attempt_marks_only_its_own_lines() -> None:
    def one(log: logging.Logger) -> None:
        def work() -> None:
            only_about("attempt1", "submission1")
            log.info("in the thread")

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        log.info("outside")

    found = [json.loads(line) for line in logged("json", one)]
    assert [each.get("attempt") for each in found] == ["attempt1", None]
