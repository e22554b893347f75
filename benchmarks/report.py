"""docs/performance.md: its table, written from what the benchmarks measured; the text around it is left as it is."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs/performance.md"
BEGIN, END = "<!-- written by python -m benchmarks -->", "<!-- end of what is written -->"


def write_page(report: Mapping[str, Any], page: Path = PAGE) -> None:
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise RuntimeError(f"{page} has no place for the table: {BEGIN} and {END}")
    page.write_text("\n".join([head + BEGIN, *table(report), END + tail]), encoding="utf-8")


def table(report: Mapping[str, Any]) -> Iterator[str]:
    machine = report["machine"]
    days = sorted({benchmark["when"][:10] for benchmark in report["benchmarks"].values()})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    yield (
        f"{when}, {machine['cpus']} CPUs ({machine['processor']}), {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, {machine['platform']}."
    )
    yield ""
    yield "| what | Palio | range | beside | ratio | limit | load |"
    yield "|---|---|---|---|---|---|---|"
    for benchmark in report["benchmarks"].values():
        for line in benchmark["lines"]:
            yield _row(line, benchmark["load_before"])


def _row(line: Mapping[str, Any], load: float) -> str:
    unit = line["unit"]
    spread = f"{line['lowest']:.3g} – {line['highest']:.3g} {unit}" if line["runs"] > 1 else ""
    beside = f"{line['baseline']}: {line['baseline_value']:.3g} {unit}" if line["ratio"] else ""
    ratio = f"{line['ratio']:.2f}" if line["ratio"] else ""
    cells = (line["title"], f"{line['value']:.3g} {unit}", spread, beside, ratio, line["limit"], f"{load:.1f}")
    return f"| {' | '.join(cells)} |"
