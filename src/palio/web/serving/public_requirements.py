"""Required settings of a platform that other machines can reach: reported all at once, with how to set them.

Covered: a secret of the operator's own, TLS in the public URL, cookies over TLS only, and trust in the proxy that
terminates TLS. Not covered: whether that proxy exists and is the only way in; if you listen on all addresses, close the
port to others (see docs/operate.md).
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from palio.core.errors import PalioError, counted
from palio.web.config.configuration import Configuration
from palio.web.config.values import is_loopback

_EXAMPLE = """\
A palio.toml with all required settings:
  [server]
  host = "{host}"
  url = "{url}"
  secure_cookies = true
  trust_proxy = true
  secret_file = "/etc/palio/secret"
secret: (umask 077; python3 -c "import secrets; print(secrets.token_urlsafe(64))" > /etc/palio/secret)"""


def refuse_unsafe(configuration: Configuration) -> None:
    """Raises PalioError "serving-unsafe" if others could reach a platform that is not ready for them."""
    if configuration.is_local:
        return
    if missing := list(_missing(configuration)):
        url = configuration.url if configuration.url.startswith("https://") else "https://palio.example.org"
        example = _EXAMPLE.format(host=configuration.host, url=url).splitlines()
        count = counted(len(missing), "setting is missing", "settings are missing")
        raise PalioError("serving-unsafe", where=_where(configuration), count=count, evidence=[*missing, "", *example])


def _missing(configuration: Configuration) -> Iterator[str]:
    if not configuration.secret:
        yield "secret: signs sessions. Set PALIO_SECRET_FILE=FILE, or `secret_file` in palio.toml"
    if not configuration.url:
        yield "url: the public URL. Set --url https://NAME, PALIO_URL, or `url` in palio.toml"
    elif not configuration.url.startswith("https://"):
        yield f"url: {configuration.url} is not encrypted. Set --url https://NAME, PALIO_URL, or `url` in palio.toml"
    if "*" in configuration.allowed_hosts:
        yield "allowed_hosts: `*` allows any host name. Remove it; the host in `url` is already allowed"
    if not configuration.secure_cookies:
        yield "secure_cookies: sends cookies only over TLS. Set PALIO_SECURE_COOKIES=true"
    if not configuration.trust_proxy:
        yield "trust_proxy: trusts the proxy in front (Caddy, nginx) that terminates TLS. Set PALIO_TRUST_PROXY=true"


def _where(configuration: Configuration) -> str:
    if not is_loopback(configuration.host):
        return f"it would listen at {configuration.host}"
    if configuration.url and not is_loopback(urlsplit(configuration.url).hostname or ""):
        return f"it would answer as {configuration.url}"
    return f"it would answer as {', '.join(configuration.allowed_hosts)}"
