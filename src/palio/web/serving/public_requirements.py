"""What has to be set before anybody but this machine can reach the platform; all of it at once, and how.

Covered: a secret of the operator's own, TLS in the address that people open, cookies that travel over TLS alone, and a
proxy that ends TLS being believed. Not covered: whether that proxy is there and is the only way in; whoever listens on
all addresses closes the port to others (see docs/operate.md).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from palio.core.errors import PalioError, counted
from palio.web.config.configuration import Configuration
from palio.web.config.values import is_loopback

_EXAMPLE = """\
palio.toml that has all of it:
  [server]
  host = "{host}"
  url = "{url}"
  secure_cookies = true
  trust_proxy = true
  secret_file = "/etc/palio/secret"
made with: (umask 077; python3 -c "import secrets; print(secrets.token_urlsafe(64))" > /etc/palio/secret)"""


def refuse_unsafe(configuration: Configuration) -> None:
    """Raises PalioError "serving-unsafe" where others could reach a platform that is not ready for them."""
    if configuration.is_local:
        return
    if missing := list(_missing(configuration)):
        url = configuration.url if configuration.url.startswith("https://") else "https://palio.example.org"
        example = _EXAMPLE.format(host=configuration.host, url=url).splitlines()
        count = counted(len(missing), "setting is missing", "settings are missing")
        raise PalioError("serving-unsafe", where=_where(configuration), count=count, evidence=[*missing, "", *example])


def _missing(configuration: Configuration) -> Iterator[str]:
    if not configuration.secret:
        yield "secret: what sessions are signed with. PALIO_SECRET_FILE=FILE, or `secret_file` in palio.toml"
    if not configuration.url:
        yield "url: the address that people open. --url https://NAME, PALIO_URL, or `url` in palio.toml"
    elif not configuration.url.startswith("https://"):
        yield f"url: {configuration.url} is not encrypted. --url https://NAME, PALIO_URL, or `url` in palio.toml"
    if "*" in configuration.allowed_hosts:
        yield "allowed_hosts: `*` lets any name in. Leave it out, as the name in `url` is allowed already"
    if not configuration.secure_cookies:
        yield "secure_cookies: so that no cookie travels in the clear. PALIO_SECURE_COOKIES=true"
    if not configuration.trust_proxy:
        yield "trust_proxy: TLS ends at a proxy in front (Caddy, nginx), which is believed. PALIO_TRUST_PROXY=true"


def _where(configuration: Configuration) -> str:
    if not is_loopback(configuration.host):
        return f"it would listen at {configuration.host}"
    if configuration.url and not is_loopback(urlsplit(configuration.url).hostname or ""):
        return f"it would answer as {configuration.url}"
    return f"it would answer as {', '.join(configuration.allowed_hosts)}"
