"""Where jobs run in the cluster, from environment variables."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError

PREFIX = "PALIO_KUBERNETES_"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_REGISTRY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*")

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(:[0-9]+/[A-Za-z0-9._/-]+)?(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?")


@dataclass(frozen=True)
class Settings:
    """`folder` is where the volume of `claim` is mounted on this machine; jobs see parts of it.

    Without a registry, nodes run the images of this machine's Docker engine, and never pull. Without a context, the
    current one of the kubeconfig applies, or in a pod its service account. `gate_image` is one with Python, such as
    Palio's own, from which jobs test their network before they start, and which keeps their outputs. `address` is where
    pods would reach this machine; detected by default. `queue` is a LocalQueue of Kueue in the namespace.
    """

    folder: Path
    namespace: str = "palio-jobs"
    claim: str = "palio-jobs"
    context: str = ""
    registry: str = ""
    pull_secret: str = ""
    runtime_class: str = ""
    gate_image: str = ""
    address: str = ""
    queue: str = ""

    @classmethod
    def read(cls) -> "Settings":
        """Raises PalioError "usage" for a value that cannot be one, and "cluster-refused" without a folder."""
        folder = _value("folder")
        if not folder:
            raise PalioError(
                "cluster-refused",
                reason=f"{PREFIX}FOLDER is not set, so this machine does not share a volume with the jobs",
                next_step=f"Mount the volume of the claim (see docs/kubernetes.md), and name the folder: "
                f"`export {PREFIX}FOLDER=/path/to/folder`.",
            )
        if not Path(folder).is_absolute():
            raise _wrong("folder", folder, "an absolute path")
        registry = _value("registry")
        if registry and not _REGISTRY.fullmatch(registry):
            raise _wrong(
                "registry", registry, "a host, with a port and a path if needed, such as `registry:5000/palio`"
            )
        return cls(
            folder=Path(folder),
            namespace=_name("namespace", "palio-jobs"),
            claim=_name("claim", "palio-jobs"),
            context=_value("context"),
            registry=registry,
            pull_secret=_name("pull_secret"),
            runtime_class=_name("runtime_class"),
            gate_image=_image("gate_image"),
            address=_value("address"),
            queue=_name("queue"),
        )


def _value(field_name: str) -> str:
    return os.environ.get(f"{PREFIX}{field_name.upper()}", "").strip()


def _name(field_name: str, default: str = "") -> str:
    value = _value(field_name) or default
    if value and not _NAME.fullmatch(value):
        raise _wrong(field_name, value, "a name in Kubernetes: lowercase letters, digits, `-` and `.`")
    return value


def _image(field_name: str) -> str:
    value = _value(field_name)
    if value and not _IMAGE.fullmatch(value):
        raise _wrong(field_name, value, "the name of an image, such as `python:3.11-slim`")
    return value


def _wrong(field_name: str, value: str, allowed: str) -> PalioError:
    return PalioError(
        "usage",
        problem=f"{PREFIX}{field_name.upper()} is {value!r}, which is not {allowed}.",
        next_step="Set it to such a value, or unset it.",
    )
