"""`python -m tests.submissions.ordinary FOLDER`: runs attacks on bubblewrap as whoever runs this, one for each line.

A line names an attack; the answer is a line with how it ended, as JSON. After an empty line: what is left over.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from tests.submissions.arena import arena
from tests.submissions.attacks import read_attacks


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
