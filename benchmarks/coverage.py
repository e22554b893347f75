"""How often 95 % intervals hold the true value: weighted F1, AUC and mean Dice, ours beside a percentile bootstrap.

    python -m benchmarks.coverage [LEADERBOARDS]     (default: 2,000 for each line)

Prints a table and writes it into docs/statistics.md. Cases are drawn from distributions whose true value is known: of
classes, errors are spread evenly over all wrong classes; scores are normal with unit variance, whose AUC is
Phi(distance / sqrt 2); Dice is Beta(8, 1.5), whose mean is 8 / 9.5. With 2,000 leaderboards, the standard error of a
coverage of .95 is .005.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import NormalDist

import numpy as np

from palio.core.statistics.cases import Measurements
from palio.core.statistics.intervals import Totals, confusion_interval, mean_interval
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import METRICS, Counts, Floats
from palio.core.statistics.summary import score_interval

PAGE = Path(__file__).parents[1] / "docs/statistics.md"
BEGIN, END = "<!-- written by python -m benchmarks.coverage -->", "<!-- end of the coverage table -->"
CLASSES, DRAWS, BOARDS = 6, 1_000, 2_000
F1, AUC = METRICS["f1_weighted"], method("probability", "auc")

Held = tuple[bool, bool]  # by the bootstrap, by ours


def main(arguments: list[str]) -> None:
    boards = int(arguments[0]) if arguments else BOARDS
    text = "\n".join(_table(boards))
    print(text)
    page = PAGE.read_text(encoding="utf-8")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise RuntimeError(f"{PAGE} has no place for the table: {BEGIN} and {END}")
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")


def _table(boards: int) -> Iterator[str]:
    yield f"{boards:,} leaderboards for each line."
    yield ""
    yield "| metric | cases | true value | percentile bootstrap | Palio |"
    yield "|---|---|---|---|---|"
    for cases in (600, 1_800):
        for true in (0.9995, 0.999, 0.998, 0.995, 0.99, 0.95):
            yield _row("weighted F1, 6 classes", cases, f"{true:g}", _f1(true, cases), boards)
    for positives, distance in ((50, 3.0), (300, 3.0), (300, 1.5)):
        area = NormalDist().cdf(distance / 2**0.5)
        yield _row("AUC", 2 * positives, f"{area:.3f}", _auc(positives, distance, area), boards)
    for cases in (40, 150, 600):
        yield _row("mean Dice", cases, f"{8 / 9.5:.3f}", _dice(cases), boards)


def _row(title: str, cases: int, true: str, held: Callable[[np.random.Generator, int], Held], boards: int) -> str:
    random = np.random.default_rng(cases)
    found = np.array([held(random, board) for board in range(boards)]).mean(axis=0)
    return f"| {title} | {cases:,} | {true} | {found[0]:.3f} | {found[1]:.3f} |"


def _f1(true: float, cases: int) -> Callable[[np.random.Generator, int], Held]:
    shares = np.full((CLASSES, CLASSES), (1 - true) / (CLASSES * (CLASSES - 1)))
    np.fill_diagonal(shares, true / CLASSES)
    value = float(F1(Counts.of_matrix(shares)))

    def held(random: np.random.Generator, _: int) -> Held:
        matrix = random.multinomial(cases, shares.ravel()).astype(np.float64)
        redraws = random.multinomial(cases, matrix / cases, DRAWS).reshape(-1, CLASSES, CLASSES).astype(np.float64)
        plain = _percentiles(F1(Counts.of_matrix(redraws)))
        ours = confusion_interval(matrix.reshape(CLASSES, CLASSES), F1)
        return plain[0] <= value <= plain[1], ours.low <= value <= ours.high

    return held


def _auc(positives: int, distance: float, true: float) -> Callable[[np.random.Generator, int], Held]:
    truth = np.repeat([1.0, 0.0], positives)
    files = tuple(map(str, range(len(truth))))

    def held(random: np.random.Generator, _: int) -> Held:
        score = random.normal(truth * distance, 1)
        above = (score[:positives, np.newaxis] > score[positives:]).astype(np.float32)
        drawn = [random.multinomial(positives, np.full(positives, 1 / positives), DRAWS) for _ in range(2)]
        areas = np.einsum("di,ij,dj->d", drawn[0].astype(np.float32), above, drawn[1].astype(np.float32), optimize=True)
        plain = _percentiles(areas / positives**2)
        ours = score_interval([Measurements(files, (), ("",), np.stack([truth, score], axis=1), has_truth=True)], AUC)
        return plain[0] <= true <= plain[1], ours.low <= true <= ours.high

    return held


def _dice(cases: int) -> Callable[[np.random.Generator, int], Held]:
    true = 8 / 9.5

    def held(random: np.random.Generator, board: int) -> Held:
        values = random.beta(8, 1.5, cases)
        plain = _percentiles(values[random.integers(0, cases, (DRAWS, cases))].mean(axis=1))
        ours = mean_interval([Totals.of(values)], draws=DRAWS, seed=board)
        return plain[0] <= true <= plain[1], ours.low <= true <= ours.high

    return held


def _percentiles(values: Floats) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main(sys.argv[1:])
