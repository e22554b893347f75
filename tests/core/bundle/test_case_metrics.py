"""Metrics as bundles write them: what is accepted, what is refused and how."""

from pathlib import Path

import pytest
from tests.core.bundle.conftest import WriteBundle

from palio.core.bundle.case_metrics import KINDS, WrittenMetric, case_metric, interval_methods, measured_columns
from palio.core.bundle.check import check_bundle
from palio.core.bundle.model import Column, StatisticsPolicy
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

COMPETITION = """\
version: 2
title: Small
pages: [{{title: Overview, file: pages/overview.md}}]
tasks: [{{index: 0, scoring_program: scoring_program}}]
phases: [{{name: Only, start: 2025-01-01, tasks: [0]}}]
leaderboards:
  - title: Results
    key: results
    columns:
      - {{index: 0, key: dice, title: Dice, sorting: desc}}
      - {{index: 1, key: hd95, title: HD95, sorting: asc}}
      - {{index: 2, key: both, title: Both, sorting: desc, computation: avg, computation_indexes: [0, 1]}}
palio:
  submissions: [results]
  statistics: {statistics}
"""
AUC = KINDS["probability"]["auc"]


def problems(root: Path) -> list[str]:
    """Of the statistics, as `palio check` lists them."""
    try:
        errors, warnings = check_bundle(read_bundle(root))
    except PalioError as error:
        return [*error.failure.evidence]
    found = [*map(str, errors), *(f"warning: {warning}" for warning in warnings)]
    return [problem for problem in found if "palio.statistics" in problem]


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("classification", "f1_weighted"),
        ("classification", "recall(Hand)"),
        ("classification", " mcc "),
        ("probability", "auc"),
        ("probability", "auc(pneumonia (viral))"),
        ("probability", "sensitivity_at_specificity(0.95)"),
        ("mean", "mean(dice)"),
        ("pairs", "mae"),
    ],
)
def test_metrics_of_each_kind(kind: str, written: str) -> None:
    assert case_metric(kind, written) is KINDS[kind][WrittenMetric.parse(written).name]


