"""The statistics of large leaderboards, each beside a naive bootstrap by scikit-learn or numpy.

"All statistics" are the interval of every submission, tests of all pairs with Holm's correction, rank ranges, the joint
bootstrap of ranks with its frequencies, and the chance that each two neighbors stand in the wrong order. Peak memory is
that of this process, which does one leaderboard after the other, largest last.

The naive way draws the cases of every submission again and asks a library for the metric each time. It is timed for a
few submissions and draws and counted up, because the whole takes hours; it compares no pairs at all. Of average
precision and calibration error, so many teams are not compared with each other (docs/statistics.md), so only their
intervals are timed.
"""

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from benchmarks.measuring import Line
from palio.core.statistics.cases import Answers, Cases, Compared, Measurements, SingleCases, Values
from palio.core.statistics.kept import Kept, load, save, updated
from palio.core.statistics.methods import Method, method
from palio.core.statistics.summary import score_interval

CLASSES = ("AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT")
NAIVE_DRAWS, NAIVE_TIMED = 2_000, 40  # redraws of each submission, of which so many are timed
RUNS = 3
MIB = 2**20


def lines() -> list[Line]:
    """In the order of their memory."""
    with TemporaryDirectory(prefix="palio-benchmark-") as folder:
        more = _one_more(Path(folder) / "kept.kept")
    return [
        _all("weighted F1, 500 teams, 600 cases", _classified(500, 600), "f1_weighted", "1 s"),
        more,
        _all("mean Dice, 500 teams, 600 cases", _dice(500, 600), "mean(dice)", "1 s"),
        _all("AUC (DeLong), 200 teams, 10,000 cases", _scored(200, 10_000), "auc", "2 s"),
        _all("weighted F1, 100 teams, 60,000 cases", _classified(100, 60_000), "f1_weighted", "10 s"),
        _all("mean Dice, 100 teams, 60,000 cases", _dice(100, 60_000), "mean(dice)", "10 s"),
        _all("AUC (DeLong), 100 teams, 60,000 cases", _scored(100, 60_000), "auc", "10 s"),
        _all("Brier score, 100 teams, 60,000 cases", _likely(100, 60_000), "brier", "10 s"),
        _intervals("average precision, 100 teams, 60,000 cases", _likely(100, 60_000), "average_precision", "10 s"),
        _intervals("calibration error (ECE), 100 teams, 60,000 cases", _likely(100, 60_000), "ece", "10 s"),
        Line("statistics: peak memory of all of these", _peak_mib(), "MiB", limit="4,096 MiB"),
    ]


# -- leaderboards whose teams get slowly worse, and err on the same hard cases


def _classified(teams: int, cases: int) -> list[SingleCases]:
    random = np.random.default_rng(teams + cases)
    truth, hard = np.arange(cases) % len(CLASSES), random.random(cases) * 2
    errors = np.linspace(0.003, 0.08, teams)[:, np.newaxis] * hard
    wrong = random.random((teams, cases)) < errors
    said = np.where(wrong, (truth + random.integers(1, len(CLASSES), (teams, cases))) % len(CLASSES), truth)
    names, files = np.array(CLASSES), _files(cases)
    truths = tuple(names[truth].tolist())
    return [Cases(files, truths, tuple(names[of_team].tolist())) for of_team in said]


def _dice(teams: int, cases: int) -> list[SingleCases]:
    random = np.random.default_rng(teams + cases)
    shared, shift = random.beta(8, 1.5, cases), np.linspace(0, 0.05, teams)
    files = _files(cases)
    values = [np.clip((shared + random.beta(8, 1.5, cases)) / 2 - down, 0, 1)[:, np.newaxis] for down in shift]
    return [Measurements(files, (), ("dice",), each, has_truth=False) for each in values]


def _scored(teams: int, cases: int) -> list[SingleCases]:
    random = np.random.default_rng(teams + cases)
    truth, shared = (np.arange(cases) % 2).astype(np.float64), random.normal(0, 0.7, cases)
    files, made = _files(cases), list[SingleCases]()
    for distance in np.linspace(2.5, 1.5, teams):
        score = shared + truth * distance + random.normal(0, 0.7, cases)
        made.append(Measurements(files, (), ("",), np.stack([truth, score], axis=1), has_truth=True))
    return made


def _likely(teams: int, cases: int) -> list[SingleCases]:
    """As `_scored`, with probabilities."""
    made = list[SingleCases]()
    for each in _scored(teams, cases):
        assert isinstance(each, Measurements)
        truth, score = each.values.T
        made.append(replace(each, values=np.stack([truth, 1 / (1 + np.exp(1 - score))], axis=1)))
    return made


def _files(cases: int) -> tuple[str, ...]:
    return tuple(f"{number:05}.jpg" for number in range(cases))


# -- measuring


