import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from palio.core.engine import Job, Limits, Mount
from palio.core.errors import PalioError
from palio.core.quantities import MIB
from palio.engines.kubernetes.manifest import (
    OPTIONAL,
    SPEC,
    UID,
    job_manifest,
    network_policy,
    object_name,
    what_did_not_survive,
)
from palio.engines.kubernetes.settings import Settings

LIMITS = Limits(time_s=500, memory_bytes=256 * MIB, cpus=1.5, pids=64, shm_bytes=16 * MIB)
JOB = Job(
    name="palio-1a2b3c4d-predict",
    image="registry.example/palio-build@sha256:" + "a" * 64,
    limits=LIMITS,
    log=Path("predict.log"),
    output="/mnt/out",
    mounts=(Mount(Path("/data/in"), "/mnt/in"),),
)
SETTINGS = Settings(Path("/shared"), registry="registry.example")


def manifest(job: Job = JOB, settings: Settings = SETTINGS, uid: int = 10007, **more: Any) -> dict[str, Any]:
    return job_manifest(job, settings, uid=uid, inputs=["jobs/1/in/0"], output="jobs/1/out", **more)


def pod(made: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = made["spec"]["template"]["spec"]
    return spec


def container(made: dict[str, Any]) -> dict[str, Any]:
    only: dict[str, Any]
    (only,) = pod(made)["containers"]
    return only


def test_job_runs_one_pod_once_and_ends_without_palio() -> None:
    spec = manifest()["spec"]
    assert {key: spec[key] for key in ("backoffLimit", "completions", "parallelism", "podReplacementPolicy")} == {
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "podReplacementPolicy": "Failed",
    }
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 1100
    assert spec["activeDeadlineSeconds"] > 1100
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_pod_is_isolated_as_far_as_its_fields_allow() -> None:
    spec = pod(manifest())
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10007,
        "runAsGroup": 10007,
        "seccompProfile": {"type": "RuntimeDefault"},
        "supplementalGroupsPolicy": "Strict",
    }
    assert container(manifest())["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    wanted = ("automountServiceAccountToken", "enableServiceLinks", "dnsPolicy", "hostUsers")
    assert [spec[name] for name in wanted] == [False, False, "None", False]
    assert spec["dnsConfig"] == {"nameservers": ["127.0.0.1"]}


def test_restricted_namespaces_accept_its_volumes() -> None:
    kinds = {kind for volume in pod(manifest(volumes=["/data"]))["volumes"] for kind in volume if kind != "name"}
    assert kinds == {"emptyDir", "persistentVolumeClaim"}


def test_requests_equal_limits() -> None:
    resources = container(manifest(replace(JOB, limits=replace(LIMITS, gpus=1))))["resources"]
    assert resources["requests"] == resources["limits"]
    assert resources["limits"] == {
        "cpu": "1500m",
        "memory": str(256 * MIB),
        "ephemeral-storage": str(1024 * MIB),
        "nvidia.com/gpu": "1",
    }


def test_only_memory_and_the_output_are_writable() -> None:
    made = manifest(volumes=["/mnt/out", "/data", "/tmp"])
    in_memory = {each["name"]: each["emptyDir"] for each in pod(made)["volumes"] if "emptyDir" in each}
    mounts = {each["mountPath"]: each for each in container(made)["volumeMounts"]}
    assert {path: in_memory[mounts[path]["name"]] for path in ("/tmp", "/dev/shm", "/data")} == {
        "/tmp": {"medium": "Memory", "sizeLimit": str(256 * MIB)},
        "/dev/shm": {"medium": "Memory", "sizeLimit": str(16 * MIB)},
        "/data": {"medium": "Memory", "sizeLimit": str(16 * MIB)},
    }
    assert mounts["/mnt/in"] == {
        "name": "data",
        "mountPath": "/mnt/in",
        "subPath": "jobs/1/in/0",
        "readOnly": True,
        "recursiveReadOnly": "IfPossible",
    }
    assert mounts["/mnt/out"] == {"name": "data", "mountPath": "/mnt/out", "subPath": "jobs/1/out"}
    assert len(mounts) == 5


def test_command_of_the_image_is_kept_unless_one_is_given() -> None:
    for nothing in (None, ()):
        made = container(manifest(replace(JOB, command=nothing)))
        assert not {"command", "args", "workingDir"} & made.keys()
    given = container(manifest(replace(JOB, command=("sh", "-c", "echo $(id) $$"), workdir="/app")))
    assert "command" not in given  # which would replace the entry point
    assert given["args"] == ["sh", "-c", "echo $$(id) $$$$"]  # as Kubernetes replaces $(NAME) and $$
    assert given["workingDir"] == "/app"


def test_environment_names_nothing_of_the_cluster() -> None:
    names = {each["name"]: each.get("value", "") for each in container(manifest())["env"]}
    assert names["PALIO_TIME_S"] == "500"
    of_cluster = {name: value for name, value in names.items() if name.startswith("KUBERNETES")}
    assert of_cluster["KUBERNETES_SERVICE_HOST"] == ""
    assert set(of_cluster.values()) == {""}


def test_images_of_this_machine_are_never_pulled() -> None:
    assert container(manifest())["imagePullPolicy"] == "IfNotPresent"
    assert container(manifest(settings=Settings(Path("/shared"))))["imagePullPolicy"] == "Never"


def test_configured_names_are_used() -> None:
    settings = Settings(Path("/shared"), claim="claim", runtime_class="gvisor", pull_secret="secret", namespace="space")
    made = manifest(settings=settings)
    assert made["metadata"]["namespace"] == "space"
    assert (pod(made)["runtimeClassName"], pod(made)["imagePullSecrets"]) == ("gvisor", [{"name": "secret"}])
    assert pod(made)["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "claim"}


def test_output_is_kept_from_memory_by_a_container_that_starts_first() -> None:
    settings = replace(SETTINGS, gate_image="registry.example/palio@sha256:" + "b" * 64)
    keeper, stage = pod(made := manifest(settings=settings))["containers"]
    volumes = {each["name"]: each for each in pod(made)["volumes"]}
    assert volumes["output"]["emptyDir"] == {"medium": "Memory", "sizeLimit": str(64 * MIB + 64 * 1024)}
    assert [each for each in stage["volumeMounts"] if each["mountPath"] == "/mnt/out"] == [
        {"name": "output", "mountPath": "/mnt/out"}
    ]
    assert keeper["volumeMounts"] == [
        {"name": "output", "mountPath": "/out"},
        {"name": "data", "mountPath": "/kept", "subPath": "jobs/1/out"},
    ]
    assert (keeper["image"], keeper["securityContext"]) == (settings.gate_image, stage["securityContext"])
    assert keeper["resources"]["limits"] == keeper["resources"]["requests"]
    assert "$(" not in "".join(keeper["command"])
    assert keeper["command"][-2:] == [str(64 * MIB), "10000"]


def test_only_the_gate_reaches_the_claim() -> None:
    """It runs first, and the kubelet tells it the UID of its pod. The job's containers mount no such folder."""
    settings = replace(SETTINGS, gate_image="palio:1")
    of_pod = pod(manifest(settings=settings, claim="jobs/1/claim", begin="jobs/1/begin", targets=["x,tcp,h,1"]))
    gate, begin = of_pod["initContainers"]
    assert gate["command"][-3:] == ["claim", "/claim/pod", "x,tcp,h,1"]
    assert gate["volumeMounts"] == [{"name": "data", "mountPath": "/claim", "subPath": "jobs/1/claim"}]
    assert {"name": "PALIO_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}} in gate["env"]
    mounts = [mount for each in (begin, *of_pod["containers"]) for mount in each["volumeMounts"]]
    assert [mount for mount in mounts if "claim" in mount.get("subPath", "") or "subPath" not in mount] == [
        mount for mount in mounts if mount["name"] == "output" or mount["name"].startswith("memory-")
    ]


def test_launcher_starts_what_the_container_would() -> None:
    made = manifest(replace(JOB, command=("run", "$(HOME)")), starts=["/usr/bin/env", "run", "$(HOME)"], launcher="l")
    assert container(made)["command"] == [
        *("/.palio-launch", "64", "4096", str(256 * MIB), "0"),
        *("/usr/bin/env", "run", "$$(HOME)"),
    ]
    assert "args" not in container(made)
    (mount,) = (each for each in container(made)["volumeMounts"] if each["mountPath"] == "/.palio-launch")
    assert (mount["subPath"], mount["readOnly"]) == ("l", True)


def test_launcher_sends_counters_where_a_keeper_waits() -> None:
    _, stage = pod(manifest(settings=replace(SETTINGS, gate_image="palio:1"), starts=["run"], launcher="l"))[
        "containers"
    ]
    assert stage["command"][4:] == ["1", "run"]


def test_command_that_is_unknown_is_left_to_the_image() -> None:
    assert "command" not in container(manifest(launcher="l"))


def test_trial_runs_on_its_node() -> None:
    assert pod(manifest(node="node1"))["nodeSelector"] == {"kubernetes.io/hostname": "node1"}
    assert "nodeSelector" not in pod(manifest())


def test_job_runs_on_the_nodes_of_the_settings() -> None:
    chosen = replace(SETTINGS, node_selector="pool=gpu,zone=a", tolerations="nvidia.com/gpu,pool=gpu:NoSchedule")
    placed = pod(manifest(settings=chosen))
    assert placed["nodeSelector"] == {"pool": "gpu", "zone": "a"}
    assert placed["tolerations"] == [
        *pod(manifest())["tolerations"],
        {"operator": "Exists", "key": "nvidia.com/gpu"},
        {"operator": "Equal", "key": "pool", "value": "gpu", "effect": "NoSchedule"},
    ]
    trial = pod(manifest(settings=chosen, node="node1"))
    assert (trial["nodeSelector"], trial["tolerations"]) == ({"kubernetes.io/hostname": "node1"}, placed["tolerations"])


def test_spec_digest_ignores_how_palio_runs_it() -> None:
    def digest(**more: Any) -> str:
        return str(manifest(**more)["metadata"]["annotations"][SPEC])

    others: list[dict[str, Any]] = [
        {"settings": replace(SETTINGS, gate_image="x")},
        {"settings": replace(SETTINGS, gate_image="x"), "shares_cpus": True},
        {"launcher": "l", "starts": ["a"]},
        {"node": "node1"},
        {"settings": replace(SETTINGS, node_selector="pool=gpu", tolerations="gpu", queue="other")},
        {"claim": "jobs/1/claim", "targets": ["a,tcp,1.1.1.1,443"], "settings": replace(SETTINGS, gate_image="x")},
    ]
    assert {digest(**more) for more in others} == {digest()}


def test_spec_digest_tells_another_job_but_not_another_user() -> None:
    def digest(made: dict[str, Any]) -> str:
        return str(made["metadata"]["annotations"][SPEC])

    same, other = manifest(uid=10008), manifest(replace(JOB, limits=replace(LIMITS, time_s=501)))
    assert digest(manifest()) == digest(same) != digest(other)
    assert (manifest()["metadata"]["annotations"][UID], same["metadata"]["annotations"][UID]) == ("10007", "10008")


@pytest.mark.parametrize("name", ["palio-1a2b3c4d-predict", "a" * 63])
def test_valid_names_are_kept(name: str) -> None:
    assert object_name(name) == name


@pytest.mark.parametrize("name", ["palio-1-Predict", "palio_1", "a" * 64, "-", "palio-1-Prädikt"])
def test_other_names_become_valid_and_stay_different(name: str) -> None:
    made = object_name(name)
    assert object_name(made) == made
    assert made != object_name(name + "x")


def test_policy_selects_every_job_and_allows_nothing() -> None:
    spec = network_policy(SETTINGS)["spec"]
    assert spec["podSelector"]["matchLabels"].items() <= manifest()["spec"]["template"]["metadata"]["labels"].items()
    assert set(spec) == {"podSelector", "policyTypes"}
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_everything_survives_a_server_that_only_adds() -> None:
    wanted = manifest()
    created = copy.deepcopy(wanted)
    created["status"] = {}
    created["metadata"]["uid"] = "0f6c"
    limits = container(created)["resources"]["limits"]
    limits["cpu"], limits["memory"] = "1500m", "256Mi"
    container(created)["resources"]["requests"]["cpu"] = "1.5"
    assert what_did_not_survive(created, wanted) == ()


def test_what_a_server_drops_or_changes_is_named() -> None:
    wanted = manifest()
    created = copy.deepcopy(wanted)
    for name in ("podFailurePolicy", "podReplacementPolicy", "ttlSecondsAfterFinished"):
        del created["spec"][name]
    del pod(created)["hostUsers"], pod(created)["securityContext"]["supplementalGroupsPolicy"]
    for mount in container(created)["volumeMounts"]:
        mount.pop("recursiveReadOnly", None)
    pod(created)["securityContext"]["runAsNonRoot"] = False
    container(created)["resources"]["limits"]["memory"] = "257Mi"
    pod(created)["volumes"].pop()
    lost = what_did_not_survive(created, wanted)
    template = "spec.template.spec"
    assert {path for path in lost if path.rpartition(".")[2] not in OPTIONAL} == {
        f"{template}.securityContext.runAsNonRoot",
        f"{template}.containers[0].resources.limits.memory",
        f"{template}.volumes",
    }
    assert {path.rpartition(".")[2] for path in lost} >= set(OPTIONAL)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("GATE_IMAGE", "-v /:/host", "the name of an image"),
        ("FOLDER", "shared", "an absolute path"),
        ("NAMESPACE", "Palio Jobs", "a name in Kubernetes"),
        ("REGISTRY", "https://registry.example", "a host"),
        ("NODE_SELECTOR", "pool", "labels of nodes, such as `pool=gpu`"),
        ("TOLERATIONS", "gpu:Never", "taints, such as `nvidia.com/gpu`"),
    ],
)
def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, allowed: str) -> None:
    monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", "/shared")
    monkeypatch.setenv(f"PALIO_KUBERNETES_{variable}", value)
    with pytest.raises(PalioError) as raised:
        Settings.read()
    assert raised.value.failure.code == "usage"
    assert repr(value) in raised.value.failure.message
    assert allowed in raised.value.failure.message


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NAMESPACE", "CLAIM", "GATE_IMAGE"):
        monkeypatch.delenv(f"PALIO_KUBERNETES_{name}", raising=False)
    monkeypatch.setenv("PALIO_KUBERNETES_FOLDER", "/shared")
    monkeypatch.setenv("PALIO_KUBERNETES_REGISTRY", "registry.example:5000/palio")
    assert Settings.read() == Settings(Path("/shared"), registry="registry.example:5000/palio")


def test_folder_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALIO_KUBERNETES_FOLDER", raising=False)
    with pytest.raises(PalioError) as raised:
        Settings.read()
    assert raised.value.failure.code == "cluster-refused"
    assert "export PALIO_KUBERNETES_FOLDER" in raised.value.failure.next_step
