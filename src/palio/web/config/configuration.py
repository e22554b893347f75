"""The platform's configuration: flags, then PALIO_* environment, then palio.toml; strict, all problems at once.

The command line passes its flags on as environment variables, so that all processes read the same. Secrets appear
neither in problems nor where a configuration is printed.
"""

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from palio.core.dockerfile.substitutes import TABLE as IMAGES
from palio.core.dockerfile.substitutes import Substitutes, chains
from palio.core.errors import PalioError, counted
from palio.core.files.staging import reading
from palio.core.quantities import GIB
from palio.engines import ENGINES
from palio.engines.named import TABLE as NAMED
from palio.engines.named import NamedEngines
from palio.web.config import values as takes
from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.config.log_format import LOG_FORMATS
from palio.web.config.values import Reader, ValueRefusedError, is_loopback

FILE = "palio.toml"
TABLE = "server"
_TABLES = (IMAGES, NAMED)  # settings that are tables of their own
MOST_WORKERS = 2  # unless more are asked for; each takes about 60 MiB
_FROM_FILE = "_file"  # at the end of a setting's name: the value is the content of that file


def _setting(read: Reader, default: object, says: str, *, secret: bool = False) -> Any:
    """A field of Configuration: the reader of its value, its default, and its description."""
    return field(default=default, repr=not secret, metadata={"read": read, "says": says, "secret": secret})


@dataclass(frozen=True)
class Configuration:
    """Each field is a key of [server] in palio.toml, and in the environment PALIO_ and its name in capitals."""

    data: Path = _setting(takes.path, Path("palio-data"), "data folder: database, files, runs, keys")
    host: str = _setting(takes.text, "127.0.0.1", "address to listen on")
    port: int = _setting(takes.whole(1, 65535), 8000, "port to listen on")
    url: str = _setting(takes.url, "", "public address, such as https://palio.example.org")
    allowed_hosts: tuple[str, ...] = _setting(takes.names, (), "host names it accepts, besides that of `url`")
    secret: str = _setting(
        takes.secret, "", "key that signs sessions, 50 characters or more; generated at the first start", secret=True
    )
    secure_cookies: bool = _setting(takes.flag, False, "send cookies only over TLS")
    trust_proxy: bool = _setting(takes.flag, False, "trust the X-Forwarded-* headers of the proxy in front")
    database_url: str = _setting(
        takes.database, "", "postgresql://user:password@host/name; SQLite in `data` if not set", secret=True
    )
    store_url: str = _setting(
        takes.store,
        "",
        "where submitted files are: s3://bucket/prefix, az://container/prefix or gs://bucket/prefix; a folder in "
        "`data` if not set",
    )
    workers: int = _setting(takes.whole(0, 64), 0, f"web processes; 0: one per CPU, {MOST_WORKERS} at most")
    threads: int = _setting(takes.whole(1, 256), 32, "requests that each web process answers at a time")
    log_format: str = _setting(
        takes.one_of(*LOG_FORMATS), LOG_FORMATS[0], "log lines: for people (`text`), or one JSON object each (`json`)"
    )
    request_log: bool = _setting(takes.flag, False, "log every request; slow and failed ones are always logged")
    sign_up: str = _setting(
        takes.one_of("open", "invitation"),
        "open",
        "who may sign up: anyone (`open`) or people with an invitation (`invitation`)",
    )
    engine: str = _setting(
        takes.one_of("auto", *ENGINES),
        "auto",
        "engine that runs containers: `auto`, `docker`, `bubblewrap` or `kubernetes`",
    )
    images: Substitutes = _setting(
        takes.images,
        Substitutes(),
        "images to use where a bundle names one that this machine lacks: the table `[images]` with lines such as "
        '`"codalab/codalab-legacy:py37" = "python:3.11-slim"`; in the environment `OLD=NEW,OLD=NEW`',
    )
    engines: NamedEngines = _setting(
        takes.named_engines,
        NamedEngines(),
        "engines that bundles may choose by `palio.engine`: tables such as `[engines.gpu]`, see *Named engines*; in "
        "the environment the same as a JSON object",
    )
    anyone_on_bubblewrap: bool = _setting(
        takes.flag, False, "let bubblewrap run submissions of people who are not operators of this platform"
    )
    accept_unenforced: tuple[str, ...] = _setting(
        takes.properties,
        (),
        "isolation properties, by name, without which an engine still runs participants' programs, such as `output`; "
        "`palio doctor` lists what yours does not enforce",
    )
    slots: int = _setting(takes.whole(1, 10_000), 1, "attempts that run at the same time")
    cpus: float = _setting(takes.number(0, 100_000), 0.0, "CPUs for all attempts together; 0: all of this machine")
    memory_gib: float = _setting(
        takes.number(0, 1_000_000), 0.0, "GiB of memory for all attempts together; 0: all of this machine"
    )
    gpus: int = _setting(takes.whole(0, 10_000), 0, "GPUs for all attempts together")
    metrics_token: str = _setting(
        takes.secret,
        "",
        "token that `/metrics` requires, 50 characters or more; if not set, only this machine can read it",
        secret=True,
    )
    max_upload_gib: float = _setting(takes.number(0.001, 1024), 20.0, "maximum size of an uploaded file in GiB")
    language: str = _setting(
        takes.one_of(*LANGUAGE_NAMES),
        "en",
        "language of pages for readers who ask for none that Palio has, and of mail to people who have chosen none: "
        "`en`, `de` or `fr`",
    )
    mail_url: str = _setting(takes.mail, "", "smtp://user:password@host:587; no mail is sent if not set", secret=True)
    mail_from: str = _setting(takes.text, "", "sender address of mail")
    webhook_http: bool = _setting(takes.flag, False, "allow webhooks with http:// URLs, which are not encrypted")
    oidc_name: str = _setting(takes.text, "", "label of the identity provider's button")
    oidc_url: str = _setting(takes.issuer, "", "address of the identity provider (OpenID Connect)")
    oidc_client: str = _setting(takes.text, "", "client ID at the identity provider")
    oidc_secret: str = _setting(takes.text, "", "client secret at the identity provider", secret=True)

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gib * GIB)

    @property
    def max_upload_bytes(self) -> int:
        return int(self.max_upload_gib * GIB)

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it: it listens on, and accepts, only loopback names."""
        names = [self.host, *self.allowed_hosts, *([urlsplit(self.url).hostname or ""] if self.url else [])]
        return all(is_loopback(name) for name in names)

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url or f"http://{host}:{self.port}"


def read_configuration(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Configuration:
    """Raises PalioError "configuration-invalid" with all problems.

    The file is $PALIO_CONFIG, else palio.toml in `folder` (default: the current one) if it exists. DATABASE_URL is read
    as PALIO_DATABASE_URL. A name that ends in _FILE (`_file` in palio.toml) names a file that contains the value. Empty
    variables are ignored.
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
            read = metadata["read"](value)
            values[name] = values[name] | read if name == IMAGES and name in values else read
        except takes.UnfitTableError as refused:
            problems += [f"{where}: {problem}" for problem in refused.problems]
        except ValueRefusedError as refused:
            has_password = "://" in str(value) and any(mark in str(value) for mark in "@?")  # or a signature
            shown = "the value" if metadata["secret"] or has_password else repr(value)
            problems.append(f"{where}: {shown} is not allowed. Use {refused}")
    if not problems:
        problems += [*_missing(values), *(f"{IMAGES}: {each}" for each in chains(values.get(IMAGES, Substitutes())))]
    if problems:
        raise PalioError("configuration-invalid", count=counted(len(problems), "problem"), evidence=problems)
    return Configuration(**values)


