"""Addresses as they may stand in a log: some have a key in them that lets whoever reads it in.

Covered: invitations, links to a new password, confirmed addresses, sign-in elsewhere, in the log of requests and in
what Django says about a request. Not covered: what another program logs, such as a proxy in front.
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
