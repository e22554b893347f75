"""Picks groups whose sizes add up to a number: a subset-sum table, with random choices."""

from collections.abc import Mapping, Sequence
from math import sqrt
from random import Random


def pick(stock: Mapping[int, int], want: int, rng: Random) -> dict[int, int]:
    """How many groups of each size to take from `stock` (size -> number available), for a sum closest to `want`.

    Sizes are taken about as often as they occur, so that large groups do not all end up in one split.
    """
    want = max(want, 0)
    order = sorted(size for size, there in stock.items() if there)
    cap = (1 << (want + max(order, default=0) + 1)) - 1
    reach = [1]  # after i sizes: bit t is set if some of them add up to t
    for size in order:
        sums, left, batch = reach[-1], stock[size], 1
        while left:  # batches of 1, 2, 4, ... give every number up to the available one
            batch = min(batch, left)
            sums |= (sums << (batch * size)) & cap
            left -= batch
            batch *= 2
        reach.append(sums)
    off = next(off for off in range(want + 1) if (reach[-1] >> (want - off) | reach[-1] >> (want + off)) & 1)
    rest = want - off if reach[-1] >> (want - off) & 1 else want + off
    share = min(1.0, want / max(1, sum(size * stock[size] for size in order)))
    picks = {}
    for i, size in reversed(list(enumerate(order))):  # large sizes first; the small ones complete the sum
        usual = stock[size] * share
        aim = round(usual + rng.uniform(-1, 1) * sqrt(usual * (1 - share)))
        possible = (number for number in _outward(aim, stock[size]) if number * size <= rest)
        picks[size] = next(number for number in possible if reach[i] >> (rest - number * size) & 1)
        rest -= picks[size] * size
    return picks


def _outward(middle: int, top: int) -> Sequence[int]:
    """0 to top, closest to middle first."""
    return sorted(range(top + 1), key=lambda number: abs(number - middle))