def _missing(values: Mapping[str, Any]) -> Iterator[str]:
    """Settings that others require."""
    for name, needed in (
        ("oidc_url", ("oidc_client", "oidc_secret")),
        ("oidc_client", ("oidc_url",)),
        ("oidc_secret", ("oidc_url",)),
        ("mail_from", ("mail_url",)),
        ("mail_url", ("mail_from",)),
    ):
        missing = [other for other in needed if not values.get(other)]
        if values.get(name) and missing:
            yield f"{name} also requires {' and '.join(f'`{other}`' for other in missing)}"


def _of_file(file: Path, problems: list[str], *, required: bool) -> Iterator[tuple[str, object, str]]:
    if not required and not file.exists():
        return
    with reading(file):
        raw = file.read_bytes()
    try:
        parsed = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file} is not valid TOML: {error}")
        return
    outside = [key for key in parsed if key not in (TABLE, *_TABLES)]
    problems += [f"{file}: move `{key}` into the table [{TABLE}]" for key in outside]
    for own in _TABLES:
        content = parsed.get(own, {})
        if isinstance(content, dict):
            yield own, content, f"{file}: [{own}]"
        else:
            problems.append(f"{file}: `{own}` is not a table")
    table = parsed.get(TABLE, {})
    if not isinstance(table, dict):
        problems.append(f"{file}: `{TABLE}` is not a table")
        return
    for key, value in table.items():
        where, name = f"{file}: [{TABLE}] {key}", _setting_of(key)
        if name in _TABLES:
            problems.append(f"{where}: write a table [{name}] of its own")
        elif name is None:
            problems.append(f"{where}: unknown setting{_did_you_mean(key)}")
        elif key == name:
            yield name, value, where
        elif name in table:
            problems.append(f"{where}: `{name}` is set too. Set only one of them")
        elif (read := _content(str(value), where, problems)) is not None:
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
        if name is None:  # other parts of Palio have PALIO_ variables of their own, so only likely typos are refused
            if meant := _did_you_mean(key):
                problems.append(f"{variable}: unknown setting{meant}")
        elif key == name:
            yield name, value, variable
        elif f"PALIO_{name.upper()}" in variables:
            problems.append(f"{variable}: PALIO_{name.upper()} is set too. Set only one of them")
        elif (read := _content(value, variable, problems)) is not None:
            yield name, read, variable


def _setting_of(key: str) -> str | None:
    """The setting that a key sets, directly or as a file that contains its value."""
    known = {setting.name for setting in fields(Configuration)}
    return next((name for name in (key, key.removesuffix(_FROM_FILE)) if name in known), None)


def _did_you_mean(key: str) -> str:
    near = difflib.get_close_matches(key, [setting.name for setting in fields(Configuration)], 1, cutoff=0.75)
    return f". Did you mean `{near[0]}`?" if near else ""


def _content(path: str, where: str, problems: list[str]) -> str | None:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{where}: cannot read {path}: {error}")
        return None
