"""The test for leaks: its false positive rate, and what it makes of features."""

import numpy as np
from scipy.stats import binom

from palio.data.audit.findings import TESTED_FALSE_POSITIVE_RATE
from palio.data.audit.labels import Case
from palio.data.audit.leaks import binned, find_signals, is_significant
from palio.data.audit.measure import Measured


def data(labels: list[str], random: np.random.Generator) -> tuple[list[Case], dict[int, Measured]]:
    """Cases in two splits, whose names, sizes and brightness tell nothing, or the label if that depends on them."""
    cases, measured = [], {}
    for at, label in enumerate(labels):
        split = "train" if at % 2 else "test"
        cases.append(Case(f"{at:04}.png", f"{at:04}.png", (at,), split, label=label))
        measured[at] = Measured(
            size_bytes=int(random.integers(1000, 9000)),
            sha256=str(at),
            shape=str(random.choice(["8x8", "9x9"])),
            brightness=float(random.normal()),
        )
    return cases, measured


def test_permuted_labels_leak_no_more_often_than_stated() -> None:
    """60 audits of independent labels: as many with a leak as the stated rate allows, with 99.9 % confidence."""
    random = np.random.default_rng(1)
    trials, leaking = 60, 0
    for _ in range(trials):
        labels = random.permutation(["a"] * 30 + ["b"] * 40).tolist()
        leaking += any(map(is_significant, find_signals(*data(labels, random))))
    assert leaking <= binom.ppf(0.999, trials, TESTED_FALSE_POSITIVE_RATE)


def test_label_that_follows_one_feature_leaks_through_it() -> None:
    random = np.random.default_rng(2)
    cases, measured = data(["?"] * 80, random)
    cases = [Case(**vars(case) | {"label": measured[case.files[0]].shape}) for case in cases]
    found = {signal.feature for signal in find_signals(cases, measured) if is_significant(signal)}
    assert found == {"image size", "all of these together"}


def test_features_that_tell_a_little_each_tell_more_together() -> None:
    """Three of four times each: their majority is right in 84 of 100 cases."""
    random = np.random.default_rng(3)
    cases, measured = [], {}
    for at in range(1000):
        label = at % 2
        of = [int(random.random() < (0.75 if label else 0.25)) for _ in range(3)]
        cases.append(Case(f"{at}", random.bytes(8).hex(), (at,), label="ab"[label]))
        measured[at] = Measured(sha256=str(at), shape=f"{8 + of[0]}x8", form=f"PNG {of[1]}", encoding=str(of[2]))
    scores = {signal.feature: signal.score for signal in find_signals(cases, measured)}
    assert scores["all of these together"] > max(scores["image size"], scores["color mode"]) + 0.04


def test_too_few_cases_are_not_tested() -> None:
    assert find_signals(*data(["a"] * 9 + ["b"] * 9, np.random.default_rng(4))) == ()
    assert find_signals(*data(["a"] * 60, np.random.default_rng(4))) == ()


def test_binned_values() -> None:
    assert binned([1, 1, 1]) is None
    assert binned([None, None]) is None
    numbers, texts = binned([1.0, 2.0] * 4), binned(["x", "y", "x", "y", "z"])
    assert numbers is not None
    assert numbers.tolist() == [0, 1] * 4
    assert texts is not None
    assert texts.tolist() == [0, 1, 0, 1, 2]
    many = binned(list(range(1000)))
    assert many is not None
    assert many.max() == 63
    assert np.all(np.diff(many) >= 0)
