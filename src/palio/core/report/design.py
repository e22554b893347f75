"""MICCAI's structured description of a challenge design, filled as far as the bundle, its data and results tell.

A field that only the organizers can fill is None. Nothing is guessed: a prefilled text states what Palio does or has
counted, and the organizers should read it before they submit it.
"""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import palio
from palio.core.errors import counted
from palio.core.leaderboard.notes import listed
from palio.core.quantities import duration_text, size_text
from palio.core.report.design_fields import CHALLENGE, TASK
from palio.core.report.words import ACCESS, DATA, KINDS, dates, ranking_rule, statistics_sentences, submission_limit

if TYPE_CHECKING:
    from palio.core.report.content import Content

EMPTY = "[to be filled in by the organizers]"
_CATEGORIES = {"classification": "Classification", "probability": "Classification", "pairs": "Prediction"}
_OVERLAP = ("dice", "iou", "jaccard", "nsd", "hd95", "hd", "assd")


@dataclass(frozen=True)
class Design:
    """Values by the form's keys; None where the organizers have to write. One mapping for each task."""

    challenge: Mapping[str, Any]
    tasks: tuple[Mapping[str, Any], ...]

    @property
    def prefilled(self) -> int:
        return sum(value is not None for of in (self.challenge, *self.tasks) for value in of.values())

    @property
    def empty(self) -> int:
        return sum(value is None for of in (self.challenge, *self.tasks) for value in of.values())

    def as_json(self) -> dict[str, Any]:
        """The form's keys, with `challenge_tasks` as there, and the keys that are to be filled in."""
        to_fill = [key for key, value in self.challenge.items() if value is None]
        to_fill += [
            f"challenge_tasks[{number}].{key}"
            for number, task in enumerate(self.tasks)
            for key, value in task.items()
            if value is None
        ]
        return {**self.challenge, "challenge_tasks": [*self.tasks], "palio_to_be_filled_in": to_fill}

    def as_text(self) -> str:
        lines = [str(self.challenge["challenge_name"]), "=" * 70, ""]
        lines += _lines(self.challenge, CHALLENGE)
        for number, task in enumerate(self.tasks, start=1):
            lines += [f"TASK {number}: {task['task_name']}", "-" * 70, "", *_lines(task, TASK)]
        return "\n".join(lines)


def design_of(facts: Mapping[str, Any], content: "Content | None" = None) -> Design:
    """From the facts of a bundle or export, with the results of `content` if there are any."""
    start = min(datetime.fromisoformat(phase["start"]) for phase in facts["phases"])
    challenge: dict[str, Any] = dict.fromkeys(CHALLENGE) | {
        "challenge_name": facts["title"],
        "challenge_abstract": facts["description"] or None,
        "challenge_year": str(start.year),
        "challenge_space_and_hardware_requirements": _hardware(facts),
        "challenge_author_names": [*facts["organizers"]] if facts.get("organizers") else None,
    }
    return Design(challenge, tuple(_task(facts, task, content) for task in facts["tasks"]))


def _task(facts: Mapping[str, Any], task: Mapping[str, Any], content: "Content | None") -> dict[str, Any]:
    phases = [phase for phase in facts["phases"] if task["index"] in phase["tasks"]] or facts["phases"]
    rules = " ".join(statistics_sentences(facts))
    found: dict[str, str | None] = {
        "task_name": task["name"],
        "task_abstract": task["description"] or None,
        "task_organizing_team": listed(facts["organizers"]) if facts.get("organizers") else None,
        "task_lifecycle": _lifecycle(phases),
        "task_platform": f"Palio {facts.get('platform') or palio.__version__}",
        "task_url": facts.get("url") or None,
        "task_interaction_level_policy": _interaction(phases),
        "task_results_announcement": _announcement(phases),
        "task_result_submission_method": _submission(facts, phases),
        "task_pre_evaluation": _pre_evaluation(phases),
        "task_schedule": "\n".join(f"{phase['name']}: {dates(phase)}" for phase in phases),
        "task_code_availability_organizers": _organizers_code(facts),
        "task_conflict_of_interest": _label_access(facts, phases),
        "task_task_category": _category(phases),
        "task_number_of_cases": _number_of_cases(task, phases),
        "task_quantity_of_data": _annotated(task),
        "task_justification_of_data_characteristics": _distribution(task, phases),
        "task_pre_processing_methods": _preprocessing(phases),
        "task_evaluation_metrics": _metrics(phases),
        "task_rank_computation_method": _ranking(phases),
        "task_missing_data": _missing(),
        "task_statistical_analyses_overview": rules,
        "task_statistical_analyses_precision_performance_estimates": _precision(facts, phases),
        "task_statistical_analyses_performance_variability": _variability(phases),
        "task_statistical_analyses_rankings_variability": _rankings(phases, content),
        "task_statistical_analyses_test_for_significance": _tests(phases),
        "task_statistical_analyses_missing_data_handling": _missing(),
        "task_statistical_analyses_software": f"Palio {palio.__version__} (Apache-2.0), NumPy and SciPy.",
        "task_further_analyses": _further(content),
    }
    return dict.fromkeys(TASK) | found


