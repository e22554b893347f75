"""Medians of several runs of two things in turn, and what their difference or ratio is."""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Line:
    """One figure beside its baseline's, in `unit`; of several runs, the medians and the range of ours.

    Without a baseline, `limit` says what it has to keep.
    """

    title: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float | None = None
    lowest: float | None = None
    highest: float | None = None
    runs: int = 1
    limit: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline_value if self.baseline_value else None

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"ratio": self.ratio}

    def shown(self) -> str:
        spread = f" ({self.lowest:.3g} to {self.highest:.3g} in {self.runs} runs)" if self.runs > 1 else ""
        beside = (
            f"; {self.baseline}: {self.baseline_value:.3g} {self.unit}, ratio {self.ratio:.2f}" if self.ratio else ""
        )
        limit = f"; limit {self.limit}" if self.limit else ""
        return f"{self.title}: {self.value:.3g} {self.unit}{spread}{beside}{limit}"


@dataclass(frozen=True)
class Timing:
    """Seconds of one thing: the median of its runs and their range."""

    name: str
    median_s: float
    lowest_s: float
    highest_s: float
    runs: int

    @classmethod
    def of(cls, name: str, seconds: list[float]) -> "Timing":
        return cls(name, statistics.median(seconds), min(seconds), max(seconds), len(seconds))


@dataclass(frozen=True)
class Comparison:
    """One benchmark. `overhead_s` is the median of the differences run by run, which drift of the machine spares."""

    title: str
    baseline: Timing
    palio: Timing
    overhead_s: float

    @property
    def ratio(self) -> float:
        return self.palio.median_s / self.baseline.median_s

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"ratio": self.ratio}

    def line(self, limit: str = "") -> Line:
        ours = self.palio
        return Line(
            self.title,
            ours.median_s,
            "s",
            self.baseline.name,
            self.baseline.median_s,
            ours.lowest_s,
            ours.highest_s,
            ours.runs,
            limit,
        )


def side_by_side(
    title: str,
    baseline: tuple[str, Callable[[int], None]],
    palio: tuple[str, Callable[[int], None]],
    *,
    runs: int,
    tidy: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """Times both in turn, `runs` times; each is called with the number of the run, for inputs nobody has cached.

    `tidy` is called after each, with the same number, and not timed.
    """
    seconds: dict[str, list[float]] = {baseline[0]: [], palio[0]: []}
    for number in range(runs):
        for name, call in (baseline, palio):
            begin = time.perf_counter()
            call(number)
            seconds[name].append(time.perf_counter() - begin)
            tidy(number)
    differences = [ours - theirs for theirs, ours in zip(seconds[baseline[0]], seconds[palio[0]], strict=True)]
    return Comparison(
        title,
        Timing.of(baseline[0], seconds[baseline[0]]),
        Timing.of(palio[0], seconds[palio[0]]),
        statistics.median(differences),
    )
