"""How busy the slots are with a full queue of short submissions, against a shell loop that runs the same containers.

A real `palio serve` with SLOTS slots, on Docker or in a cluster. The submissions are zips that differ in a file that
their images do not have, so each image is built from the engine's cache; the program sleeps for half a second. The loop
runs a prediction and a scoring container for each, as many side by side as there are slots, with the same images,
mounts and users: with `docker run`, or as bare Jobs that `kubectl` creates, waits for and deletes. In the cluster, each
has CPUS, which leaves room for Palio's keepers on two CPUs.
`busy`: the time in which slots have an attempt, of all their time from the first start to the last end.

    python -m benchmarks.queue_throughput [SUBMISSIONS] [--engine kubernetes]     (default: 1000, on docker)

The cluster is the one that the variables of docs/kubernetes.md name. Its nodes have to see the images of the Docker
engine beside Palio, and nothing else may run there.
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bundles import DOCKERFILE, PREDICT, YAML, write_bundle
from tests.engines.kubernetes.cluster import of_cluster

from benchmarks.measuring import Line
from benchmarks.run_overhead import NAME
from benchmarks.serving import Server

SUBMISSIONS, SMALL, SLOTS, TEAMS = 1000, 40, 2, 8
CPUS = 0.8
SLEEP = "import time\ntime.sleep(0.5)\n"
LEAST_BUSY = 85
POLL_S = 1.0
STARTED = "SELECT started, finished, state FROM palio_attempt"


def measure(submissions: int = SUBMISSIONS, engine: str = "docker") -> list[Line]:
    in_cluster = engine == "kubernetes"
    # On the cluster's volume, as its platform's data would be.
    volume = os.environ["PALIO_KUBERNETES_FOLDER"] if in_cluster else None
    home = Path(tempfile.mkdtemp(prefix="palio-benchmark-", dir=volume))
    home.chmod(0o755)
    try:
        yaml = YAML.replace("cpus: 1", f"cpus: {CPUS}") if in_cluster else YAML
        bundle = write_bundle(home / "bundle", yaml=yaml)
        busy, wall_s = _on_the_platform(home, bundle, submissions, engine)
        loop_s = (_by_jobs if in_cluster else _by_a_loop)(home, bundle, submissions)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["docker", "image", "rm", "--force", NAME], capture_output=True, check=False)
    what = f"{submissions:,} queued submissions of half a second, {SLOTS} slots{', in a cluster' if in_cluster else ''}"
    beside = "a loop of kubectl create, wait, delete" if in_cluster else "a loop of docker run"
    return [
        Line(f"{what}: slots busy", 100 * busy, "%", limit=f"at least {LEAST_BUSY} %"),
        Line(f"{what}: each", wall_s / submissions, "s", beside, loop_s / submissions),
    ]


def _on_the_platform(home: Path, bundle: Path, submissions: int, engine: str) -> tuple[float, float]:
    """The share of time in which slots were busy, and seconds from the first start to the last end."""
    data = home / "data"
    setting = os.environ | {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    program = [sys.executable, "-m", "benchmarks.queue_throughput", "--fill", str(submissions), str(bundle)]
    subprocess.run(program, check=True, env=setting)
    server = Server(home, "--slots", str(SLOTS), "--engine", engine, settings=of_cluster())
    try:
        while True:
            with closing(sqlite3.connect(data / "palio.sqlite3", timeout=30)) as database:
                rows = database.execute(STARTED).fetchall()
            if all(finished for _, finished, _ in rows):
                break
            time.sleep(POLL_S)
    finally:
        server.stop()
    if unexpected := [state for _, _, state in rows if state != "scored"]:
        raise RuntimeError(f"{len(unexpected)} submissions were not scored: {unexpected[:3]}")
    times = [(datetime.fromisoformat(started), datetime.fromisoformat(finished)) for started, finished, _ in rows]
    wall_s = (max(end for _, end in times) - min(begin for begin, _ in times)).total_seconds()
    return sum((end - begin).total_seconds() for begin, end in times) / (SLOTS * wall_s), wall_s


def _fill(submissions: int, bundle: Path) -> None:
    """A data folder in which they wait already."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from tests.web.controller.stepped_controller import add_submission
    from tests.web.world import make_challenge

    from palio.web.models import Challenge, Team, User
    from palio.web.storage.files import keep_bundle

    settings.FOLDERS.make()
    call_command("migrate", verbosity=0)
    call_command("createcachetable", verbosity=0)
    captain = User.objects.create_user("captain")
    challenge = make_challenge("bench", keep_bundle(settings.FOLDERS, bundle), captain, Challenge.Visibility.PUBLISHED)
    teams = [Team.objects.create(challenge=challenge, name=f"Team {n}", captain=captain) for n in range(TEAMS)]
    for number in range(submissions):
        add_submission(teams[number % TEAMS], captain, extra=b"%d" % number, predict=SLEEP)