def _lines(values: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    lines = []
    for key, title in titles.items():
        value = values[key]
        text = EMPTY if value is None else ", ".join(value) if isinstance(value, list) else str(value)
        wrapped = [textwrap.fill(part, 100) for part in text.splitlines()]
        lines += [f"{title} ({key})", *wrapped, ""]
    return lines


# -- organization


def _hardware(facts: Mapping[str, Any]) -> str:
    if {kind for phase in facts["phases"] for kind in phase["submissions"]} == {"results"}:
        return "None: participants submit predictions, which they compute on machines of their own."
    limits = facts["phases"][-1]["limits"]["predict"]
    cpus = f"{limits['cpus']:g} {'CPU' if limits['cpus'] == 1 else 'CPUs'}"
    gpus = counted(limits["gpus"], "GPU") if limits["gpus"] else "no GPU"
    return (
        "Every submission runs on the platform's machines under the same limits: "
        f"{duration_text(limits['time_s'])}, {cpus}, {size_text(limits['memory_bytes'])} of memory, {gpus}, no network."
    )


def _lifecycle(phases: list[Mapping[str, Any]]) -> str:
    if phases[-1]["end"] is None:
        return "Open call: the last phase has no closing date."
    return f"One-time event: submissions close on {phases[-1]['end'][:10]}."


def _interaction(phases: list[Mapping[str, Any]]) -> str | None:
    kinds = {kind for phase in phases for kind in phase["submissions"]}
    if "results" in kinds:
        return None  # predictions may come from anything
    return "Fully automatic: submissions are programs that run without user interaction, in a sandbox without network."


def _announcement(phases: list[Mapping[str, Any]]) -> str:
    said = [f"{phase['name']}: {phase['feedback']['says'] or 'all scores are public at once.'}" for phase in phases]
    return "The leaderboard is on the platform. " + " ".join(said)


def _submission(facts: Mapping[str, Any], phases: list[Mapping[str, Any]]) -> str:
    kinds = dict.fromkeys(KINDS[kind] for phase in phases for kind in phase["submissions"])
    method = f"Upload to the platform or `palio submit`, of {' or '.join(kinds)}."
    registration = ACCESS.get(facts.get("joining") or facts["registration"], "")
    return f"{method} Registration: {registration}."


def _pre_evaluation(phases: list[Mapping[str, Any]]) -> str:
    said = []
    for phase in phases:
        rule = ranking_rule(phase["leaderboards"][0]).split("; ")[1]
        said.append(f"{phase['name']}: {submission_limit(phase)}; {rule}.")
        if phase["sample"]:
            said.append("Each submission first runs on public cases, with full logs; a failure there does not count.")
    return " ".join(said)


def _organizers_code(facts: Mapping[str, Any]) -> str:
    return (
        "Ranking, intervals and tests are computed by Palio (Apache-2.0), which anyone can run on exported runs. The "
        f"scoring program is part of the challenge's bundle, sha256:{facts['digest']}; say here whether it is public."
    )


def _label_access(facts: Mapping[str, Any], phases: list[Mapping[str, Any]]) -> str:
    names = f" ({listed(facts['organizers'])})" if facts.get("organizers") else ""
    data = "; ".join(dict.fromkeys(DATA[phase["data"]] for phase in phases))
    return (
        f"Access to test labels: {data}. The organizers{names} and the operators of the platform have them; the "
        "platform never serves them to participants, and code of participants never runs where they are mounted. "
        "Sponsoring and conflicts of interest: to be added."
    )


# -- mission and data


def _category(phases: list[Mapping[str, Any]]) -> str | None:
    for phase in phases:
        policy = phase["statistics"]
        if policy and policy["kind"] in _CATEGORIES:
            return _CATEGORIES[policy["kind"]]
        written = " ".join([policy["metric"], *policy["metrics"].values()]) if policy else ""
        if any(name in written for name in _OVERLAP):
            return "Segmentation"
    return None


def _number_of_cases(task: Mapping[str, Any], phases: list[Mapping[str, Any]]) -> str | None:
    said = []
    for phase in phases:
        for split, counts in phase["public_classes"].items():
            said.append(f"{split}: {sum(counts.values()):,} public cases.")
        if phase["public_data"] and not phase["public_classes"]:
            said.append(f"Public data of {phase['name']}: {counted(phase['public_data']['files'], 'file')}.")
    if task["reference_classes"]:
        said.append(f"Test: {counted(sum(task['reference_classes'].values()), 'case')}.")
    elif task["inputs"]:
        said.append(f"Test: {counted(task['inputs']['files'], 'file')}.")
    return " ".join(dict.fromkeys(said)) or None


def _annotated(task: Mapping[str, Any]) -> str | None:
    return "Test: 100 %, which scoring needs. Training: to be added." if task["reference"] else None


def _distribution(task: Mapping[str, Any], phases: list[Mapping[str, Any]]) -> str | None:
    splits = {split: counts for phase in phases for split, counts in phase["public_classes"].items()}
    splits |= {"test": task["reference_classes"]} if task["reference_classes"] else {}
    if not splits:
        return None
    said = [
        f"{split}: {', '.join(f'{name} {count:,}' for name, count in own.items())}." for split, own in splits.items()
    ]
    return "Cases by class: " + " ".join(said) + " Reason for this distribution: to be added."


def _preprocessing(phases: list[Mapping[str, Any]]) -> str | None:
    hidden = any(phase["hides_names"] for phase in phases)
    return "Hidden inputs get random names. Other preprocessing: to be added." if hidden else None


# -- metrics, ranking, statistics


def _boards(phases: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [board for phase in phases for board in phase["leaderboards"]]


def _columns(phases: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [*{column["key"]: column for board in _boards(phases) for column in board["columns"]}.values()]


def _metrics(phases: list[Mapping[str, Any]]) -> str:
    primaries = {board["primary"] for board in _boards(phases)}
    said = []
    for column in _columns(phases):
        metric = f" ({column['metric']} over the cases)" if column["metric"] else ""
        ranked = "; it decides the ranking" if column["key"] in primaries else ""
        said.append(f"{column['title']}{metric}, {'higher' if column['descending'] else 'lower'} is better{ranked}.")
    return " ".join(said)


def _ranking(phases: list[Mapping[str, Any]]) -> str:
    rules = dict.fromkeys(f"{board['title']}: ranked {ranking_rule(board)}." for board in _boards(phases))
    return (
        " ".join(rules)
        + " The scoring program gives each column its value over all test cases (aggregate, then rank). "
        "Pseudo code: sort the entries by the primary column; rank = 1 + number of entries with a better value; values "
        "that differ by at most 1e-12 are equal."
    )


def _missing() -> str:
    return (
        "The scoring program decides on missing predictions: it either rejects the submission, which then has no "
        "score and no rank, or counts a missing prediction as it states. No score is imputed. Submissions that were "
        "scored on different cases are not compared."
    )


def _precision(facts: Mapping[str, Any], phases: list[Mapping[str, Any]]) -> str:
    said = [
        f"{column['title']}: 95 % interval by {column['interval']}."
        for column in _columns(phases)
        if column["interval"]
    ]
    return " ".join(said) or statistics_sentences(facts)[0]


def _variability(phases: list[Mapping[str, Any]]) -> str:
    policy = next((phase["statistics"] for phase in phases if phase["statistics"]), None)
    if policy is None:
        return "The scoring program writes no values of single cases, so variability across cases is not assessed."
    what = {
        "classification": "the true and predicted class of each case, from which the confusion matrix follows",
        "probability": "the truth and the predicted probability of each case",
        "mean": "the value of each case",
        "pairs": "the true and predicted value of each case",
    }[policy["kind"]]
    return f"The scoring program records {what} ({policy['cases']}); the report has all of them as a table."


def _rankings(phases: list[Mapping[str, Any]], content: "Content | None") -> str:
    said = [
        "Rank ranges from Holm-adjusted pairwise tests; rank frequencies from a bootstrap over the cases; Kendall's "
        "tau between the rankings by each metric, and between aggregate-then-rank and rank-then-aggregate."
    ]
    if not any(phase["statistics"] for phase in phases):
        said = ["Kendall's tau between the rankings by each metric. Without values of single cases there is no more."]
    for board, found in content.robustness if content else ():
        taus = [
            f"{order.title} {order.tau:.2f}"
            for order in (*found.by_metric, *found.by_aggregation)
            if order.tau is not None
        ]
        if taus:
            said.append(f"{board.title}, tau with the leaderboard: {', '.join(taus)}.")
    return " ".join(said)


def _tests(phases: list[Mapping[str, Any]]) -> str:
    tests = dict.fromkeys(
        column["test"]
        for board in _boards(phases)
        for column in board["columns"]
        if column["key"] == board["primary"] and column["test"]
    )
    if not tests:
        return "None: the scoring program writes no values of single cases."
    return (
        f"Pairwise on the same cases: {'; '.join(tests)}; two-sided, adjusted over all pairs by Holm's method; "
        "significant below 5 %."
    )


def _further(content: "Content | None") -> str | None:
    if content is None:
        return None
    return " ".join(["Results:", *content.findings])
