"""The feedback rule: how a bundle says it, and what each rule leaves of scores and intervals."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle

from palio.core.bundle.check import check_bundle
from palio.core.bundle.feedback import may_compare, sentence, shown_alone, shown_interval, shown_values
from palio.core.bundle.model import FeedbackPolicy, FeedbackRule, LogPolicy, ScorePolicy
from palio.core.bundle.read import read_bundle
from palio.core.errors import PalioError

ROUNDED = FeedbackPolicy(FeedbackRule.ROUNDED, digits=2)
LADDER = FeedbackPolicy(FeedbackRule.LADDER, step=0.01)
PARAMETER_FREE = FeedbackPolicy(FeedbackRule.LADDER)
NONE = FeedbackPolicy(FeedbackRule.NONE)
SCORES = {"f1": 0.87654, "hd95": 12.3456}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the small bundle with more lines in its `palio:` block."""
    return lambda lines: write_bundle(tmp_path / "bundle", yaml=YAML + lines)


@pytest.mark.parametrize(
    ("line", "policy"),
    [
        ("", FeedbackPolicy()),
        ("  feedback: exact\n", FeedbackPolicy()),
        ("  feedback: {rule: rounded, digits: 2}\n", ROUNDED),
        ("  feedback: {rule: rounded, digits: 0}\n", FeedbackPolicy(FeedbackRule.ROUNDED)),
        ("  feedback: {rule: ladder, step: 0.01}\n", LADDER),
        ("  feedback: none\n", NONE),
        ("  scores: hidden\n", NONE),
    ],
)
def test_rule_read(write: Write, line: str, policy: FeedbackPolicy) -> None:
    bundle = read_bundle(write(line))
    assert bundle.warnings == ()
    rules = bundle.phases[0].rules
    assert rules.feedback == policy
    assert (rules.scores is ScorePolicy.HIDDEN) == (policy.rule is FeedbackRule.NONE)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  feedback: rounded\n", "says `rounded`, but not how; write {rule: rounded, digits: 2}"),
        ("  feedback: ladder\n", "says `ladder`, but not the step; write {rule: ladder, step: 0.01}, or add"),
        ("  feedback: {rule: ladder}\n", "but not the step; write {rule: ladder, step: 0.01}, or add `statistics`"),
        ("  feedback: lader\n", "says `lader`; write exact, rounded, ladder or none; did you mean `ladder`?"),
        ("  feedback: {rule: rounded}\n", "digits: is missing; write how many decimals participants see, such as 2"),
        ("  feedback: {rule: ladder, step: 0}\n", "step: says `0`, which is out of range"),
        ("  feedback: {digits: 2}\n", "rule: is missing; write one of exact, rounded, ladder, none"),
        ("  scores: hidden\n  feedback: exact\n", "says `exact`, but `scores` in line 33 hides them"),
        ("  scores: visible\n  feedback: none\n", "says `visible`, but `feedback` says `none`"),
    ],
)
def test_rule_refused(write: Write, line: str, problem: str) -> None:
    with pytest.raises(PalioError) as raised:
        read_bundle(write(line))
    assert any(problem in found for found in raised.value.failure.evidence), raised.value.failure.evidence


STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"


@pytest.mark.parametrize("line", ["  feedback: ladder\n", "  feedback: {rule: ladder}\n"])
def test_ladder_without_step_with_single_cases(write: Write, line: str) -> None:
    bundle = read_bundle(write(STATISTICS + line))
    assert bundle.warnings == ()
    policy = bundle.phases[0].rules.feedback
    assert policy == PARAMETER_FREE
    assert policy.is_parameter_free
    assert "more than one standard error of their difference" in sentence(policy)
    assert shown_values(SCORES, policy) == {}  # until the number of cases is known
    assert read_bundle(write(STATISTICS + line)).phases[0].rules.logs_score is LogPolicy.ORGANIZER


@pytest.mark.parametrize(
    ("statistics", "problem"),
    [
        ("{cases: c.csv, kind: mean, metric: median(dice)}", "the standard error of a difference of medians"),
        ("{cases: c.csv, kind: mean, metrics: {seconds: mean(s)}}", "no metric of `statistics` belongs to the column"),
    ],
)
def test_ladder_without_step_or_standard_error(write: Write, statistics: str, problem: str) -> None:
    bundle = read_bundle(write(f"  statistics: {statistics}\n  feedback: ladder\n"))
    errors, _ = check_bundle(bundle, NOW)
    (found,) = [str(each) for each in errors if "palio.feedback" in str(each)]
    assert problem in found
    assert "write {rule: ladder, step: 0.01}" in found


