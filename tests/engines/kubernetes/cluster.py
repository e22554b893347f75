"""`python -m tests.engines.kubernetes.cluster [ARGUMENT...]`: runs the tests that need a cluster, in a namespace of
their own, and passes the arguments on to pytest. With `short`, only a few of them; with `run COMMAND...`, a command
instead, such as `run palio demo --engine kubernetes`.

With PALIO_KUBERNETES_FOLDER, in the cluster that the variables of docs/kubernetes.md name. Without, in the one-node
cluster that ../shared/tools/kubernetes-up starts, where there is such a script.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

from palio.engines.kubernetes.settings import PREFIX

START = ROOT.parent / "shared/tools/kubernetes-up"
NAME = "palio-tests"
FOLDER = Path("/var/tmp/palio-tests-volume")  # on the machine that is the node, too
IMAGE = "python:3.11-slim"
BOUND_S = 60
TESTS = ("tests/engines", "tests/submissions", "tests/web/browser/test_mednist_walk.py", "tests/storm")
SHORT = (  # something of each kind but storms, in a few minutes; tests here have names of their own
    "test_cpu_time_and_memory_measured",
    "test_memory_over_limit",
    "test_policy_enforced_and_then_not",
    "11-network",
    "16-symlink-shadow",
    "10-daemon",
    "(not_run_again and pod)",
)
# A test cluster's certificate is not verified, and pytest forgets that the client has silenced this.
PYTEST = [sys.executable, "-m", "pytest", "-W", "ignore:Unverified HTTPS request", "-m", "kubernetes", "--durations=15"]
_OPERATOR = 12


def objects() -> list[dict[str, Any]]:
    """The namespace, and the volume and its claim."""
    space = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {"capacity": {"storage": "10Gi"}, "hostPath": {"path": str(FOLDER)}, **space}
    claim = {"volumeName": NAME, "resources": {"requests": {"storage": "10Gi"}}, **space}
    here = {"name": NAME, "namespace": NAME}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}},
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": NAME}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": here, "spec": claim},
    ]


def start() -> Mapping[str, str]:
    """Starts the cluster and makes what the tests need; returns the variables that name it."""
    said = subprocess.run([START], check=True, stdout=subprocess.PIPE, text=True).stdout
    variables = {"KUBECONFIG": said.strip().splitlines()[-1].removeprefix("KUBECONFIG=")}
    variables |= {f"{PREFIX}{name}": NAME for name in ("NAMESPACE", "CLAIM")}
    variables |= {f"{PREFIX}FOLDER": str(FOLDER), f"{PREFIX}GATE_IMAGE": IMAGE}
    FOLDER.mkdir(exist_ok=True)
    kubectl = ["kubectl", "--kubeconfig", variables["KUBECONFIG"]]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects()}
    subprocess.run([*kubectl, "apply", "-f", "-"], check=True, input=json.dumps(listed), text=True)
    phase, deadline = "", time.monotonic() + BOUND_S
    while phase != "Bound" and time.monotonic() < deadline:
        words = [*kubectl, "-n", NAME, "get", "pvc", NAME, "-o", "jsonpath={.status.phase}"]
        phase = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        time.sleep(0.5)
    return variables


def of_cluster() -> dict[str, str]:
    """The settings with which a platform uses the cluster that the environment names, if it names one."""
    named = {name: text for name, text in os.environ.items() if name.startswith(PREFIX)}
    if named:
        named["PALIO_ACCEPT_UNENFORCED"] = "network,pids,shared memory,output"
    return named


def main(arguments: Sequence[str]) -> int:
    variables: Mapping[str, str] = {}
    if not os.environ.get("PALIO_KUBERNETES_FOLDER"):
        if not START.exists():
            print(
                "Set PALIO_KUBERNETES_FOLDER to where the cluster's volume is mounted here; see docs/kubernetes.md.",
                file=sys.stderr,
            )
            return _OPERATOR
        variables = start()
    own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if arguments[:1] == ["run"]:
        words = [*arguments[1:]]
    elif arguments[:1] == ["short"]:
        words = [*PYTEST, "-k", " or ".join(SHORT), *TESTS]
    else:
        words = [*PYTEST, *(arguments or TESTS)]
    return subprocess.run(words, check=False, cwd=ROOT, env={**os.environ, **own, **variables}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
