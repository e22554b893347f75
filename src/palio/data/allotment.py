"""Which groups of images go to which split: exact sizes, classes in proportion, no group divided.

A group is what must stay together (a patient; copies of one image). Without groups each image is one of its own and
the answer is plain rounding. With groups an exact answer may not exist and finding one is a packing problem, so it
is searched: groups of the same classes form a stratum, a subset-sum table picks from each stratum groups whose
sizes add up to its share, what a stratum cannot give exactly is carried over to the next, and the order of the
strata and the picks are drawn anew up to ATTEMPTS times. An answer that is returned is right; that none was found
does not prove that there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from random import Random

from palio.core.errors import counted
from palio.data.layout import SPLITS

ATTEMPTS = 100
# The small ones first: there one image more or less weighs most.
_ORDER = ("testing", "validation", "training")

Group = Mapping[str, int]  # class -> how many images of it
Stratum = frozenset[str]  # the classes that a group has images of


@dataclass(frozen=True)
class Allotment:
    """Indexes of groups by split; `sizes` are the images each split then has, which may differ from those asked.

    `absent` are the (split, class) of which there is no image.
    """

    groups: dict[str, list[int]]
    sizes: dict[str, int]
    absent: tuple[tuple[str, str], ...] = ()


def allot(groups: Sequence[Group], counts: Mapping[str, int], rng: Random) -> Allotment:
    """The best allotment found. `counts`: split -> images. Ask `obstacles` first."""
    total: Counter[str] = Counter()
    for group in groups:
        total.update(group)
    ideal = {(split, label): counts[split] * total[label] / total.total() for split in SPLITS for label in total}
    targets = _targets(groups, counts)
    best: tuple[tuple[int, int, float], Allotment] | None = None
    for _ in range(ATTEMPTS):
        allotment = _attempt(groups, targets, rng)
        got: Counter[tuple[str, str]] = Counter()
        for split, members in allotment.groups.items():
            for index in members:
                got.update({(split, label): number for label, number in groups[index].items()})
        off_size = sum(abs(allotment.sizes[split] - counts[split]) for split in SPLITS)
        absent = tuple(cell for cell in ideal if not got[cell])
        off_class = max(abs(got[cell] - share) for cell, share in ideal.items())
        cost = (off_size, len(absent), off_class)
        if best is None or cost < best[0]:
            best = cost, replace(allotment, absent=absent)
        if not off_size and not absent and off_class < 2:  # no rounding does better for all splits at once
            break
    assert best is not None  # noqa: S101  # ATTEMPTS is at least 1
    return best[1]


def obstacles(groups: Sequence[Group], counts: Mapping[str, int]) -> list[str]:
    """Why no allotment can exist, as far as counting shows; empty if nothing speaks against it."""
    images: Counter[str] = Counter()
    bearers: Counter[str] = Counter()
    for group in groups:
        images.update(group)
        bearers.update(group.keys())
    problems = []
    if images.total() < sum(counts.values()):
        problems.append(f"{sum(counts.values()):,} images are asked for and there are {images.total():,}")
    for label in sorted(images):
        if bearers[label] < len(SPLITS):
            has = counted(images[label], "image")
            if images[label] != bearers[label]:
                has += f" in {counted(bearers[label], 'group')}"
            problems.append(f"class {label} has {has}, and there are three splits to be in")
    few = [split for split in SPLITS if counts[split] < len(images)]
    problems += [
        f"{counted(counts[split], 'image')} for {split}, and there are {len(images)} classes to show" for split in few
    ]
    return problems


def apportion(number: int, weights: Sequence[int], lower: Sequence[int], upper: Sequence[int]) -> list[int]:
    """`number` divided in proportion to `weights` by largest remainder, each share within its bounds.

    Exact if sum(lower) <= number <= sum(upper); otherwise as near as the bounds allow.
    """
    whole = sum(weights)
    ideal = [number * weight / whole for weight in weights]
    shares = [min(max(int(share), low), high) for share, low, high in zip(ideal, lower, upper, strict=True)]
    while (short := number - sum(shares)) != 0:
        step = 1 if short > 0 else -1
        movable = [i for i, share in enumerate(shares) if lower[i] <= share + step <= upper[i]]
        if not movable:
            break
        shares[max(movable, key=lambda i: step * (ideal[i] - shares[i]))] += step
    return shares


def _targets(groups: Sequence[Group], counts: Mapping[str, int]) -> dict[str, dict[Stratum, int]]:
    """How many images each split should take from each stratum."""
    have: Counter[Stratum] = Counter()
    for group in groups:
        have[frozenset(group)] += sum(group.values())
    strata = sorted(have, key=sorted)
    weights = [have[stratum] for stratum in strata]
    left = list(weights)
    targets = {}
    for later, split in zip((2, 1, 0), _ORDER, strict=True):  # `later` splits are still to come
        need = [int(len(stratum) == 1) for stratum in strata]  # of each class one, where that is up to the stratum
        upper = [max(have_left - later * one, 0) for have_left, one in zip(left, need, strict=True)]
        lower = [min(one, most) for one, most in zip(need, upper, strict=True)]
        shares = apportion(counts[split], weights, lower, upper)
        left = [have_left - share for have_left, share in zip(left, shares, strict=True)]
        targets[split] = dict(zip(strata, shares, strict=True))
    return targets


def _attempt(groups: Sequence[Group], targets: Mapping[str, Mapping[Stratum, int]], rng: Random) -> Allotment:
    stock: dict[Stratum, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))  # by stratum and size
    for index, group in enumerate(groups):
        stock[frozenset(group)][sum(group.values())].append(index)
    for by_size in stock.values():
        for members in by_size.values():
            rng.shuffle(members)
    strata = sorted(stock, key=sorted)
    chosen: dict[str, list[int]] = {split: [] for split in SPLITS}
    sizes = dict.fromkeys(SPLITS, 0)
    for split in _ORDER:
        rng.shuffle(strata)
        carried = 0
        for stratum in strata:
            want = targets[split][stratum] + carried
            picks = _pick({size: len(members) for size, members in stock[stratum].items()}, want, rng)
            got = sum(size * number for size, number in picks.items())
            carried = want - got
            sizes[split] += got
            for size, number in picks.items():
                members = stock[stratum][size]
                chosen[split] += members[:number]
                del members[:number]
    return Allotment(chosen, sizes)


def _pick(stock: Mapping[int, int], want: int, rng: Random) -> dict[int, int]:
    """How many groups of each size to take from `stock` (size -> how many there are), for a sum nearest to `want`.

    Sizes are taken about as often as they occur, so that large groups do not all end in one split.
    """
    want = max(want, 0)
    order = sorted(size for size, there in stock.items() if there)
    cap = (1 << (want + max(order, default=0) + 1)) - 1
    reach = [1]  # after i sizes: bit t is set if some of them add up to t
    for size in order:
        sums, left, batch = reach[-1], stock[size], 1
        while left:  # batches of 1, 2, 4, ... make every number up to what is there
            batch = min(batch, left)
            sums |= (sums << (batch * size)) & cap
            left -= batch
            batch *= 2
        reach.append(sums)
    off = next(off for off in range(want + 1) if (reach[-1] >> (want - off) | reach[-1] >> (want + off)) & 1)
    rest = want - off if reach[-1] >> (want - off) & 1 else want + off
    share = min(1.0, want / max(1, sum(size * stock[size] for size in order)))
    picks = {}
    for i, size in reversed(list(enumerate(order))):  # the large first; the small make up the sum
        usual = stock[size] * share
        aim = round(usual + rng.uniform(-1, 1) * sqrt(usual * (1 - share)))
        possible = (number for number in _outward(aim, stock[size]) if number * size <= rest)
        picks[size] = next(number for number in possible if reach[i] >> (rest - number * size) & 1)
        rest -= picks[size] * size
    return picks


def _outward(middle: int, top: int) -> Sequence[int]:
    """0 to top, the nearest to middle first."""
    return sorted(range(top + 1), key=lambda number: abs(number - middle))
