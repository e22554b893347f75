"""How this platform is set up: flags, then PALIO_* environment, then palio.toml; strict, all problems at once.

The command line hands its flags on as environment, so that every process of the tree reads the same. What is secret is
neither repeated in a problem nor shown when a configuration is printed.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading
from palio.core.quantities import GIB
from palio.engines import ENGINES
from palio.web.config import values as takes
from palio.web.config.values import Reader, ValueRefusedError, is_loopback

FILE = "palio.toml"
TABLE = "server"
_FROM_FILE = "_file"  # at the end of a setting's name: the value is what that file holds


def _setting(read: Reader, default: object, says: str, *, secret: bool = False) -> Any:
    """A field of Configuration: how its value is read, what it is if not given, and what it says."""
    return field(default=default, repr=not secret, metadata={"read": read, "says": says, "secret": secret})


@dataclass(frozen=True)
class Configuration:
    """Each field is a key of [server] in palio.toml, and in the environment PALIO_ and its name in capitals."""

    data: Path = _setting(takes.path, Path("palio-data"), "the folder of everything: database, files, runs, keys")
    host: str = _setting(takes.text, "127.0.0.1", "the address to listen at")
    port: int = _setting(takes.whole(1, 65535), 8000, "the port to listen at")
    url: str = _setting(takes.url, "", "the address that people open, as https://palio.example.org")
    allowed_hosts: tuple[str, ...] = _setting(takes.names, (), "names it answers under, beside that of `url`")
    secret: str = _setting(
        takes.secret, "", "what sessions are signed with, 50 characters or more; made at the first start", secret=True
    )
    secure_cookies: bool = _setting(takes.flag, False, "whether cookies are sent over TLS alone")
    trust_proxy: bool = _setting(takes.flag, False, "whether a proxy in front says by X-Forwarded-* who asks and how")
    database_url: str = _setting(
        takes.database, "", "postgresql://user:password@host/name; without it, SQLite in `data`", secret=True
    )
    workers: int = _setting(takes.whole(1, 64), 1, "processes that answer requests")
    threads: int = _setting(takes.whole(1, 256), 32, "requests that each of them answers at a time")
    request_log: bool = _setting(takes.flag, False, "whether each request is logged; slow and broken ones always are")
    sign_up: str = _setting(
        takes.one_of("open", "invitation"), "open", "who may make an account: `open` or `invitation`"
    )
    engine: str = _setting(
        takes.one_of("auto", *ENGINES), "auto", "where containers run: `auto`, `docker` or `bubblewrap`"
    )
    anyone_on_bubblewrap: bool = _setting(
        takes.flag, False, "whether bubblewrap also runs submissions by others than this platform's operators"
    )
    slots: int = _setting(takes.whole(1, 256), 1, "attempts that run at a time")
    cpus: float = _setting(takes.number(0, 4096), 0.0, "CPUs that attempts may use together; 0: all of this machine's")
    memory_gib: float = _setting(
        takes.number(0, 65536), 0.0, "GiB that attempts may use together; 0: all of this machine's"
    )
    gpus: int = _setting(takes.whole(0, 64), 0, "GPUs that attempts may use together")
    max_upload_gib: float = _setting(takes.number(0.001, 1024), 20.0, "GiB that a file handed in may have")
    mail_url: str = _setting(
        takes.mail, "", "smtp://user:password@host:587; without it no mail is sent, and none needed", secret=True
    )
    mail_from: str = _setting(takes.text, "", "the address that mail comes from")
    oidc_name: str = _setting(takes.text, "", "what the button of the identity provider says")
    oidc_url: str = _setting(takes.issuer, "", "the identity provider's address (OpenID Connect)")
    oidc_client: str = _setting(takes.text, "", "this platform's client id there")
    oidc_secret: str = _setting(takes.text, "", "and its secret", secret=True)

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * GIB)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_gib * GIB)

    @property
    def is_local(self) -> bool:
        """Whether it is for this machine alone: it listens, and answers, under no name that others reach."""
        names = [self.host, *self.allowed_hosts, *([urlsplit(self.url).hostname or ""] if self.url else [])]
        return all(is_loopback(name) for name in names)

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url or f"http://{host}:{self.port}"


def read_configuration(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Configuration:
    """Raises PalioError "configuration-invalid" with everything that is wrong.

    The file is $PALIO_CONFIG, else palio.toml in `folder` (the current one) if there is one. DATABASE_URL is read as
    PALIO_DATABASE_URL. Any name with _FILE (in palio.toml `_file`) at its end names a file that holds the value. An
    empty variable is as if it were not there.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("PALIO_CONFIG")
    file = Path(named) if named else (folder or Path()) / FILE
    problems: list[str] = []
    values: dict[str, Any] = {}
    settings = {setting.name: setting for setting in fields(Configuration)}
    for name, value, where in (
        *_of_file(file, problems, required=bool(named)),
        *_of_environment(environment, problems),
    ):
        metadata = settings[name].metadata
        try:
            values[name] = metadata["read"](value)
        except ValueRefusedError as refused:
            shown = "what is there" if metadata["secret"] else repr(value)
            problems.append(f"{where}: {shown} is not allowed; it takes {refused}")
    if not problems:
        problems += _that_do_not_fit(values)
    if problems:
        raise PalioError("configuration-invalid", count=counted(len(problems), "problem"), evidence=problems)
    return Configuration(**values)


