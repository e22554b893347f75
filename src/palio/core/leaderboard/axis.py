"""The scale of a drawing, with a few round ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Positions are percentages of its length."""

    low: float
    high: float
    ticks: tuple[str, ...]

    @classmethod
    def around(cls, ends: Sequence[float]) -> "Axis":
        low, high = min(ends), max(ends)
        margin = (high - low) / 25 or 0.5
        low, high = low - margin, high + margin
        power = math.floor(math.log10((high - low) / 5))
        multiple = next(multiple for multiple in (1, 2, 5, 10) if (high - low) / 5 <= multiple * 10.0**power)
        step, digits = multiple * 10.0**power, max(0, -power)
        numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
        return cls(low, high, tuple(f"{number * step:.{digits}f}" for number in numbers))

    def at(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 3)
