"""The servers that the operator has opened for submissions, although they are private or speak plain http."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from palio.core.errors import PalioError

VARIABLE = "PALIO_SUBMISSION_HOSTS"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")


@dataclass(frozen=True)
class OpenHosts:
    """`schemes`: `https` or `http` by host, with its port if one was written."""

    schemes: Mapping[str, str]

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> Self:
        """From `git.lab.example, http://10.1.2.3:5000`. Raises PalioError "usage"."""
        text = (os.environ if environment is None else environment).get(VARIABLE, "")
        schemes = {}
        for part in filter(None, (each.strip().rstrip("/") for each in text.split(","))):
            scheme, separator, host = part.rpartition("://")
            if not _HOST.fullmatch(host) or (separator and scheme not in ("http", "https")):
                raise PalioError(
                    "usage",
                    problem=f"{VARIABLE} is {text!r}, but {part!r} is not a server.",
                    next_step="Write hosts separated by commas, with a port if needed, such as "
                    "git.lab.example,registry.lab.example:5000. Put http:// before one that has no TLS.",
                )
            schemes[host.lower()] = scheme or "https"
        return cls(schemes)

    def scheme_of(self, host: str) -> str | None:
        """The scheme to reach an opened host with; None if it is not opened. `host` has its port if there is one."""
        return self.schemes.get(host.lower())

    def fault_of(self, url: str) -> str | None:
        """Why this address may not be opened, or None. Which address a name has is judged when connecting."""
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            return "its address contains a user name or password"
        opened = self.scheme_of(parts.netloc)
        if parts.scheme == "https" or (parts.scheme == "http" and opened == "http"):
            return None
        return f"its address begins with {parts.scheme}://, not https://"