def _all(title: str, cases: list[SingleCases], written: str, limit: str) -> Line:
    kind = {"f1_weighted": "classification", "auc": "probability", "brier": "probability"}.get(written, "mean")
    of, descending = method(kind, written), written != "brier"
    order = _best_first(cases, of, descending=descending)

    def compute() -> None:
        for place in order:
            score_interval([cases[int(place)]], of)
        kept = _kept(cases, order, of, descending=descending)
        kept.statistics(_scores(kept, of), range(len(order)), of, descending=descending)

    return _timed(f"all statistics: {title}", compute, cases, written, limit)


def _intervals(title: str, cases: list[SingleCases], written: str, limit: str) -> Line:
    of = method("probability", written)

    def compute() -> None:
        for each in cases:
            score_interval([each], of)

    return _timed(f"intervals: {title}", compute, cases, written, limit)


def _timed(title: str, compute: Callable[[], None], cases: list[SingleCases], written: str, limit: str) -> Line:
    seconds = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - begin)
    return Line(
        title,
        statistics.median(seconds),
        "s",
        f"bootstrap of {NAIVE_DRAWS:,} redraws by {_LIBRARY[written][0]}, intervals only",
        _naive_s(cases, *_LIBRARY[written]),
        min(seconds),
        max(seconds),
        RUNS,
        limit,
    )


def _one_more(path: Path) -> Line:
    """From the kept file and the new submission's cases to every number of the leaderboard, and the kept file again."""
    of, cases = method("classification", "f1_weighted"), _classified(501, 600)
    order = _best_first(cases, of)
    before, new = [label for label in order if label != "250"], [cases[250]]
    begin = time.perf_counter()
    save(_kept(cases, before, of), path)
    everything_s, seconds = time.perf_counter() - begin, []
    for _ in range(5 * RUNS):
        begin = time.perf_counter()
        score_interval(new, of)
        kept = updated(load(path), order, lambda _: [new], of, "", descending=True)
        kept.statistics(_scores(kept, of), range(len(order)), of, descending=True)
        seconds.append(time.perf_counter() - begin)
    return Line(
        "all statistics: one new submission among 500, 600 cases",
        1000 * statistics.median(seconds),
        "ms",
        "testing and redrawing all again",
        1000 * everything_s,
        1000 * min(seconds),
        1000 * max(seconds),
        len(seconds),
        "50 ms",
    )


def _kept(cases: list[SingleCases], order: list[str], of: Method, *, descending: bool = True) -> Kept:
    return updated(None, order, lambda labels: [[cases[int(label)]] for label in labels], of, "", descending=descending)


def _scores(kept: Kept, of: Method) -> list[float]:
    task: Compared = kept.tasks[0]
    return [float(score) for score in of.values(task)]


def _best_first(cases: list[SingleCases], of: Method, *, descending: bool = True) -> list[str]:
    classified = [each for each in cases if isinstance(each, Cases)]
    numbers = [each for each in cases if isinstance(each, Measurements)]
    scores = of.values(Answers.of(classified) if classified else Values.of(numbers))
    return [str(place) for place in np.argsort(-scores if descending else scores, kind="stable")]


# -- the naive way

Naive = Callable[[SingleCases, "np.ndarray[tuple[int], np.dtype[np.intp]]"], object]


def _naive_f1(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Cases)
    truths, said = np.array(cases.truths), np.array(cases.predictions)
    return f1_score(truths[drawn], said[drawn], average="weighted")


def _naive_auc(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Measurements)
    return roc_auc_score(cases.values[drawn, 0], cases.values[drawn, 1])


def _naive_precision(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Measurements)
    return average_precision_score(cases.values[drawn, 0], cases.values[drawn, 1])


def _naive_brier(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Measurements)
    return brier_score_loss(cases.values[drawn, 0], cases.values[drawn, 1])


def _naive_calibration(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Measurements)
    shares, means = calibration_curve(cases.values[drawn, 0], cases.values[drawn, 1], n_bins=10)
    often = np.histogram(cases.values[drawn, 1], bins=10, range=(0, 1))[0]
    return np.average(np.abs(shares - means), weights=often[often > 0])


def _naive_mean(cases: SingleCases, drawn: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> object:
    assert isinstance(cases, Measurements)
    return cases.values[drawn, 0].mean()


_LIBRARY: dict[str, tuple[str, Naive]] = {
    "f1_weighted": ("scikit-learn", _naive_f1),
    "auc": ("scikit-learn", _naive_auc),
    "mean(dice)": ("numpy", _naive_mean),
    "average_precision": ("scikit-learn", _naive_precision),
    "brier": ("scikit-learn", _naive_brier),
    "ece": ("scikit-learn", _naive_calibration),
}


def _naive_s(cases: list[SingleCases], _: str, value: Naive) -> float:
    """Seconds for all teams and redraws, counted up from NAIVE_TIMED of them."""
    random, count = np.random.default_rng(1), len(cases[0].files)
    begin = time.perf_counter()
    for number in range(NAIVE_TIMED):
        value(cases[number % len(cases)], random.integers(0, count, count))
    return (time.perf_counter() - begin) / NAIVE_TIMED * NAIVE_DRAWS * len(cases)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
