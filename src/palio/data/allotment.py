"""Assigns groups of images to splits: exact sizes, classes in proportion, no group divided.

A group must stay together (a patient; copies of one image). Without groups, each image is its own group and the answer
is plain rounding. With groups, an exact answer may not exist, and finding one is a packing problem, so it is searched:
groups with the same classes form a stratum; a subset-sum table picks groups from each stratum whose sizes add up to its
share; what a stratum cannot provide exactly is carried over to the next; the rest is fixed by exchanging groups between
splits. The order of strata and the picks are redrawn up to ATTEMPTS times. A returned answer is correct; finding none
does not prove that there is none.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from math import inf
from random import Random

from palio.core.errors import counted
from palio.data.layout import SPLITS
from palio.data.subset_sum import pick

ATTEMPTS = 50
# Small splits first: there, one image more or less matters most.
_ORDER = ("testing", "validation", "training")
_SPARE = "in no split"

Group = Mapping[str, int]  # class -> number of its images
Stratum = frozenset[str]  # the classes that a group has images of


@dataclass(frozen=True)
class Allotment:
    """Indexes of groups by split. `sizes` are the images of each split, which may differ from the request.

    `absent` lists each (split, class) without images.
    """

    groups: dict[str, list[int]]
    sizes: dict[str, int]
    absent: tuple[tuple[str, str], ...] = ()


def allot(groups: Sequence[Group], counts: Mapping[str, int], rng: Random) -> Allotment:
    """Returns the best allotment found. `counts`: split -> images. Call `obstacles` first."""
    total: Counter[str] = Counter()
    for group in groups:
        total.update(group)
    ideal = {(split, label): counts[split] * total[label] / total.total() for split in SPLITS for label in total}
    targets = _targets(groups, counts)
    best: tuple[tuple[int, int, float], Allotment] | None = None
    for _ in range(ATTEMPTS):
        allotment = _attempt(groups, targets, counts, rng)
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
        if not off_size and not absent and off_class < 2:  # no rounding is better for all splits at once
            break
    assert best is not None  # noqa: S101 - ATTEMPTS is at least 1
    return best[1]


def obstacles(groups: Sequence[Group], counts: Mapping[str, int]) -> list[str]:
    """Why no allotment can exist, as far as counting shows; empty if nothing rules it out."""
    images: Counter[str] = Counter()
    bearers: Counter[str] = Counter()
    for group in groups:
        images.update(group)
        bearers.update(group.keys())
    problems = []
    if images.total() < sum(counts.values()):
        problems.append(f"{sum(counts.values()):,} images were requested, but there are only {images.total():,}")
    for label in sorted(images):
        if bearers[label] < len(SPLITS):
            has = counted(images[label], "image")
            if images[label] != bearers[label]:
                has += f" in {counted(bearers[label], 'group')}"
            problems.append(f"class {label} has only {has} for three splits")
    few = [split for split in SPLITS if counts[split] < len(images)]
    problems += [f"{counted(counts[split], 'image')} for {split} cannot cover {len(images)} classes" for split in few]
    return problems


def apportion(number: int, weights: Sequence[int], lower: Sequence[int], upper: Sequence[int]) -> list[int]:
    """Divides `number` in proportion to `weights` by largest remainder, with each share within its bounds.

    Exact if sum(lower) <= number <= sum(upper), else as close as the bounds allow.
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
        need = [int(len(stratum) == 1) for stratum in strata]  # one of each class, if only this stratum can provide it
        upper = [max(have_left - later * one, 0) for have_left, one in zip(left, need, strict=True)]
        lower = [min(one, most) for one, most in zip(need, upper, strict=True)]
        shares = apportion(counts[split], weights, lower, upper)
        left = [have_left - share for have_left, share in zip(left, shares, strict=True)]
        targets[split] = dict(zip(strata, shares, strict=True))
    return targets


def _attempt(
    groups: Sequence[Group], targets: Mapping[str, Mapping[Stratum, int]], counts: Mapping[str, int], rng: Random
) -> Allotment:
    stock: dict[Stratum, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))  # by stratum and size
    for index, group in enumerate(groups):
        stock[frozenset(group)][sum(group.values())].append(index)
    for by_size in stock.values():
        for members in by_size.values():
            rng.shuffle(members)
    strata = sorted(stock, key=sorted)
    chosen: dict[str, list[int]] = {split: [] for split in SPLITS}
    for split in _ORDER:
        rng.shuffle(strata)
        carried = 0
        for stratum in strata:
            want = targets[split][stratum] + carried
            picks = pick({size: len(members) for size, members in stock[stratum].items()}, want, rng)
            got = sum(size * number for size, number in picks.items())
            carried = want - got
            for size, number in picks.items():
                members = stock[stratum][size]
                chosen[split] += members[:number]
                del members[:number]
    chosen[_SPARE] = [index for by_size in stock.values() for members in by_size.values() for index in members]
    images = [sum(group.values()) for group in groups]
    while exchange := _find_exchange(chosen, images, counts, rng):
        giver, taker, given, returned = exchange
        chosen[giver] = [index for index in chosen[giver] if index != given] + returned
        chosen[taker] = [index for index in chosen[taker] if index not in returned] + [given]
    del chosen[_SPARE]
    return Allotment(chosen, {split: sum(images[index] for index in chosen[split]) for split in SPLITS})


def _find_exchange(
    chosen: Mapping[str, Sequence[int]], images: Sequence[int], counts: Mapping[str, int], rng: Random
) -> tuple[str, str, int, list[int]] | None:
    """Returns (giver, taker, group given, at most one group returned) for the exchange that helps most."""
    excess: dict[str, float] = {split: sum(images[i] for i in chosen[split]) - counts[split] for split in SPLITS}
    if not any(excess.values()):
        return None
    gap = {  # how many images to move; unused groups may have any number
        (giver, taker): int(min(excess.get(giver, inf), -excess.get(taker, -inf)))
        for giver, taker in permutations(chosen, 2)
    }
    for giver, taker in sorted(gap, key=lambda pair: -gap[pair]):
        by_size = {images[index]: [index] for index in rng.sample(chosen[taker], len(chosen[taker]))} | {0: []}
        for moved in range(gap[giver, taker], 0, -1):
            for given in rng.sample(chosen[giver], len(chosen[giver])):
                if images[given] - moved in by_size:
                    return giver, taker, given, by_size[images[given] - moved]
    return None
