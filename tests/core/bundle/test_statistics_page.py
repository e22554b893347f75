"""docs/statistics.md lists every metric with its methods, and every method with its source."""

import re
from pathlib import Path

from palio.core.bundle.case_metrics import KINDS, form
from palio.core.statistics.comparisons import FLIPPED_PAIRS, PERMUTED_PAIRS
from palio.web.controller.compute_statistics import MOST_RANGED_BY, MOST_RANGED_BY_SORTING

PAGE = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[tuple[str, ...]]:
    """The cells of the table below a heading."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n\n")[0].splitlines()
    return [tuple(cell.strip(" `") for cell in line.strip("|").split("|")) for line in table[2:]]


def test_every_metric_is_in_the_table_with_its_methods() -> None:
    metrics = {
        (kind, form(name, known), known.interval, known.test)
        for kind, of in KINDS.items()
        for name, known in of.items()
    }
    assert set(rows("Metrics")) == metrics


def test_every_method_has_a_source() -> None:
    methods = {method for of in KINDS.values() for known in of.values() for method in (known.interval, known.test)}
    listed = rows("Methods and sources")
    assert {method for method, *_ in listed} == methods
    assert all(source for *_, source in listed)


def test_limits_are_those_of_the_code() -> None:
    """Up to the first number of teams, every pair is tested; up to the second, a bound stands in for the test."""
    limits = {test: [int(re.sub(r"\D.*", "", cell) or 0) for cell in cells] for test, *cells in rows("How many teams")}
    of_values = limits.pop("paired permutation of probabilities and medians")
    assert {test.removesuffix(" of classes"): max(most) for test, most in limits.items()} == MOST_RANGED_BY
    assert of_values == [MOST_RANGED_BY_SORTING, 0]
    exact = {test: most * (most - 1) // 2 for test, (most, bound) in limits.items() if bound}
    assert exact == {"sign-flip permutation": FLIPPED_PAIRS, "paired permutation of classes": PERMUTED_PAIRS}
