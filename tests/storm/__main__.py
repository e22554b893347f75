"""`make storm`: 200 kills, database locks and full disks against a real platform, on each engine that works here.

Needs root for the small disk that it fills; without root, nothing is filled. Never kills dockerd.
"""

import argparse
import random
import signal
import sys

from tests.storm.storm import storm

from palio.engines import AUTO, find_fault


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=str(__doc__).split("\n\n")[0])
    parser.add_argument("--engine", action="append", choices=AUTO, help="default: each that works here")
    parser.add_argument("--blows", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30.0, help="no blow after that; default: 30")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidies up like Ctrl-C
    engines = asked.engine or [name for name in AUTO if find_fault(name) is None]
    if not engines:
        print("No engine works on this machine, so there is nothing to strike.", file=sys.stderr)
        return 12
    failed = 0
    for engine in engines:
        print(f"storm on {engine}, seed {asked.seed}, {asked.blows} blows", flush=True)
        with storm(asked.seed, engine, blows=asked.blows, seconds=asked.minutes * 60, say=_say) as report:
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