def test_rule_parameter_of_another_rule(write: Write) -> None:
    bundle = read_bundle(write("  feedback: {rule: ladder, step: 0.01, digits: 2}\n"))
    assert bundle.phases[0].rules.feedback == LADDER
    (warning,) = bundle.warnings
    assert "digits: has no effect on the rule ladder; remove it" in str(warning)


def test_rule_hides_log_of_scoring_program(write: Write) -> None:
    bundle = read_bundle(write("  logs: {score: full}\n  feedback: {rule: rounded, digits: 2}\n"))
    assert bundle.phases[0].rules.logs_score is LogPolicy.ORGANIZER
    (warning,) = bundle.warnings
    assert "that log may contain scores" in str(warning)


def test_values() -> None:
    assert shown_values(SCORES, FeedbackPolicy()) == SCORES
    assert shown_values(SCORES, ROUNDED) == {"f1": 0.88, "hd95": 12.35}
    assert shown_values(SCORES, LADDER) == {"f1": 0.88, "hd95": 12.35}
    assert shown_values({"f1": -0.001}, ROUNDED) == {"f1": 0.0}
    assert str(shown_values({"f1": -0.001}, ROUNDED)["f1"]) == "0.0"
    assert shown_values({"f1": 0.9499}, FeedbackPolicy(FeedbackRule.LADDER, step=0.05)) == {"f1": 0.95}
    assert shown_values(SCORES, NONE) == {}


def test_values_without_history() -> None:
    assert shown_alone(SCORES, ROUNDED) == {"f1": 0.88, "hd95": 12.35}
    assert shown_alone(SCORES, LADDER) is None
    assert shown_alone(SCORES, NONE) is None


def test_intervals_rounded_outward() -> None:
    assert shown_interval((0.8712, 0.8912), ROUNDED) == (0.87, 0.9)
    assert shown_interval((0.87, 0.89), ROUNDED) == (0.87, 0.89)
    assert shown_interval((0.8712, 0.8912), FeedbackPolicy()) == (0.8712, 0.8912)
    assert shown_interval((0.8712, 0.8912), LADDER) is None
    assert [may_compare(policy) for policy in (FeedbackPolicy(), ROUNDED, LADDER, NONE)] == [True, False, False, False]


def test_sentences() -> None:
    assert sentence(FeedbackPolicy()) == ""
    assert sentence(ROUNDED) == "Participants see scores rounded to 2 decimals, and ranks of the rounded scores."
    assert "by more than 0.01" in sentence(LADDER)


FINAL = "    end: 2026-12-01\n  - name: Last\n    start: 2026-12-01\n    tasks: [0]\n    max_submissions: {}\n"


@pytest.mark.parametrize(
    ("limit", "more", "lines", "is_warned"),
    [
        ("21", "", "", True),
        ("21", "", "  feedback: {rule: rounded, digits: 1}\n", False),
        ("21", "", "  data: public\n", False),
        ("20", "", "", False),
        ("0", "", "", True),  # unlimited
        ("21", FINAL.format(1), "", False),
        ("21", FINAL.format(20), "", True),
    ],
)
def test_check_exact_scores_often(tmp_path: Path, limit: str, more: str, lines: str, is_warned: bool) -> None:
    yaml = YAML.replace("max_submissions: 20", f"max_submissions: {limit}")
    yaml = yaml.replace("    tasks: [0]\n", f"    tasks: [0]\n{more}", 1) + lines
    errors, warnings = check_bundle(read_bundle(write_bundle(tmp_path / "b", yaml=yaml)), NOW)
    assert errors == ()
    found = [str(each) for each in warnings if each.field == "palio.feedback"]
    assert len(found) == is_warned, found
    if limit == "21" and is_warned:
        assert "is exact in “Final”, which allows 21 submissions on 3 cases" in found[0]


def test_check_exact_scores_on_many_cases(tmp_path: Path) -> None:
    yaml = YAML.replace("max_submissions: 20", "max_submissions: 100")
    folder = write_bundle(tmp_path / "b", yaml=yaml)
    for number in range(1000):
        (folder / "input_data" / f"{number}.txt").write_text("a")
    _, warnings = check_bundle(read_bundle(folder), NOW)
    assert [each for each in warnings if each.field == "palio.feedback"] == []