def _by_a_loop(home: Path, bundle: Path, submissions: int) -> float:
    """Seconds."""
    _build(home)
    run = "docker run --rm --network none --user 10001:10001 --read-only --memory 256m --cpus 1 --pids-limit 64"
    one = f"""set -e; d={home}/loop-$1; mkdir -m 777 "$d" "$d/res" "$d/out"; chmod 777 "$d/res" "$d/out"
{run} -e PALIO_INPUT=/mnt/in -e PALIO_OUTPUT=/mnt/out -v {bundle}/input_data:/mnt/in:ro -v "$d/res":/mnt/out {NAME}
{run} -v {bundle}/scoring_program:/app/program:ro -v {bundle}/reference_data:/app/input/ref:ro \
-v "$d/res":/app/input/res:ro -v "$d/out":/app/output \
python:3.11-slim python /app/program/score.py /app/input /app/output
test -f "$d/out/scores.json" """
    return _many(home, one, submissions)


def _by_jobs(home: Path, bundle: Path, submissions: int) -> float:
    """Seconds."""
    _build(home)
    volume = Path(os.environ["PALIO_KUBERNETES_FOLDER"])
    inputs, results, out = bundle / "input_data", home / "loop-NUMBER/res", home / "loop-NUMBER/out"
    predict = _job("predict", NAME, [], {"/mnt/in": inputs, "/mnt/out": results}, volume)
    places = {"/app/program": bundle / "scoring_program", "/app/input/ref": bundle / "reference_data"}
    places |= {"/app/input/res": results, "/app/output": out}
    command = ["python", "/app/program/score.py", "/app/input", "/app/output"]
    score = _job("score", "python:3.11-slim", command, places, volume)
    kubectl = f"kubectl -n {os.environ['PALIO_KUBERNETES_NAMESPACE']}"
    one = f'set -e; d={home}/loop-$1; mkdir -m 777 "$d" "$d/res" "$d/out"; chmod 777 "$d/res" "$d/out"\n'
    for stage, job in (("predict", predict), ("score", score)):
        (home / f"{stage}.json").write_text(json.dumps(job))
        one += f"""sed "s/NUMBER/$1/g" {home}/{stage}.json | {kubectl} create -f -
{kubectl} wait --for=condition=complete --timeout=300s "job/{stage}-$1"
{kubectl} delete --wait=false "job/{stage}-$1"
"""
    return _many(home, one + 'test -f "$d/out/scores.json"', submissions)


def _job(stage: str, image: str, command: list[str], places: dict[str, Path], volume: Path) -> dict[str, Any]:
    resources = {"cpu": f"{round(CPUS * 1000)}m", "memory": "256Mi"}
    container = {
        "name": stage,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": command,
        "env": [{"name": "PALIO_INPUT", "value": "/mnt/in"}, {"name": "PALIO_OUTPUT", "value": "/mnt/out"}],
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {"readOnlyRootFilesystem": True, "runAsUser": 10001, "runAsGroup": 10001},
        "volumeMounts": [
            {"name": "data", "mountPath": place, "subPath": str(folder.relative_to(volume))}
            for place, folder in places.items()
        ],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": os.environ["PALIO_KUBERNETES_CLAIM"]}}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"{stage}-NUMBER"}, "spec": spec}


def _build(home: Path) -> None:
    context = home / "loop"
    context.mkdir()
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "predict.py").write_text(SLEEP + PREDICT)
    subprocess.run(["docker", "build", "-q", "-t", NAME, str(context)], check=True, capture_output=True)


def _many(home: Path, one: str, submissions: int) -> float:
    """Seconds. `xargs` is what a lab's script would use to keep the slots full."""
    (home / "one.sh").write_text(one)
    begin = time.perf_counter()
    subprocess.run(
        ["xargs", "-P", str(SLOTS), "-I", "{}", "sh", str(home / "one.sh"), "{}"],
        input="\n".join(map(str, range(submissions))),
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - begin


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fill"]:
        _fill(int(sys.argv[2]), Path(sys.argv[3]))
        sys.exit()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue_throughput")
    parser.add_argument("submissions", nargs="?", type=int, default=SUBMISSIONS)
    parser.add_argument("--engine", choices=["docker", "kubernetes"], default="docker")
    asked = parser.parse_args()
    for line in measure(asked.submissions, asked.engine):
        print(line.shown())
