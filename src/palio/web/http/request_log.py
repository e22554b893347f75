"""Request logs without ordinary refusals, and without secrets in URLs.

Some URLs contain a key that lets its reader in. Covered: invitations, password reset links, address verification and
sign-in through other services, in the request log and in Django's messages about requests. Not covered: other programs
that log, such as a proxy in front.
"""

import logging

_SHOWN_CHARACTERS = 24  # longer parts of a path may be keys, which have at least 32 characters


def shown_path(path: str) -> str:
    """The path without possible keys, and without control characters, which could forge log lines."""
    plain = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in path)
    return "/".join(part if len(part) <= _SHOWN_CHARACTERS else f"{part[:4]}…" for part in plain.split("/"))


class HideKeys(logging.Filter):
    """A filter for Django's loggers, which write whole paths."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                shown_path(value.partition("?")[0]) if isinstance(value, str) and value.startswith("/") else value
                for value in record.args
            )
        return True


class OnlyWhatBroke(logging.Filter):
    """A filter for Django's request log, which reports every response of 500 and above as an error.

    A temporary refusal, such as for a full disk, is no error; real errors come with a traceback.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is not None or getattr(record, "status_code", 500) not in {503, 507}
