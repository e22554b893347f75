import numpy as np
import pytest
from tests.core.statistics.all_pairs import compare_all, rank_frequencies

from palio.core.statistics.cases import Answers
from palio.core.statistics.comparisons import Comparison, exact_mcnemar
from palio.core.statistics.methods import method
from palio.core.statistics.metrics import METRICS, Codes, Counts
from palio.core.statistics.ranks import rank_ranges

CLASSES = tuple("abcdef")
TRUTH: Codes = np.arange(600) % 6
ACCURACY = method("classification", "accuracy")


def board(*errors: int) -> Answers:
    """Submissions that err so often, each on cases of its own."""
    predictions, start = [], 0
    for wrong in errors:
        said = TRUTH.copy()
        said[start : start + wrong] = (said[start : start + wrong] + 1) % 6
        predictions.append(said)
        start += wrong
    return Answers(CLASSES, TRUTH, np.stack(predictions))


def scores(answers: Answers, metric: str) -> list[float]:
    return [float(METRICS[metric](Counts.of_codes(TRUTH, said, 6))) for said in answers.predictions]


@pytest.mark.parametrize("metric", ["accuracy", "f1_weighted"])
def test_worked_case(metric: str) -> None:
    answers = board(1, 2, 5, 9, 12, 40)
    ranges = rank_ranges(scores(answers, metric), compare_all([answers], method("classification", metric)))
    assert ranges == [(1, 4), (1, 5), (1, 5), (1, 5), (2, 5), (6, 6)]


def test_worked_scores() -> None:
    rounded = [round(score, 4) for score in scores(board(1, 2, 5, 12, 40), "f1_weighted")]
    assert rounded == [0.9983, 0.9967, 0.9917, 0.9800, 0.9333]


def test_uncompared_pair_widens_range() -> None:
    significant = Comparison(0, 1, 20, 0, 1e-5, 1e-5)
    assert rank_ranges([0.9, 0.5, 0.1], [significant]) == [(1, 2), (2, 3), (1, 3)]
    assert rank_ranges([0.9, 0.5, 0.1], []) == [(1, 3), (1, 3), (1, 3)]


def test_level_itself_not_significant() -> None:
    assert rank_ranges([0.9, 0.5], [Comparison(0, 1, 6, 0, 0.05, 0.05)]) == [(1, 2), (1, 2)]


def test_better_found_in_either_order() -> None:
    assert rank_ranges([0.5, 0.9], [Comparison(0, 1, 0, 20, 1e-5, 1e-5)]) == [(2, 2), (1, 1)]


def test_ranges_cover_true_ranks() -> None:
    """100 boards of six whose true accuracies are known; equal ones may hold each other's places."""
    true = np.array([0.99, 0.99, 0.97, 0.95, 0.95, 0.90])
    best = [1 + int((true > own).sum()) for own in true]
    worst = [int((true >= own).sum()) for own in true]
    random, held = np.random.default_rng(3), 0
    for _ in range(100):
        right = random.random((6, 600)) < true[:, np.newaxis]
        answers = Answers(CLASSES, TRUTH, np.where(right, TRUTH, (TRUTH + 1) % 6))
        ranges = rank_ranges(right.mean(axis=1).tolist(), compare_all([answers], ACCURACY))
        held += all(low <= last and high >= first for (low, high), first, last in zip(ranges, best, worst, strict=True))
    assert held >= 95


def test_scores_near_one_rank_randomly() -> None:
    """Ten teams with true accuracies .998 and nine times .997, on 600 cases."""
    random = np.random.default_rng(5)
    wrong = random.random((2_000, 10, 600)) > np.array([0.998] + [0.997] * 9)[:, np.newaxis]
    errors = wrong.sum(axis=2)
    first = errors == errors.min(axis=1, keepdims=True)
    best_first = float((first[:, 0] / first.sum(axis=1)).mean())  # of those that tie, each stands first as often
    assert best_first == pytest.approx(0.19, abs=0.03)
    assert float((first.sum(axis=1) > 1).mean()) == pytest.approx(0.68, abs=0.03)
    for answers, counts in zip(wrong, errors, strict=True):
        one, two = np.argsort(counts, kind="stable")[:2]
        only_one, only_two = int((answers[two] & ~answers[one]).sum()), int((answers[one] & ~answers[two]).sum())
        assert exact_mcnemar(only_one, only_two) > 0.05


@pytest.mark.parametrize("metric", ["accuracy", "f1_weighted"])
def test_frequencies(metric: str) -> None:
    frequencies = rank_frequencies([board(1, 2, 40)], method("classification", metric))
    assert frequencies.sum(axis=1) == pytest.approx([1, 1, 1])
    assert frequencies[2].tolist() == [0, 0, 1]
    assert 0.6 < frequencies[0, 0] < 0.9
    assert 0.2 < frequencies[1, 0] < 0.45
    assert frequencies[:, 0].sum() > 1  # some redraws tie, and then both stand first
    assert np.array_equal(frequencies, rank_frequencies([board(1, 2, 40)], method("classification", metric)))


def test_frequencies_against_a_plain_bootstrap() -> None:
    answers = board(3, 5, 6)
    right = (answers.predictions == TRUTH).astype(float)
    redraws = np.random.default_rng(1).integers(0, 600, (5_000, 600))
    means = np.stack([row[redraws].mean(axis=1) for row in right])
    first = (means >= means.max(axis=0) - 1e-12).mean(axis=1)
    assert rank_frequencies([answers], ACCURACY, draws=5_000)[:, 0] == pytest.approx(first, abs=0.03)
