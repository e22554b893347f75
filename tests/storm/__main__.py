"""`make storm`: 200 kills, database locks, full disks and turned clocks against a real platform, on each engine and
database that works here.

Needs root for the small disk that it fills; without root, nothing is filled. Never kills dockerd. Strikes Kubernetes if
asked to, or if the variables of docs/kubernetes.md name a cluster; without them, it starts the one of this machine.
"""

import argparse
import os
import random
import signal
import sys
from itertools import product

from tests.engines.kubernetes import cluster
from tests.storm.storm import storm
from tests.web.postgresql import programs

from palio.engines import AUTO, ENGINES, find_fault
from palio.engines.kubernetes.settings import PREFIX

DATABASES = ("sqlite", "postgresql")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--engine", action="append", choices=ENGINES, help="default: each that works here")
    parser.add_argument("--database", action="append", choices=DATABASES, help="default: each that works here")
    parser.add_argument("--blows", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30.0, help="no blow after that; default: 30")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidies up like Ctrl-C
    has_cluster = bool(os.environ.get(f"{PREFIX}FOLDER"))
    candidates = ENGINES if has_cluster else AUTO
    engines = asked.engine or [name for name in candidates if find_fault(name) is None]
    if "kubernetes" in engines and not has_cluster:
        os.environ.update(cluster.start())
    if not engines:
        print("No engine works on this machine, so there is nothing to strike.", file=sys.stderr)
        return 12
    databases = asked.database or [name for name in DATABASES if name == "sqlite" or programs() is not None]
    failed = 0
    for engine, database in product(engines, databases):
        print(f"storm on {engine} with {database}, seed {asked.seed}, {asked.blows} blows", flush=True)
        seconds = asked.minutes * 60
        with storm(asked.seed, engine, blows=asked.blows, seconds=seconds, say=_say, database=database) as report:
            print(report.shown(), flush=True)
            fell_short = report.struck.total() < asked.blows
            if fell_short:
                print(f"  only {report.struck.total()} of {asked.blows} blows within {asked.minutes:g} minutes")
            failed += bool(report.findings) or fell_short
    return int(failed > 0)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
