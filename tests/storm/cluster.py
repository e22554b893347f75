"""What a storm on Kubernetes strikes and looks at: pods of jobs, the cluster's own processes if they run on this
machine, and what the API server recorded.
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from palio.core.errors import PalioError
from palio.engines.kubernetes.api import Cluster, NotFoundError
from palio.engines.kubernetes.classify import STAGE
from palio.engines.kubernetes.manifest import MANAGED_BY
from palio.engines.kubernetes.settings import Settings

PROCESSES = ("kube-apiserver", "kubelet")
_SELECTOR = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())


class StormyCluster:
    """The one that the environment names."""

    def __init__(self) -> None:
        self._settings = Settings.read()
        self._cluster = Cluster(self._settings)
        self._pods = f"/api/v1/namespaces/{self._settings.namespace}/pods"

    def delete_pod(self, chance: random.Random) -> bool:
        """As a drained node or an administrator does it."""
        with suppress(PalioError):
            live = [pod for pod in self._listed(self._pods) if pod["status"].get("phase") in ("Pending", "Running")]
            if live:
                with suppress(NotFoundError):
                    self._cluster.delete(f"{self._pods}/{chance.choice(live)['metadata']['name']}", {})
                    return True
        return False

    def starts(self) -> Counter[str]:
        """How often the container of each job's program was started in the last hour, by the kubelet's events."""
        listed = self._cluster.get(
            f"/api/v1/namespaces/{self._settings.namespace}/events", fieldSelector="reason=Started"
        )
        found: Counter[str] = Counter()
        for event in listed.get("items") or ():
            told = event["involvedObject"]
            if told.get("fieldPath") == f"spec.containers{{{STAGE}}}":
                found[told["name"].rpartition("-")[0]] += event.get("count") or 1
        return found

    def left_over(self) -> list[str]:
        """Jobs, pods and folders of jobs; nothing else may use the namespace."""
        jobs = f"/apis/batch/v1/namespaces/{self._settings.namespace}/jobs"
        named = {"job": self._listed(jobs), "pod": self._listed(self._pods)}
        found = [f"the {kind} {each['metadata']['name']}" for kind, all_ in named.items() for each in all_]
        return found + [f"the folder {path}" for path in (self._settings.folder / "palio-jobs").glob("*")]

    def _listed(self, path: str) -> list[dict[str, Any]]:
        return list(self._cluster.get(path, labelSelector=_SELECTOR).get("items") or ())


def local_processes() -> dict[str, int]:
    """Those of the cluster that run on this machine, by their names."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if (name := path.read_text().strip()) in PROCESSES:
                found[name] = int(path.parent.name)
    return found


def kill_and_restart(name: str, wait: Callable[[], object]) -> bool:
    """Kills one of the cluster's processes, and starts it again after `wait` as it was, in a session of its own."""
    if (process := local_processes().get(name)) is None:
        return False
    about = Path(f"/proc/{process}")
    command = about.joinpath("cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    folder, environment = about.joinpath("cwd").readlink(), about.joinpath("environ").read_bytes()
    variables = dict(each.split(b"=", 1) for each in environment.split(b"\0") if b"=" in each)
    with Path(f"/proc/{process}/fd/1").readlink().open("ab") as log:
        os.kill(process, signal.SIGKILL)
        wait()
        while local_processes().get(name) == process:
            time.sleep(0.05)
        again = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    for noted in folder.glob("*.pid"):  # whoever started it finds it there to end it
        if noted.read_text().strip() == str(process):
            noted.write_text(f"{again.pid}\n")
    return True
