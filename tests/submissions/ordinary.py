"""Attacks on bubblewrap that are run by an ordinary user.

`python -m tests.submissions.ordinary FOLDER` runs them as the user that it is started by, one for each line. A line
names an attack; the answer is a line with how it ended, as JSON. After an empty line: what is left over.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests import ordinary_user
from tests.submissions.arena import Ending, arena
from tests.submissions.attacks import Attack, read_attacks

from palio.core.errors import Failure


class ArenaOfUser:
    """The same arena in a process of an ordinary user's, which is told the attacks' names."""

    def __init__(self, home: Path) -> None:
        (home / "arena").mkdir()
        os.chown(home / "arena", ordinary_user.UID, ordinary_user.UID)
        self._process = ordinary_user.popen(
            home, "-m", "tests.submissions.ordinary", home / "arena", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def run(self, attack: Attack) -> Ending:
        assert self._process.stdin
        self._process.stdin.write(f"{attack.name}\n")
        self._process.stdin.flush()
        content = self._answer()
        failure = Failure.from_json(content["failure"]) if content["failure"] else None
        return Ending(**{**content, "failure": failure, "harm": tuple(content["harm"])})

    def left_over(self) -> list[str]:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: list[str] = self._answer()
        return found

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


@contextmanager
def arena_of_user() -> Iterator[ArenaOfUser]:
    """For tests that are run by root."""
    with tempfile.TemporaryDirectory(prefix="attacks-", dir="/var/tmp") as home:
        made = ArenaOfUser(Path(home))
        yield made
        made.close()


def main() -> None:
    attacks = {attack.name: attack for attack in read_attacks()}
    with arena("bubblewrap", Path(sys.argv[1])) as ground:
        for line in sys.stdin:
            if not line.strip():
                answer(ground.left_over())
                continue
            ending = ground.run(attacks[line.strip()])
            failure = ending.failure.as_json() if ending.failure else None
            answer({**asdict(ending), "failure": failure, "scores": dict(ending.scores) if ending.scores else None})


def answer(content: object) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
