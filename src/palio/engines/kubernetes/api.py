"""The Kubernetes API, read into dicts. The only module that uses the Kubernetes client.

The client reads the kubeconfig or the pod's service account, signs in and checks certificates. Requests are sent by its
connection pool and not by its generated methods, whose models drop fields that they do not know.

What a caller can do something about is an exception of this module; everything else becomes a PalioError:
"cluster-unreachable" for what may go away without anybody's help, and "cluster-refused" for what an operator has to
fix, with the command. Times are those of the API server's clock, which differs from that of this machine.
"""

import json
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from palio.core.errors import PalioError
from palio.engines.kubernetes.settings import PREFIX, Settings

CONNECT_S, ANSWER_S = 5.0, 30.0
OLDEST = (1, 20)
_MAX_SKEW_S = 300
_JSON, _PATCH = "application/json", "application/merge-patch+json"
_SERVICE_ACCOUNT = "KUBERNETES_SERVICE_HOST"  # set in every pod
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) resource "(?P<resource>[^"]*)"(?: in API group "(?P<group>[^"]*)")?'
)
_ANONYMOUS = "system:anonymous"

Json = dict[str, Any]


class NotFoundError(Exception):
    """The object does not exist."""


class ConflictError(Exception):
    """An object of that name exists, or was changed meanwhile."""


class GoneError(Exception):
    """The version from which to watch is no longer known: list again."""


class Cluster:
    """A connection to the API server. Usable by several threads."""

    def __init__(self, settings: Settings) -> None:
        """Raises PalioError "package-missing" or "cluster-refused". Sends nothing yet."""
        self._namespace, self._context = settings.namespace, settings.context
        client = _load(settings)
        self._configuration = client.configuration
        self._pool: urllib3.PoolManager = client.rest_client.pool_manager
        self._offset = timedelta()  # of the API server's clock
        self.is_verified: bool = self._configuration.verify_ssl or not self._configuration.host.startswith("https")
        if not self.is_verified:  # as the kubeconfig says; the library would print a warning for every request
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    @property
    def kubectl(self) -> str:
        """The beginning of commands for the operator."""
        return f"kubectl --context {self._context}" if self._context else "kubectl"

    @property
    def host(self) -> str:
        """The API server's name or address."""
        return urlsplit(self._configuration.host).hostname or ""

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def skew_s(self) -> float:
        """By how much the API server's clock is ahead of this machine's, as of the last answer."""
        return self._offset.total_seconds()

    def get(self, path: str, **query: str) -> Json:
        return self._answer("GET", path, query)

    def create(self, path: str, content: Json, **query: str) -> Json:
        return self._answer("POST", path, query, content)

    def patch(self, path: str, content: Json) -> Json:
        """Replaces the given fields. None removes a field."""
        return self._answer("PATCH", path, {}, content, _PATCH)

    def delete(self, path: str, content: Json) -> None:
        self._answer("DELETE", path, {}, content)

    @contextmanager
    def stream(self, path: str, read_s: float, **query: str) -> Iterator[urllib3.BaseHTTPResponse]:
        """An answer of any length. `read_s`: how long it may pause, in seconds."""
        with self._faults():
            response = self._send("GET", path, query, None, _JSON, read_s=read_s, preload=False)
            try:
                yield response
            finally:
                response.close()
                response.release_conn()

    # -- requests

    def _answer(
        self, method: str, path: str, query: Mapping[str, str], content: Json | None = None, kind: str = _JSON
    ) -> Json:
        with self._faults():
            response = self._send(method, path, query, content, kind, read_s=ANSWER_S, preload=True)
            found = _json(response.data)
        if found is None:
            raise self._not_kubernetes("an answer that is not JSON")
        return found

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        content: Json | None,
        kind: str,
        *,
        read_s: float,
        preload: bool,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": _JSON, "User-Agent": "palio"}
        for each in self._configuration.auth_settings().values():
            if each["in"] == "header" and each["value"]:
                headers[each["key"]] = each["value"]
        if content is not None:
            headers["Content-Type"] = kind
        response = self._pool.request(
            method,
            f"{self._configuration.host.rstrip('/')}{path}{'?' if query else ''}{urlencode(query)}",
            body=None if content is None else json.dumps(content),
            headers=headers,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=read_s),
            retries=False,
            redirect=False,
            preload_content=preload,
        )
        if date := response.headers.get("Date"):
            self._offset = parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)
        if response.status >= 300:
            try:
                raise self._error(response.status, response.data)
            finally:
                response.release_conn()
        return response

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.SSLError as error:
            if "EOF" in str(error):  # the server went away while the connection was made
                raise self._unreachable(f"{_reason(error)} at {self._configuration.host}") from error
            raise self._untrusted(error) from error
        except (urllib3.exceptions.HTTPError, ssl.SSLError, OSError) as error:
            if "CERTIFICATE" in str(error):
                raise self._untrusted(error) from error
            raise self._unreachable(f"{_reason(error)} at {self._configuration.host}") from error

    def _error(self, status: int, data: bytes) -> Exception:
        said = _json(data)
        if said is None or said.get("kind") != "Status":
            if status in (401, 403):
                said = {"message": data[:200].decode(errors="replace").strip()}
            elif status < 500 and status != 429:
                return self._not_kubernetes(f"status {status}")
            else:
                said = {}
        message = str(said.get("message") or f"status {status}")
        if status == 401 or (status == 403 and _ANONYMOUS in message):
            return self._refused(
                f"the API server does not accept the credentials ({status}); a token may have expired",
                f"Sign in to the cluster again until `{self.kubectl} get namespaces` works.",
            )
        if status == 403:
            return self._forbidden(message)
        if status == 404:
            if f'namespaces "{self._namespace}" not found' in message:
                return self._refused(
                    f"the namespace {self._namespace} does not exist",
                    f"Create it with `{self.kubectl} create namespace {self._namespace}`, or set {PREFIX}NAMESPACE.",
                )
            return NotFoundError(message)
        if status == 409:
            return ConflictError(message)
        if status == 410:
            return GoneError(message)
        if status == 429 or status >= 500:
            return self._unreachable(f"status {status}: {message}")
        return self._refused(
            f"status {status}: {message}", f"Compare its version, `{self.kubectl} version`, with docs/kubernetes.md."
        )

    def _forbidden(self, message: str) -> PalioError:
        match = _FORBIDDEN.search(message)
        if not match:  # a quota, a policy or a webhook
            show = f"{self.kubectl} -n {self._namespace} describe resourcequota,limitrange"
            return self._refused(message, f"See `{show}` and the policies of the namespace.")
        resource = match["resource"] + (f".{match['group']}" if match["group"] else "")
        user, account = match["user"], match["user"].removeprefix("system:serviceaccount:")
        subject = f"--user={user}" if account == user else f"--serviceaccount={account}"
        scope = "" if " in the namespace " in message else "cluster"
        name = f"palio-{match['verb']}-{match['resource'].replace('/', '-')}"
        where = "" if scope else f" -n {self._namespace}"
        return self._refused(
            f"{user} may not {match['verb']} {resource}",
            f"Allow it with `{self.kubectl} create {scope}role {name} --verb={match['verb']} --resource={resource}"
            f"{where}` and `{self.kubectl} create {scope}rolebinding {name} --{scope}role={name} {subject}{where}`.",
        )

    def _untrusted(self, error: Exception) -> PalioError:
        text = str(error)
        if "expired" in text or "not yet valid" in text:
            return self._refused(
                f"the certificate of {self._configuration.host} is not valid at this time: {_tls_reason(text)}",
                "Compare `date -u` here with the cluster's. If this clock is wrong: `sudo timedatectl set-ntp true`.",
            )
        return self._refused(
            f"the certificate of {self._configuration.host} is not trusted: {_tls_reason(text)}",
            f"Name the cluster's certificate authority: `{self.kubectl} config set-cluster NAME "
            "--certificate-authority=FILE`.",
        )

    def _not_kubernetes(self, found: str) -> PalioError:
        return self._refused(
            f"{self._configuration.host} is not a Kubernetes API server: it sent {found}",
            f"See `kubectl config get-contexts`, and set {PREFIX}CONTEXT to the right one.",
        )

    def _unreachable(self, reason: str) -> PalioError:
        next_step = f"Check `{self.kubectl} cluster-info`, and KUBECONFIG if it is set."
        return PalioError("cluster-unreachable", reason=reason, next_step=next_step)

    def _refused(self, reason: str, next_step: str) -> PalioError:
        return PalioError("cluster-refused", reason=reason, next_step=next_step)

    def version(self) -> str:
        """The server's version, such as `v1.34.2`. Raises PalioError if it is too old or its clock is far off."""
        text = str(self.get("/version").get("gitVersion", ""))
        match = re.match(r"v(\d+)\.(\d+)", text)
        if not match:
            raise self._not_kubernetes("no version")
        if (int(match[1]), int(match[2])) < OLDEST:
            raise self._refused(
                f"it runs Kubernetes {text}, and Palio needs at least {'.'.join(map(str, OLDEST))}",
                "Upgrade the cluster.",
            )
        if abs(self.skew_s()) > _MAX_SKEW_S:
            which = "ahead of" if self.skew_s() > 0 else "behind"
            raise self._refused(
                f"its clock is {abs(self.skew_s()):.0f} s {which} this machine's",
                "Set this machine's clock by the network: `sudo timedatectl set-ntp true`.",
            )
        return text


