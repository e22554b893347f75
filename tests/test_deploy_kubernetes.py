"""deploy/kubernetes: every overlay builds, has only fields that the Kubernetes API knows, and fits what Palio does.

The API's types are those of the client library. What only a server checks (expressions, quotas) is not covered.
"""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from tests.test_deploy import is_setting

from palio.core.quantities import GIB, MIB
from palio.engines.kubernetes.manifest import KEEPER_NEEDS, quantity, what_did_not_survive
from palio.engines.kubernetes.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy/kubernetes"
OVERLAYS = ("aks", "eks", "gke", "single-node")


@cache
def built(overlay: str) -> tuple[dict[str, Any], ...]:
    beside = Path(sys.executable).with_name("kubectl")
    kubectl = str(beside) if beside.exists() else shutil.which("kubectl")
    assert kubectl
    command = [kubectl, "kustomize", str(FOLDER / "overlays" / overlay)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    return tuple(yaml.safe_load_all(shown.stdout))


def found(overlay: str, kind: str, name: str) -> dict[str, Any]:
    return next(each for each in built(overlay) if (each["kind"], each["metadata"]["name"]) == (kind, name))


def pod(overlay: str, deployment: str) -> dict[str, Any]:
    spec: dict[str, Any] = found(overlay, "Deployment", deployment)["spec"]["template"]["spec"]
    return spec


def test_every_overlay_listed() -> None:
    assert tuple(sorted(folder.name for folder in (FOLDER / "overlays").iterdir())) == OVERLAYS


def as_the_api_reads_it(document: dict[str, Any]) -> Any:
    """Raises a ValidationError for a missing field or a wrong type. Unknown fields are dropped, as a server does."""
    version = document["apiVersion"].rpartition("/")[2]
    read = getattr(client, f"{version.capitalize()}{document['kind']}").from_dict(document)
    return client.ApiClient().sanitize_for_serialization(read)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_only_known_fields(overlay: str) -> None:
    for document in built(overlay):
        assert what_did_not_survive(as_the_api_reads_it(document), document) == (), document["metadata"]


def test_unknown_field_noticed() -> None:
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"selectors": {"a": "b"}}}
    assert what_did_not_survive(as_the_api_reads_it(wrong), wrong) == ("spec.selectors",)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_settings_exist(overlay: str) -> None:
    kubernetes = {f"{PREFIX}{name.upper()}" for name in Settings.__dataclass_fields__}
    names = set(found_settings(overlay))
    for deployment in ("pages", "controller"):
        names |= {each["name"] for each in pod(overlay, deployment)["containers"][0]["env"]}
    docker = {"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}
    assert [name for name in names - kubernetes - docker if not is_setting(name)] == []


def found_settings(overlay: str) -> dict[str, str]:
    return next(dict(each["data"]) for each in built(overlay) if each["kind"] == "ConfigMap")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_names_lead_somewhere(overlay: str) -> None:
    """Claims, volumes, config maps and service accounts that pods name are defined. Secrets are the operator's."""
    defined = {(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in built(overlay)}
    for each in built(overlay):
        namespace = each["metadata"].get("namespace")
        if each["kind"] == "PersistentVolumeClaim" and (volume := each["spec"].get("volumeName")):
            claim = found(overlay, "PersistentVolume", volume)["spec"]["claimRef"]
            assert (claim["namespace"], claim["name"]) == (namespace, each["metadata"]["name"])
        if each["kind"] != "Deployment":
            continue
        spec = each["spec"]["template"]["spec"]
        if account := spec.get("serviceAccountName"):
            assert ("ServiceAccount", namespace, account) in defined
        for volume in spec["volumes"]:
            if claimed := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", namespace, claimed["claimName"]) in defined
        for inside in spec["containers"]:
            for source in inside.get("envFrom", []):
                assert ("ConfigMap", namespace, source["configMapRef"]["name"]) in defined
            mounted = {mount["name"] for mount in inside["volumeMounts"]}
            assert mounted <= {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_quota_fits_settings(overlay: str) -> None:
    """All jobs that may run at once, each with the keeper beside it, and a proof: a control and a pod of each kind."""
    settings, hard = found_settings(overlay), found(overlay, "ResourceQuota", "palio-jobs")["spec"]["hard"]
    beside = int(settings["PALIO_SLOTS"]) + 2
    cpus, memory = (float(quantity(KEEPER_NEEDS[name]) or 0) for name in ("cpu", "memory"))
    assert float(quantity(hard["limits.cpu"]) or 0) >= float(settings["PALIO_CPUS"]) + beside * cpus
    least = int(settings["PALIO_MEMORY_GIB"]) * GIB + beside * max(memory, 256 * MIB)
    assert float(quantity(hard["limits.memory"]) or 0) >= least
    assert hard["requests.nvidia.com/gpu"] == settings["PALIO_GPUS"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_privileged_builder_only(overlay: str) -> None:
    privileged = [
        (each["metadata"]["namespace"], inside["name"])
        for each in built(overlay)
        if each["kind"] == "Deployment"
        for inside in each["spec"]["template"]["spec"]["containers"]
        if inside["securityContext"].get("privileged")
    ]
    assert privileged == [("palio-build", "docker")]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_roles_as_in_docs(overlay: str) -> None:
    page = (ROOT / "docs/kubernetes.md").read_text()
    documents = [part for block in re.findall(r"```yaml\n(.*?)```", page, re.S) for part in yaml.safe_load_all(block)]
    told = {each["kind"]: each["rules"] for each in documents if each["kind"] in ("Role", "ClusterRole")}
    assert told == {kind: found(overlay, kind, "palio")["rules"] for kind in ("Role", "ClusterRole")}


def test_registry_same_name_for_push_and_pull() -> None:
    host = found_settings("single-node")["PALIO_KUBERNETES_REGISTRY"].partition("/")[0]
    registry = pod("single-node", "builder")["containers"][1]
    assert host == f"127.0.0.1:{registry['ports'][0]['containerPort']}"
    [port] = found("single-node", "Service", "registry")["spec"]["ports"]
    assert host == f"127.0.0.1:{port['nodePort']}"


def test_prometheus_component_reads_the_token() -> None:
    monitor = yaml.safe_load((FOLDER / "components/prometheus/monitor.yaml").read_text())
    [endpoint] = monitor["spec"]["endpoints"]
    [variable] = [
        each for each in pod("aks", "pages")["containers"][0]["env"] if each["name"] == "PALIO_METRICS_TOKEN_FILE"
    ]
    assert variable["value"] == f"/secrets/{endpoint['authorization']['credentials']['key']}"
    assert endpoint["port"] in [port["name"] for port in found("aks", "Service", "pages")["spec"]["ports"]]
