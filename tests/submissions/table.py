"""`python -m tests.submissions.table`: runs every attack on every engine that is here and writes how each ended into
docs/isolation.md. Engines that are not here keep no column. Takes some minutes for each.
"""

import re
import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.submissions.arena import Ending, arena
from tests.submissions.attacks import Attack, read_attacks

from palio.engines import ENGINES, find_fault

PAGE = ROOT / "docs/isolation.md"
BEGIN, END = "<!-- written by python -m tests.submissions.table -->\n", "<!-- end -->"
COLUMN_WIDTH = 34


def main() -> int:
    engines = [name for name in ENGINES if find_fault(name) is None]
    attacks = read_attacks()
    columns = [_run(engine, attacks) for engine in engines]
    head = ["| # | attack |" + "".join(f" {engine} |" for engine in engines), "|---|---|" + "---|" * len(engines)]
    rows = [
        f"| {int(attack.name[:2])} | {attack.description} |"
        + "".join(f" {column[attack.name]} |" for column in columns)
        for attack in attacks
    ]
    text = PAGE.read_text(encoding="utf-8")
    table = BEGIN + "\n".join(head + rows) + "\n" + END
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")
    return any("UNEXPECTED" in cell for column in columns for cell in column.values())


def _run(engine: str, attacks: list[Attack]) -> dict[str, str]:
    cells: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="attacks-") as home, arena(engine, Path(home)) as ground:
        for attack in attacks:
            if reason := attack.not_on.get(engine):
                cells[attack.name] = f"– {reason}"
                continue
            ending = ground.run(attack)
            cells[attack.name] = _cell(ending, fine=ending.code in attack.expectation(engine).ends and not ending.harm)
            print(f"{engine:<11} {attack.name:<28} {cells[attack.name]:<{COLUMN_WIDTH}}", flush=True)
    return cells


def _cell(ending: Ending, *, fine: bool) -> str:
    scores = f" {ending.scores['accuracy']:.2f}" if ending.scores else ""
    return f"{'' if fine else 'UNEXPECTED '}`{ending.code}`{scores}, {ending.seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main())
