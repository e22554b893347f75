"""The files at a tag of a public Git repository, as a zip.

Covered: addresses that are not https, or private, unless the operator has opened the host (hosts.py); user names and
passwords in addresses; words that Git could take for options; other transports, also after a redirect; hooks,
submodules, filters such as Git LFS, credential helpers and the user's own configuration, none of which is used,
because nothing is checked out; time, and the size of what is sent and of the zip. Not covered: the content of the
repository, which is read like any other zip.
"""

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from palio.core.errors import PalioError
from palio.core.quantities import GIB, KIB, size_text
from palio.engines.sources.hosts import OpenHosts
from palio.engines.sources.outbound import PublicOnly

FETCH_S = 120.0
_MOST_CHARACTERS = 1000
_POLL_S = 0.05
# As in `git check-ref-format`, without what no tag needs.
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+/-]{0,199}")
_BAD_TAG = re.compile(r"\.\.|//|/\.|\.lock(/|$)|[./]$")
_PATH = re.compile(r"/[A-Za-z0-9._~/+%-]*")
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REF = "refs/palio/tag"
_OUTPUT_BYTES = 64 * KIB
_MEMORY_BYTES = 4 * GIB


@dataclass(frozen=True)
class Source:
    """A tag of a repository: `https://host/path` and the tag."""

    repository: str
    tag: str

    @property
    def name(self) -> str:
        """Of the zip, such as model-v1.2.zip."""
        last = urlsplit(self.repository).path.rstrip("/").rpartition("/")[2].removesuffix(".git")
        return re.sub(r"[^A-Za-z0-9._+-]", "-", f"{last}-{self.tag}") + ".zip"


@dataclass(frozen=True)
class Fetched:
    """`commit` is the full id that the tag named when it was fetched."""

    archive: Path
    repository: str
    tag: str
    commit: str


def parse_source(text: str, hosts: OpenHosts) -> Source:
    """Reads `https://host/path@tag`. Raises PalioError "git-source-invalid" or "source-refused"."""
    text = text.strip()
    if reason := _fault_of(text):
        raise PalioError("git-source-invalid", source=_without_secrets(text)[:200], reason=reason)
    url, _, tag = text.rpartition("@")
    if fault := hosts.fault_of(url):
        raise PalioError("source-refused", host=urlsplit(url).netloc, reason=fault)
    return Source(url.rstrip("/"), tag)


def _fault_of(text: str) -> str:
    """Why this is no tag of a repository; empty if it is one."""
    if len(text) > _MOST_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        return "it is too long, or contains characters that no such address has"
    if not text.startswith(("https://", "http://")):
        scheme = text.partition(":")[0] if ":" in text else ""
        return f"only https is possible, not {scheme[:20]}" if scheme else "it does not begin with https://"
    url, at, tag = text.rpartition("@")
    parts = _split(url if at else text)
    if parts is None:
        return "it has no server"
    if not at or parts.path in ("", "/"):
        return "it has no tag"
    if parts.username is not None or parts.password is not None:
        return "it contains a user name or password, which others could read"
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path):
        return "its path is not that of a repository"
    if not _TAG.fullmatch(tag) or _BAD_TAG.search(tag):
        return f"`{tag[:80]}` is not the name of a tag"
    return ""


def fetch_tag(text: str, folder: Path, *, max_bytes: int, time_s: float = FETCH_S) -> Fetched:
    """Fetches the commit of a tag, without history, and writes its files to a zip in `folder`.

    Raises PalioError: "git-source-invalid", "source-refused", "source-unreachable", "git-unreadable",
    "git-tag-missing", "git-too-large", "git-missing".
    """
    hosts = OpenHosts.read()
    source = parse_source(text, hosts)
    if shutil.which("git") is None:
        raise PalioError("git-missing")
    parts = urlsplit(source.repository)
    is_open = hosts.scheme_of(parts.netloc) is not None
    clone = folder / ".clone"
    try:
        with nullcontext() if is_open else PublicOnly(time_s) as outbound:
            git = _Git(clone, source, parts.scheme, outbound, max_bytes, time_s)
            git.run("init", "--quiet", "--bare", "--template=", str(clone))
            refspec = f"+refs/tags/{source.tag}:{_REF}"
            git.run(
                *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"),
                *("--no-auto-maintenance", "--", source.repository, refspec),
            )
        commit = git.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{_REF}^{{commit}}").strip()
        if not _SHA.fullmatch(commit):
            raise PalioError("git-tag-missing", repository=source.repository, tag=source.tag)
        archive = folder / source.name
        git.run("archive", "--format=zip", f"--output={archive}", commit)
    finally:
        shutil.rmtree(clone, ignore_errors=True)
    return Fetched(archive, source.repository, source.tag, commit)