@pytest.mark.parametrize(
    ("kind", "written", "message"),
    [
        (
            "mean",
            "meen(dice)",
            "says `meen(dice)`, which is not a metric of mean; write one of mean(COLUMN), median(COLUMN); did you mean "
            "`mean(COLUMN)`?",
        ),
        (
            "pairs",
            "auc",
            "says `auc`, which is not a metric of pairs; write one of mae, mse, rmse, median_absolute_error, r2; `auc` "
            "is a metric of the kind probability",
        ),
        ("mean", "mean", "says `mean`; write `mean(COLUMN)`"),
        ("pairs", "mae(x)", "says `mae(x)`; write `mae`, without parentheses"),
        (
            "probability",
            "sensitivity_at_specificity(95 %)",
            "says `sensitivity_at_specificity(95 %)`; write a specificity between 0 and 1, such as "
            "`sensitivity_at_specificity(0.9)`",
        ),
    ],
)
def test_what_is_no_metric(kind: str, written: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^says") as caught:
        case_metric(kind, written)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("statistics", "expected"),
    [
        ("{cases: c.csv, kind: mean, metric: mean(dice)}", []),
        ('{cases: c.csv, kind: mean, metrics: {dice: mean(dice), hd95: "mean(hd95)"}, group: patient}', []),
        (
            "{cases: c.csv, kind: mean, metric: dise(dice)}",
            [
                "competition.yaml:15: palio.statistics.metric: says `dise(dice)`, which is not a metric of mean; write "
                "one of mean(COLUMN), median(COLUMN)"
            ],
        ),
        (
            "{cases: c.csv, kind: classification, metric: f1_weigthed}",
            [
                "competition.yaml:15: palio.statistics.metric: says `f1_weigthed`, which is not a metric of "
                "classification; write one of accuracy, balanced_accuracy, precision_weighted, precision_macro, "
                "recall_weighted, recall_macro, f1_weighted, f1_macro, mcc, kappa, precision(CLASS), recall(CLASS), "
                "f1(CLASS); did you mean `f1_weighted`?"
            ],
        ),
        (
            "{cases: c.csv, kind: pairs, metrics: {dice: auc, hd95: mae}}",  # not all of them are of one kind
            [
                "competition.yaml:15: palio.statistics.metrics.dice: says `auc`, which is not a metric of pairs; write "
                "one of mae, mse, rmse, median_absolute_error, r2; `auc` is a metric of the kind probability",
            ],
        ),
        (
            "{cases: c.csv, kind: mean, metrics: {dise: mean(dice), both: mean(hd95)}}",
            [
                "competition.yaml:15: palio.statistics.metrics.dise: is no column of a leaderboard; write one of dice, "
                "hd95; did you mean `dice`?",
                "competition.yaml:15: palio.statistics.metrics.both: is computed from other columns; write one of "
                "dice, hd95",
            ],
        ),
        (
            "{cases: c.csv, kind: pairs, metrics: {dice: mae}}",
            [
                "warning: competition.yaml:15: palio.statistics.metrics.dice: is `mae`, of which lower is better, but "
                "the column `dice` is sorted desc; correct `sorting` or the metric"
            ],
        ),
        (
            "{cases: c.csv, kind: mean, metric: median(dice)}",
            [
                "warning: competition.yaml:15: palio.statistics.metric: is `median(dice)`; the interval of a median is "
                "wide, and hardly any two submissions differ in it; prefer the mean"
            ],
        ),
        (
            "{cases: c.csv, kind: mean, metric: median(dice), group: patient}",
            [
                "competition.yaml:15: palio.statistics.group: says `patient`, but the interval of median takes each "
                "case as independent; remove the key, or use the mean"
            ],
        ),
        (
            "{cases: c.csv, kind: classification, metric: accuracy, group: patient}",
            [
                "competition.yaml:15: palio.statistics.group: says `patient`, but intervals of classification take "
                "each case as independent; remove the key"
            ],
        ),
    ],
)
def test_check_lists_each_problem_with_its_line(
    write_bundle: WriteBundle, statistics: str, expected: list[str]
) -> None:
    text = COMPETITION.format(statistics=statistics)
    found = problems(write_bundle(text, {"scoring_program/score.py": "dice hd95 c.csv"}))
    assert [problem for problem in found if "c.csv" not in problem] == expected


def test_columns_and_their_metrics() -> None:
    columns = [Column(key, key, descending=True, precision=4, hidden=False) for key in ("dice", "hd95", "seconds")]
    policy = StatisticsPolicy("c.csv", "mean", "mean(dice)", (("hd95", "median(hd95)"),))
    assert [policy.metric_of(column, columns[0]) for column in columns] == ["mean(dice)", "median(hd95)", None]
    assert [policy.metric_of(column, columns[2]) for column in columns] == [None, "median(hd95)", "mean(dice)"]
    assert measured_columns(policy, columns, columns[0]) == columns[:2]
    assert measured_columns(None, columns, columns[0]) == columns[:1]
    assert interval_methods(policy, columns, columns[0]) == (
        "BCa bootstrap below 100 cases, percentile from 100",
        "order statistics",
    )


def test_kind_taken_from_the_metrics_if_only_one_has_them(write_bundle: WriteBundle) -> None:
    text = COMPETITION.format(statistics="{cases: c.csv, kind: classification, metric: auc, metrics: {hd95: brier}}")
    bundle = read_bundle(write_bundle(text, {"scoring_program/score.py": "dice hd95 c.csv"}))
    policy = bundle.phases[0].rules.statistics
    assert policy is not None
    assert policy.kind == "probability"
    assert [str(warning) for warning in bundle.warnings if "statistics" in str(warning)] == [
        "competition.yaml:15: palio.statistics.kind: says `classification`, but `auc`, `brier` are of the kind "
        "probability, as which the cases are read; write kind: probability"
    ]
