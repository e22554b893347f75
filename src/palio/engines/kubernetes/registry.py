"""Whether the registry of the images responds and takes uploads, asked before anything is built.

Covered: a registry that is down, one that is no registry, one that is read-only. Not covered: credentials, which only
the Docker engine has; if the registry asks for them, the first push tells.
"""

from contextlib import suppress

import urllib3

from palio.core.errors import PalioError
from palio.engines.kubernetes.settings import PREFIX

_WAIT = urllib3.Timeout(connect=5.0, read=10.0)
_PROBE = "palio-build"
_ASKS_FOR_CREDENTIALS = (401, 403)


def check_registry(registry: str) -> None:
    """Raises PalioError "cluster-refused" if images cannot be pushed to `registry`, a host with an optional path."""
    if not registry:
        return
    host, _, path = registry.partition("/")
    pool = urllib3.PoolManager(timeout=_WAIT, retries=False)
    base = _base(pool, host)
    repository = "/".join(filter(None, (path, _PROBE)))
    try:
        answer = pool.request("POST", f"{base}/v2/{repository}/blobs/uploads/", body=b"")
    except urllib3.exceptions.HTTPError as error:
        raise _unreachable(host, type(error).__name__) from error
    if answer.status in _ASKS_FOR_CREDENTIALS or answer.status < 300:
        with suppress(urllib3.exceptions.HTTPError):  # an upload that is left expires
            if (location := answer.headers.get("Location")) and answer.status < 300:
                pool.request("DELETE", location if "://" in location else f"{base}{location}")
        return
    what = "takes no uploads; it may be read-only" if answer.status == 405 else "does not take uploads"
    raise PalioError(
        "cluster-refused",
        reason=f"the registry {host} {what} (status {answer.status})",
        next_step=f"Allow uploads to {registry}/{_PROBE} in its configuration, or set {PREFIX}REGISTRY to another.",
    )


def _base(pool: urllib3.PoolManager, host: str) -> str:
    """Where it responds: as Docker does, over TLS, and for the machine itself without, too."""
    is_here = host.partition(":")[0] in ("localhost", "127.0.0.1")
    reason = ""
    for scheme in ("https", "http") if is_here else ("https",):
        try:
            answer = pool.request("GET", f"{scheme}://{host}/v2/")
        except urllib3.exceptions.HTTPError as error:
            reason = type(error).__name__
            continue
        if answer.status in (200, *_ASKS_FOR_CREDENTIALS):
            return f"{scheme}://{host}"
        reason = f"it is no registry: it answers /v2/ with status {answer.status}"
    raise _unreachable(host, reason)


def _unreachable(host: str, reason: str) -> PalioError:
    return PalioError(
        "cluster-refused",
        reason=f"the registry {host} does not respond as one ({reason})",
        next_step=f"See `curl -i https://{host}/v2/`, start it, or set {PREFIX}REGISTRY to another.",
    )