def _that_do_not_fit(values: Mapping[str, Any]) -> Iterator[str]:
    """Settings that need others."""
    for name, needed in (
        ("oidc_url", ("oidc_client", "oidc_secret")),
        ("oidc_client", ("oidc_url",)),
        ("oidc_secret", ("oidc_url",)),
        ("mail_from", ("mail_url",)),
        ("mail_url", ("mail_from",)),
    ):
        missing = [other for other in needed if not values.get(other)]
        if values.get(name) and missing:
            yield f"{name}: it needs {' and '.join(f'`{other}`' for other in missing)} too"


def _of_file(file: Path, problems: list[str], *, required: bool) -> Iterator[tuple[str, object, str]]:
    if not required and not file.exists():
        return
    with reading(file):
        content = file.read_bytes()
    try:
        parsed = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file}: it cannot be read as TOML: {error}")
        return
    outside = [key for key in parsed if key != TABLE]
    problems += [f"{file}: `{key}` stands outside of [{TABLE}], where all settings belong" for key in outside]
    table = parsed.get(TABLE, {})
    if not isinstance(table, dict):
        problems.append(f"{file}: `{TABLE}` is not a table")
        return
    for key, value in table.items():
        where, name = f"{file}: [{TABLE}] {key}", _setting_of(key)
        if name is None:
            problems.append(f"{where}: there is no such setting{_did_you_mean(key)}")
        elif key == name:
            yield name, value, where
        elif name in table:
            problems.append(f"{where}: `{name}` is given too, and only one of them can count")
        elif (read := _held_by(str(value), where, problems)) is not None:
            yield name, read, where


def _of_environment(environment: Mapping[str, str], problems: list[str]) -> Iterator[tuple[str, object, str]]:
    variables = {name: value for name, value in environment.items() if value}
    variables |= {
        f"PALIO_{name}": variables[name]
        for name in ("DATABASE_URL", "DATABASE_URL_FILE")
        if name in variables and not {"PALIO_DATABASE_URL", "PALIO_DATABASE_URL_FILE"} & variables.keys()
    }
    for variable, value in sorted(variables.items()):
        if not variable.startswith("PALIO_"):
            continue
        key = variable.removeprefix("PALIO_").lower()
        name = _setting_of(key)
        if name is None:  # other parts of Palio read variables of their own, so only what was mistyped is refused
            if meant := _did_you_mean(key):
                problems.append(f"{variable}: there is no such setting{meant}")
        elif key == name:
            yield name, value, variable
        elif f"PALIO_{name.upper()}" in variables:
            problems.append(f"{variable}: PALIO_{name.upper()} is set too, and only one of them can count")
        elif (read := _held_by(value, variable, problems)) is not None:
            yield name, read, variable


def _setting_of(key: str) -> str | None:
    """The setting that a key gives, itself or as a file that holds it."""
    known = {setting.name for setting in fields(Configuration)}
    return next((name for name in (key, key.removesuffix(_FROM_FILE)) if name in known), None)


def _did_you_mean(key: str) -> str:
    near = difflib.get_close_matches(key, [setting.name for setting in fields(Configuration)], 1, cutoff=0.75)
    return f"; did you mean `{near[0]}`?" if near else ""


def _held_by(path: str, where: str, problems: list[str]) -> str | None:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{where}: {path} cannot be read: {error}")
        return None
