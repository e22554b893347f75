"""`python -m tests.submissions.table`: runs every attack on every engine that is here and writes how each ended into
docs/isolation.md. Engines that are not here have no column. Takes some minutes for each. If run by root, it also runs
the attacks on bubblewrap as an ordinary user. With names of engines, only their columns are written; with numbers or
names of attacks, such as `kubernetes 1 18-pipe`, only those attacks are run.
"""

import os
import re
import sys
import tempfile
from collections.abc import Sequence
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
NOT_RUN = "not run"
TITLES = {f"bubblewrap{AS_USER}": "bubblewrap, ordinary user"}


def main(asked: Sequence[str]) -> int:
    attacks, text = read_attacks(), PAGE.read_text(encoding="utf-8")
    named = {word for word in asked if word[0].isdigit()}
    numbers = {int(word) for word in named if word.isdigit()}
    chosen = [attack for attack in attacks if not named or attack.name in named or int(attack.name[:2]) in numbers]
    cells = _read(text, attacks) if asked else {}
    for engine in [word for word in asked if word not in named] or _engines_here():
        before = cells.get(engine) or {attack.name: NOT_RUN for attack in attacks}
        cells[engine] = before | _run(engine, chosen)
    engines, columns = [*cells], [*cells.values()]
    titles = "".join(f" {TITLES.get(engine, engine)} |" for engine in engines)
    head = [f"| # | attack |{titles}", "|---|---|" + "---|" * len(engines)]
    rows = [
        f"| {int(attack.name[:2])} | {attack.description} |"
        + "".join(f" {column[attack.name]} |" for column in columns)
        for attack in attacks
    ]
    table = BEGIN + "\n".join(head + rows) + "\n" + END
    PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: table, text, flags=re.DOTALL), encoding="utf-8")
    return any("UNEXPECTED" in cell for column in columns for cell in column.values())


def _engines_here() -> list[str]:
    engines = [name for name in AUTO if find_fault(name) is None]
    engines += [f"bubblewrap{AS_USER}"] if "bubblewrap" in engines and ordinary_user.needed() else []
    return engines + (["kubernetes"] if os.environ.get("PALIO_KUBERNETES_FOLDER") else [])


def _read(text: str, attacks: Sequence[Attack]) -> dict[str, dict[str, str]]:
    """The columns of the page, by engine. An attack that it does not have yet was not run."""
    head, _, *rows = text.partition(BEGIN)[2].partition(END)[0].splitlines()
    names = {title: engine for engine, title in TITLES.items()}
    engines = [names.get(title, title) for title in _words(head)[2:]]
    found = {words[1]: words[2:] for words in map(_words, rows)}
    return {
        engine: {
            attack.name: found[attack.description][number] if attack.description in found else NOT_RUN
            for attack in attacks
        }
        for number, engine in enumerate(engines)
    }


def _words(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split(" | ")]


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
                same = "same as docker" if engine == "kubernetes" else "same as root"
                cells[attack.name] = f"– {reason}" if reason else same
                continue
            ending = ground.run(attack)
            fine = ending.code in attack.expectation(engine).ends and not ending.harm
            cells[attack.name] = _cell(ending, fine=fine)
            print(f"{engine:<11} {attack.name:<28} {cells[attack.name]:<{COLUMN_WIDTH}}", *ending.harm, flush=True)
            if not fine and ending.failure:
                print(ending.failure.message, *ending.failure.evidence, *ending.failure.log, sep="\n", flush=True)
        for left in ground.left_over():  # or somebody else's, if others use the engine
            print(f"{engine:<11} left over after all attacks: {left}", flush=True)
    return cells


def _cell(ending: Ending, *, fine: bool) -> str:
    scores = f" {ending.scores['accuracy']:.2f}" if ending.scores else ""
    return f"{'' if fine else 'UNEXPECTED '}`{ending.code}`{scores}, {ending.seconds:.1f} s"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
