"""Where jobs run in the cluster, from environment variables."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from palio.core.errors import PalioError

PREFIX = "PALIO_KUBERNETES_"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_REGISTRY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*(:[0-9]+/[A-Za-z0-9._/-]+)?(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?")

_LABEL = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
    r"(=([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)?"
)
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


@dataclass(frozen=True)
class Settings:
    """`folder` is where the volume of `claim` is mounted on this machine; jobs see parts of it.

    Without a registry, nodes run the images of this machine's Docker engine, and never pull. Without a context, the
    current one of the kubeconfig applies, or in a pod its service account. `gate_image` is one with Python, such as
    Palio's own, from which jobs test their network before they start, and which keeps their outputs. `address` is where
    pods would reach this machine; detected by default. `queue` is a LocalQueue of Kueue in the namespace.
    `node_selector` are the labels of the nodes that jobs run on, `pool=gpu,zone=a`, and `tolerations` the taints that
    they tolerate, `KEY[=VALUE][:EFFECT]`, separated by commas.
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
    node_selector: str = ""
    tolerations: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Raises PalioError "usage" for a value that cannot be one, and "cluster-refused" without a folder."""
        given = _Given(os.environ if environment is None else environment)
        folder = given.value("folder")
        if not folder:
            raise PalioError(
                "cluster-refused",
                reason=f"{PREFIX}FOLDER is not set, so this machine does not share a volume with the jobs",
                next_step=f"Mount the volume of the claim (see docs/kubernetes.md), and name the folder: "
                f"`export {PREFIX}FOLDER=/path/to/folder`.",
            )
        if not Path(folder).is_absolute():
            raise _wrong("folder", folder, "an absolute path")
        registry = given.value("registry")
        if registry and not _REGISTRY.fullmatch(registry):
            raise _wrong(
                "registry", registry, "a host, with a port and a path if needed, such as `registry:5000/palio`"
            )
        return cls(
            folder=Path(folder),
            namespace=given.name("namespace", "palio-jobs"),
            claim=given.name("claim", "palio-jobs"),
            context=given.value("context"),
            registry=registry,
            pull_secret=given.name("pull_secret"),
            runtime_class=given.name("runtime_class"),
            gate_image=given.image("gate_image"),
            address=given.value("address"),
            queue=given.name("queue"),
            node_selector=given.labels("node_selector"),
            tolerations=given.taints("tolerations"),
        )

    @property
    def labels(self) -> dict[str, str]:
        """Those of the nodes that jobs run on."""
        return dict(each.partition("=")[::2] for each in self.node_selector.split(",") if each)

    @property
    def tolerated(self) -> list[dict[str, str]]:
        """The tolerations as in a pod."""
        found = []
        for taint, _, effect in (each.partition(":") for each in self.tolerations.split(",") if each):
            key, equals, value = taint.partition("=")
            toleration = {"key": key, "operator": "Equal", "value": value} if equals else {"key": key}
            found.append({"operator": "Exists", **toleration, **({"effect": effect} if effect else {})})
        return found


class _Given:
    """The settings in the environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def value(self, field_name: str) -> str:
        return self._environment.get(f"{PREFIX}{field_name.upper()}", "").strip()

    def name(self, field_name: str, default: str = "") -> str:
        value = self.value(field_name) or default
        if value and not _NAME.fullmatch(value):
            raise _wrong(field_name, value, "a name in Kubernetes: lowercase letters, digits, `-` and `.`")
        return value

    def image(self, field_name: str) -> str:
        value = self.value(field_name)
        if value and not _IMAGE.fullmatch(value):
            raise _wrong(field_name, value, "the name of an image, such as `python:3.11-slim`")
        return value

    def labels(self, field_name: str) -> str:
        value = self.value(field_name).replace(" ", "")
        if value and not all("=" in each and _LABEL.fullmatch(each) for each in value.split(",")):
            raise _wrong(field_name, value, "labels of nodes, such as `pool=gpu` or `pool=gpu,zone=a`")
        return value

    def taints(self, field_name: str) -> str:
        value = self.value(field_name).replace(" ", "")
        for each in value.split(",") if value else ():
            taint, colon, effect = each.partition(":")
            if not _LABEL.fullmatch(taint) or (colon and effect not in _EFFECTS):
                raise _wrong(field_name, value, "taints, such as `nvidia.com/gpu` or `pool=gpu:NoSchedule`")
        return value


def _wrong(field_name: str, value: str, allowed: str) -> PalioError:
    return PalioError(
        "usage",
        problem=f"{PREFIX}{field_name.upper()} is {value!r}, which is not {allowed}.",
        next_step="Set it to such a value, or unset it.",
    )
