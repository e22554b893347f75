"""What the benchmarks make of their figures; the figures themselves are measured, and never asserted."""

from pathlib import Path

import pytest
from benchmarks.leaderboard import Load
from benchmarks.measuring import Comparison, Line, Timing, side_by_side
from benchmarks.report import BEGIN, END, table, write_page

PACKING = Line("packing", 0.2, "s", "zip -r", 0.1, 0.15, 0.3, 5, "ratio 3")
MEMORY = Line("memory", 120.4, "MiB PSS", limit="250 MiB")


def report(*days: str) -> dict[str, object]:
    return {
        "machine": {"cpus": 2, "processor": "P", "memory_gib": 23.5, "python": "3.11.7", "platform": "Linux"},
        "benchmarks": {
            str(number): {"when": f"{day}T10:00:00+00:00", "load_before": 0.42, "lines": [line.as_json()]}
            for number, (day, line) in enumerate(zip(days, (PACKING, MEMORY), strict=False))
        },
    }


def test_table_has_a_row_for_each_figure() -> None:
    assert list(table(report("2026-11-26", "2026-11-26"))) == [
        "2026-11-26, 2 CPUs (P), 23.5 GiB, Python 3.11.7, Linux.",
        "",
        "| what | Palio | range | beside | ratio | limit | load |",
        "|---|---|---|---|---|---|---|",
        "| packing | 0.2 s | 0.15 – 0.3 s | zip -r: 0.1 s | 2.00 | ratio 3 | 0.4 |",
        "| memory | 120 MiB PSS |  |  |  | 250 MiB | 0.4 |",
    ]


def test_table_of_several_days_says_so() -> None:
    first = next(table(report("2026-11-26", "2026-11-24")))
    assert first == "2026-11-24 to 2026-11-26, 2 CPUs (P), 23.5 GiB, Python 3.11.7, Linux."


def test_page_keeps_the_text_around_its_table(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nan old table\n{END}\nafter\n")
    write_page(report("2026-11-26"), page)
    assert page.read_text() == "\n".join(["before", BEGIN, *table(report("2026-11-26")), END, "after\n"])


def test_rows_of_benchmarks_that_were_not_run_stay(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    old = [
        "| hashing | 1 s |  |  |  |  | 0.1 |",
        "| packing | 9 s |  | zip -r: 1 s | 9 |  | 0.1 |",
        "| packing | 9 s |  | cp: 1 s | 9 |  | 1 |",
    ]
    page.write_text(
        "\n".join([BEGIN, "2026-11-20, 2 CPUs.", "", "| what |", "|---|---|---|---|---|---|---|", *old, END])
    )
    write_page(report("2026-11-26", "2026-11-26"), page)
    first, *_, hashing, packing, memory, other, end = page.read_text().splitlines()[1:]
    assert first.startswith("2026-11-20 to 2026-11-26, ")
    assert (hashing, other, end) == (old[0], old[2], END)
    assert packing.startswith("| packing | 0.2 s | 0.15")
    assert memory.startswith("| memory | 120 MiB PSS |")
    written = page.read_text()
    write_page(report("2026-11-26", "2026-11-26"), page)
    assert page.read_text() == written


def test_page_without_table_place(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nand no end")
    with pytest.raises(RuntimeError, match="has no place for the table"):
        write_page(report("2026-11-26"), page)
    assert page.read_text() == f"before\n{BEGIN}\nand no end"


def test_side_by_side_alternates() -> None:
    done: list[str] = []
    compared = side_by_side(
        "two",
        ("theirs", lambda number: done.append(f"theirs {number}")),
        ("ours", lambda number: done.append(f"ours {number}")),
        runs=2,
        tidy=lambda number: done.append(f"tidy {number}"),
    )
    assert done == ["theirs 0", "tidy 0", "ours 0", "tidy 0", "theirs 1", "tidy 1", "ours 1", "tidy 1"]
    assert (compared.baseline.name, compared.palio.name, compared.palio.runs) == ("theirs", "ours", 2)


def test_comparison_gives_medians_range_and_ratio() -> None:
    compared = Comparison("two", Timing.of("theirs", [2.0, 9.0, 1.0]), Timing.of("ours", [3.0, 1.0, 8.0]), 1.0)
    assert compared.line("ratio 2") == Line("two", 3.0, "s", "theirs", 2.0, 1.0, 8.0, 3, "ratio 2")
    assert compared.line().ratio == 1.5


def test_load_has_a_percentile_of_each_round() -> None:
    rounds = [[float(each) for each in range(200)], [float(each) for each in range(100, 300)]]
    load = Load.of("page", [*rounds, [1.0] * 200], 10)
    assert load == Load("page", 99.5, (1.0, 198.0, 298.0), 299.0, 600, 10)
    assert load.usual_p99_ms == 198.0
