"""What the log says of requests: not what is refused in the ordinary way, and addresses without their keys.

Some addresses have a key in them that lets whoever reads it in. Covered: invitations, links to a new password,
confirmed addresses, sign-in elsewhere, in the log of requests and in what Django says about a request. Not covered:
what another program logs, such as a proxy in front.
"""

import logging

_SHOWN_CHARACTERS = 24  # longer parts of a path may be such keys, which have 32 characters and more


def shown_path(path: str) -> str:
    """Without what may be a key, and without control characters, which would write lines of their own."""
    plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in path)
    return "/".join(part if len(part) <= _SHOWN_CHARACTERS else f"{part[:4]}…" for part in plain.split("/"))


class HideKeys(logging.Filter):
    """For the handlers of Django's loggers, which write whole paths."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                shown_path(value.partition("?")[0]) if isinstance(value, str) and value.startswith("/") else value
                for value in record.args
            )
        return True


class OnlyWhatBroke(logging.Filter):
    """For Django's log of requests, which holds each answer of 500 and more for an error.

    A refusal for now, as when many upload at once or a disk is full, is an answer; what broke comes with a trace.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None or getattr(record, "status_code", 500) not in {503, 507}
