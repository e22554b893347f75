"""MICCAI's structured description: the form's own keys, filled from a bundle without guessing."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.bundles import YAML, write_bundle
from tests.closed_bundle import write_closed_bundle

from palio.core.bundle.read import read_bundle
from palio.core.report.design import EMPTY, Design, design_of
from palio.core.report.design_fields import CHALLENGE, TASK
from palio.core.report.facts import facts_of, hidden_and_open

NOW = datetime(2026, 3, 10, tzinfo=UTC)
SEVEN = {f"task_statistical_analyses_{name}" for name in (
    "overview", "precision_performance_estimates", "performance_variability", "rankings_variability",
    "test_for_significance", "missing_data_handling", "software",
)}  # fmt: skip
MISSPELLED = {
    "task_metod_reference",
    "task_annoation_instructions",
    "task_assesment_aim",
    "task_contex_information_data",
    "task_contex_information_patient",
    "task_pulication_policy",
}
ONLY_ORGANIZERS = {
    "task_target_cohort",
    "task_ethics_approval",
    "task_licence",
    "task_annotators",
    "task_acquisition_devices",
    "task_justification_of_metrics",
    "task_award_policy",
}


@pytest.fixture
def design(tmp_path: Path) -> Design:
    return design_of(facts_of(read_bundle(write_closed_bundle(tmp_path / "bundle")), NOW))


def test_keys_are_those_of_the_form(design: Design) -> None:
    (task,) = design.tasks
    assert {*task} == {*TASK}
    assert {*design.challenge} == {*CHALLENGE}
    assert {*TASK} >= SEVEN | MISSPELLED
    assert len(TASK) == 67


def test_what_the_bundle_knows(design: Design) -> None:
    (task,) = design.tasks
    assert all(task[key] for key in SEVEN)
    assert design.challenge["challenge_name"] == "Vowels"
    assert design.challenge["challenge_year"] == "2025"
    assert task["task_number_of_cases"] == "training: 10 public cases. validation: 5 public cases. Test: 3 files."
    assert task["task_task_category"] == "Classification"
    assert (
        "F1 (f1_weighted over the cases), higher is better; it decides the ranking." in task["task_evaluation_metrics"]
    )
    assert "by F1, higher is better" in task["task_rank_computation_method"]
    assert "exact Beta" in task["task_statistical_analyses_precision_performance_estimates"]
    assert "Holm" in task["task_statistical_analyses_test_for_significance"]
    assert task["task_schedule"].splitlines() == [
        "Practice: 2025-01-01 00:00 to 2026-03-02 00:00 UTC",
        "Final: 2026-03-02 00:00 to 2026-04-02 00:00 UTC",
    ]
    assert "5 a day and 2 in total" in task["task_pre_evaluation"]
    assert 25 <= design.prefilled <= 40


def test_what_only_organizers_know_is_empty(design: Design) -> None:
    (task,) = design.tasks
    assert {key for key in ONLY_ORGANIZERS if task[key] is not None} == set()
    written = design.as_json()
    assert "challenge_tasks[0].task_ethics_approval" in written["palio_to_be_filled_in"]
    assert len(written["palio_to_be_filled_in"]) == design.empty
    assert design.as_text().count(EMPTY) == design.empty


def test_text_has_every_field(design: Design) -> None:
    text = design.as_text()
    for key in (*CHALLENGE, *TASK):
        assert f"({key})" in text


def test_without_single_cases(tmp_path: Path) -> None:
    (task,) = design_of(facts_of(read_bundle(write_bundle(tmp_path / "b")), NOW)).tasks
    assert task["task_statistical_analyses_test_for_significance"].startswith("None: ")
    assert "no intervals" in task["task_statistical_analyses_precision_performance_estimates"]
    assert task["task_task_category"] is None


def test_hardware_of_predictions_only(design: Design, tmp_path: Path) -> None:
    field = "challenge_space_and_hardware_requirements"
    assert str(design.challenge[field]).startswith("Every submission runs on the platform's machines")
    only = YAML.replace("submissions: [context, results]", "submissions: [results]")
    found = design_of(facts_of(read_bundle(write_bundle(tmp_path / "only", yaml=only)), NOW)).challenge
    assert found[field] == "None: participants submit predictions, which they compute on machines of their own."


def test_open_phases_with_hidden_data(tmp_path: Path) -> None:
    facts = facts_of(read_bundle(write_closed_bundle(tmp_path / "bundle")), NOW)
    assert hidden_and_open(facts) == ["Final"]
    later = facts_of(read_bundle(write_closed_bundle(tmp_path / "again")), datetime(2027, 1, 1, tzinfo=UTC))
    assert hidden_and_open(later) == []