def _load(settings: Settings) -> Any:
    try:
        from kubernetes import client, config  # takes 0.4 s
    except ImportError:
        raise PalioError(
            "package-missing",
            what="The engine `kubernetes`",
            package="kubernetes",
            command="python -m pip install 'palio[kubernetes]'",
        ) from None
    try:
        if not settings.context and os.environ.get(_SERVICE_ACCOUNT) and not os.environ.get("KUBECONFIG"):
            configuration = client.Configuration()
            config.load_incluster_config(client_configuration=configuration)
            return client.ApiClient(configuration)
        file = os.environ.get("KUBECONFIG") or None  # the client reads the variable only when it is imported
        return config.new_client_from_config(config_file=file, context=settings.context or None)
    except config.ConfigException as error:
        if settings.context and "No configuration found" not in str(error):
            reason = f"the kubeconfig has no usable context {settings.context!r} ({error})"
            next_step = f"See `kubectl config get-contexts`, and set {PREFIX}CONTEXT to one of them."
        else:
            reason = f"no configuration of a cluster was found ({error})"
            next_step = "Name the file: `export KUBECONFIG=/path/to/kubeconfig`."
        raise PalioError("cluster-refused", reason=reason, next_step=next_step) from None


def _json(data: bytes) -> Json | None:
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reason(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "its name cannot be resolved"
    if isinstance(error, urllib3.exceptions.NewConnectionError):  # which the library counts as a timeout
        return "connection refused" if "refused" in str(error) else "no connection"
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return "no answer in time"
    return f"the connection failed ({type(error).__name__})"


def _tls_reason(text: str) -> str:
    match = re.search(r"certificate verify failed: ([^(]*)", text)
    return match[1].strip() if match else text
