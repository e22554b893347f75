"""`python -m tests.submissions.table`: runs every attack on every engine that is here and writes how each ended into
docs/isolation.md. Engines that are not here have no column. Takes some minutes for each. If run by root, it also runs
the attacks on bubblewrap as an ordinary user.
"""

import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests import ordinary_user
from tests.conftest import ROOT
from tests.submissions.arena import Arena, Ending, arena
from tests.submissions.attacks import AS_USER, Attack, read_attacks
from tests.submissions.ordinary import ArenaOfUser, arena_of_user

from palio.engines import AUTO, find_fault

PAGE = ROOT / "docs/isolation.md"
BEGIN, END = "<!-- written by python -m tests.submissions.table -->\n", "<!-- end -->"
COLUMN_WIDTH = 34
TITLES = {f"bubblewrap{AS_USER}": "bubblewrap, ordinary user"}


def main() -> int:
    engines = [name for name in AUTO if find_fault(name) is None]
    attacks = read_attacks()
    engines += [f"bubblewrap{AS_USER}"] if "bubblewrap" in engines and ordinary_user.needed() else []
    columns = [_run(engine, attacks) for engine in engines]
    titles = "".join(f" {TITLES.get(engine, engine)} |" for engine in engines)
    head = [f"| # | attack |{titles}", "|---|---|" + "---|" * len(engines)]
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
    with ExitStack() as stack:
        ground: Arena | ArenaOfUser
        if engine.endswith(AS_USER):
            ground = stack.enter_context(arena_of_user())
        else:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="attacks-"))
            ground = stack.enter_context(arena(engine, Path(home)))
        for attack in attacks:
            if not attack.applies_to(engine):
                reason = attack.not_on.get(engine) or attack.not_on.get(engine.removesuffix(AS_USER))
                cells[attack.name] = f"– {reason}" if reason else "same as root"
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