class _Git:
    """Runs Git without anybody's configuration, within limits."""

    def __init__(
        self,
        clone: Path,
        source: Source,
        scheme: str,
        outbound: PublicOnly | None,
        max_bytes: int,
        time_s: float,
    ) -> None:
        self._clone, self._source, self._outbound = clone, source, outbound
        self._max_bytes, self._time_s = max_bytes, time_s
        self._until = time.monotonic() + time_s
        proxy = outbound.url if outbound is not None else ""
        settings = {
            "protocol.allow": "never",
            f"protocol.{scheme}.allow": "always",
            "http.proxy": proxy,
            "http.followRedirects": "true" if outbound is not None else "false",  # the proxy judges each address
            "http.lowSpeedLimit": "1000",
            "http.lowSpeedTime": "20",
            "http.emptyAuth": "false",
            "http.delegation": "none",
            "credential.helper": "",
            "core.hooksPath": os.devnull,
            "core.attributesFile": os.devnull,
            "core.fsmonitor": "false",
            "fetch.fsckObjects": "true",
            "fetch.unpackLimit": "1",  # one pack, whose size the limit of files bounds
            "submodule.recurse": "false",
            "gc.auto": "0",
            "core.bigFileThreshold": "16m",
            "core.packedGitLimit": "256m",
            "pack.threads": "1",
            "pack.windowMemory": "128m",
        }
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(clone),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ALLOW_PROTOCOL": scheme,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "GIT_DIR": str(clone),
            "no_proxy": "",
            "GIT_CONFIG_COUNT": str(len(settings)),
            **{f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(settings)},
            **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(settings.values())},
            **_certificates(),
        }

    def run(self, *arguments: str) -> str:
        """Its standard output. Raises PalioError."""
        with _ended(
            subprocess.Popen(
                ["git", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                cwd="/",
                start_new_session=True,
            )
        ) as process:
            self._limit(process.pid)
            while True:
                try:
                    output, errors = process.communicate(timeout=_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    self._refuse_excess()
        if process.returncode:
            raise self._failure(process.returncode, errors[-_OUTPUT_BYTES:].decode(errors="replace"))
        return output[:_OUTPUT_BYTES].decode(errors="replace")

    def _limit(self, pid: int) -> None:
        """What the process and its children may use. Set from here, because code between fork and exec is not safe in a
        process with threads; the size is also watched.
        """
        if not hasattr(resource, "prlimit"):  # not Linux
            return
        for kind, most in (
            (resource.RLIMIT_FSIZE, self._max_bytes),
            (resource.RLIMIT_AS, _MEMORY_BYTES),
            (resource.RLIMIT_CORE, 0),
        ):
            with suppress(ProcessLookupError, PermissionError):
                resource.prlimit(pid, kind, (most, most))

    def _refuse_excess(self) -> None:
        if time.monotonic() > self._until:
            raise self._too_large(f"it took longer than {self._time_s:g} s")
        if _size_of(self._clone) > self._max_bytes:
            raise self._too_large(f"it is larger than {size_text(self._max_bytes)}")

    def _too_large(self, reason: str) -> PalioError:
        source = self._source
        return PalioError("git-too-large", repository=source.repository, tag=source.tag, reason=reason)

    def _failure(self, code: int, said: str) -> PalioError:
        source = self._source
        host = urlsplit(source.repository).netloc
        # A child of Git that wrote up to the limit leaves its file behind.
        if code == -signal.SIGXFSZ or "File too large" in said or _size_of(self._clone) >= self._max_bytes:
            return self._too_large(f"it is larger than {size_text(self._max_bytes)}")
        if self._outbound is not None:
            if self._outbound.refusals:
                name, reason = next(iter(self._outbound.refusals.items()))
                return PalioError("source-refused", host=name, reason=reason)
            if self._outbound.is_over:
                return self._too_large(f"it took longer than {self._time_s:g} s")
        if "couldn't find remote ref" in said or "could not find remote ref" in said:
            return PalioError("git-tag-missing", repository=source.repository, tag=source.tag)
        if any(
            words in said
            for words in ("not found", "could not read Username", "Authentication failed", "403", "401", "404")
        ):
            return PalioError("git-unreadable", repository=source.repository)
        if "unable to update url base from redirection" in said or "redirect" in said:
            return PalioError("source-refused", host=host, reason="it redirects to another address")
        if "Operation too slow" in said:
            return PalioError("source-unreachable", host=host, reason="it sends too slowly")
        if any(words in said for words in ("fsck", "index-pack", "unpack", "bad object")):
            reason = "it sent objects that Git refuses, such as a file named `.git`"
            return PalioError("source-unreachable", host=host, reason=reason)
        return PalioError("source-unreachable", host=host, reason=_reason(said))


@contextmanager
def _ended(process: "subprocess.Popen[bytes]") -> Iterator["subprocess.Popen[bytes]"]:
    """Ends the process and its children, whatever happens."""
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


def _reason(said: str) -> str:
    if "Could not resolve" in said or "502" in said:
        return "no server has this name, or it does not answer"
    if "certificate" in said.lower():
        return "its certificate is not valid"
    if "refused" in said or "Failed to connect" in said:
        return "it refuses connections"
    return "it does not answer as a Git server does"


def _certificates() -> Mapping[str, str]:
    found = os.environ.get("GIT_SSL_CAINFO") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    return {"GIT_SSL_CAINFO": found} if found else {}


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.hostname else None


def _without_secrets(text: str) -> str:
    return re.sub(r"://[^/@\s]*@", "://…@", text)


def _size_of(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total
