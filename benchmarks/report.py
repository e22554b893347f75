"""docs/performance.md: its table, written from what the benchmarks measured; the text around it is left as it is.

Rows of benchmarks that were not measured here, such as those of another machine, stay where they are.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

PAGE = Path(__file__).parents[1] / "docs/performance.md"
_Name: TypeAlias = tuple[str, str]

BEGIN, END = "<!-- written by python -m benchmarks -->", "<!-- end of what is written -->"
_SEPARATOR = "|---|---|---|---|---|---|---|"
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def write_page(report: Mapping[str, Any], page: Path = PAGE) -> None:
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    before, end, tail = rest.partition(END)
    if not begin or not end:
        raise RuntimeError(f"{page} has no place for the table: {BEGIN} and {END}")
    page.write_text("\n".join([head + BEGIN, *table(report, before), END + tail]), encoding="utf-8")


def table(report: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The lines of the table. `before` is the one on the page."""
    machine = report["machine"]
    days = {benchmark["when"][:10] for benchmark in report["benchmarks"].values()}
    first, *_, last = sorted({*days, *_DAY.findall(before)}) * 2
    yield (
        f"{first if first == last else f'{first} to {last}'}, {machine['cpus']} CPUs ({machine['processor']}), "
        f"{machine['memory_gib']} GiB, Python {machine['python']}, {machine['platform']}."
    )
    yield ""
    yield "| what | Palio | range | beside | ratio | limit | load |"
    yield _SEPARATOR
    new = [
        _row(line, benchmark["load_before"])
        for benchmark in report["benchmarks"].values()
        for line in benchmark["lines"]
    ]
    old = [row for row in before.partition(_SEPARATOR)[2].splitlines() if row]
    yield from _merged({_name(row): row for row in old}, {_name(row): row for row in new})


def _merged(old: Mapping[_Name, str], new: Mapping[_Name, str]) -> Iterator[str]:
    """The old rows in their order, each replaced by the new one of its name, and behind it the new ones that follow."""
    names = [*new]
    begins = [place for place, name in enumerate(names) if name in old]
    yield from (new[name] for name in names[: begins[0] if begins else len(names)])
    for name, row in old.items():
        yield new.get(name, row)
        if name in new:
            place = names.index(name)
            behind = next((begin for begin in begins if begin > place), len(names))
            yield from (new[each] for each in names[place + 1 : behind])


def _name(row: str) -> _Name:
    """The first column, and the baseline without its figure, as a benchmark may have several."""
    cells = [cell.strip() for cell in row.split("|")]
    return cells[1], cells[4].rpartition(": ")[0]


def _row(line: Mapping[str, Any], load: float) -> str:
    unit = line["unit"]
    spread = f"{line['lowest']:.3g} – {line['highest']:.3g} {unit}" if line["runs"] > 1 else ""
    beside = f"{line['baseline']}: {line['baseline_value']:.3g} {unit}" if line["ratio"] else ""
    ratio = f"{line['ratio']:.2f}" if line["ratio"] else ""
    cells = (line["title"], f"{line['value']:.3g} {unit}", spread, beside, ratio, line["limit"], f"{load:.1f}")
    return f"| {' | '.join(cells)} |"
