"""The scale of a drawing, with a few round ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """Goes from its first tick to its last. Positions are percentages of its length."""

    low: float
    high: float
    ticks: tuple[str, ...]

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """The axis that covers all values, of which there is at least one."""
        low, high = min(values), max(values)
        if low == high:
            margin = max(0.5, abs(low) / 100)
            low, high = low - margin, high + margin
        power = math.floor(math.log10((high - low) / 5))
        multiple = next(multiple for multiple in (1, 2, 5, 10) if (high - low) / 5 <= multiple * 10.0**power)
        step, digits = multiple * 10.0**power, max(0, -power)
        numbers = range(math.floor(low / step), math.ceil(high / step) + 1)
        ticks = tuple(f"{number * step:.{digits}f}" for number in numbers)
        return cls(float(ticks[0]), float(ticks[-1]), ticks)

    def at(self, value: float) -> float:
        return round(100 * (value - self.low) / (self.high - self.low), 3)
