"""Computes statistics of a leaderboard from run folders, in a child process with limits. Free of Django."""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palio.core.bundle.case_metrics import MCNEMAR, PAIRED_DELONG, PERMUTATION, SIGN_FLIPS
from palio.web.leaderboard.child_arguments import column_of, policy_of

if TYPE_CHECKING:
    from palio.core.bundle.model import Column, StatisticsPolicy
    from palio.core.leaderboard.rank_details import RankDetails
    from palio.core.leaderboard.run_cases import RunStatistics
    from palio.core.statistics.cases import SingleCases
    from palio.core.statistics.methods import Method
    from palio.core.statistics.summary import RankStatistics

# For more teams, no rank ranges: comparing all pairs would take too long.
MOST_RANGED_BY = {MCNEMAR: 500, PAIRED_DELONG: 500, SIGN_FLIPS: 500, PERMUTATION: 500}
MOST_RANGED = max(MOST_RANGED_BY.values())
MOST_RANGED_BY_SORTING = 12  # where each draw of a permutation test goes through all cases in the order of their scores
NOTHING_TO_COMPARE = "Fewer than two submissions have single cases to compare."
_NICE = 10  # everything else on the machine goes first


def score_intervals(
    runs: str,
    scores: Mapping[str, Mapping[str, float]],
    policy: dict[str, Any],
    columns: Sequence[dict[str, Any]],
    primary: str,
    tasks: Sequence[int] = (),
) -> dict[str, dict[str, dict[str, object]]]:
    """For each attempt and each of the columns, from its scores: {score, low, high}, or {score, reason}.

    That of the primary column also says whether the cases are `comparable` with those of other attempts. `tasks` are
    the indexes of the phase's tasks if it has several.
    """
    os.nice(_NICE)
    intervals: dict[str, dict[str, dict[str, object]]] = {}
    for attempt, found in _statistics(runs, scores, policy, columns, primary, tasks):
        of_columns: dict[str, dict[str, object]] = {key: {"score": score} for key, score in scores[attempt].items()}
        for key, of_column in of_columns.items():
            interval = found.intervals.get(key)
            of_column |= vars(interval) if interval else {"reason": found.no_intervals[key]}
        if primary in of_columns:
            of_columns[primary]["comparable"] = found.cases is not None
        intervals[attempt] = of_columns
    return intervals


def rank_ranges(
    runs: str,
    scores: Mapping[str, float],
    usable: Sequence[str],
    policy: dict[str, Any],
    primary: dict[str, Any],
    tasks: Sequence[int] = (),
    kept: str = "",
    settings: str = "",
) -> dict[str, Any]:
    """{ranges, cases, reason, details} for attempts with their primary scores, best first.

    Only cases of `usable` are read, and only if they are not in the file `kept`, which has what was computed before
    with these `settings` and is written again.
    """
    from palio.core.leaderboard.run_cases import primary_method

    os.nice(_NICE)
    of_policy, of_primary = policy_of(policy), column_of(primary)
    method = primary_method(of_policy, of_primary)
    test = method.test(len(tasks) or 1) if method else MCNEMAR
    most = MOST_RANGED_BY[test]
    if test == PERMUTATION and policy["kind"] != "classification":
        most = MOST_RANGED_BY_SORTING
    nothing: dict[str, Any] = {"ranges": {}, "cases": None, "details": {}}
    if len(scores) > most:
        return nothing | {"reason": too_many(most)}
    if method is None:
        return nothing | {"reason": NOTHING_TO_COMPARE}
    try:
        found, details = _ranked(runs, scores, usable, of_policy, of_primary, method, tasks, kept, settings)
    except ValueError as reason:
        return nothing | {"reason": f"The submissions cannot be compared: {reason}."}
    ranges = dict(zip(scores, found.ranges, strict=True)) if found.ranges else {}
    return {
        "ranges": ranges,
        "cases": found.cases,
        "reason": found.reason,
        "details": details.as_json() if details else {},
    }


def _ranked(
    runs: str,
    scores: Mapping[str, float],
    usable: Sequence[str],
    policy: "StatisticsPolicy",
    primary: "Column",
    method: "Method",
    tasks: Sequence[int],
    kept: str,
    settings: str,
) -> "tuple[RankStatistics, RankDetails | None]":
    from palio.core.leaderboard.rank_details import rank_details
    from palio.core.leaderboard.run_cases import comparable_cases
    from palio.core.statistics.agreement import ranks_by_case
    from palio.core.statistics.kept import load, save, updated
    from palio.core.statistics.ranks import REDRAWS
    from palio.core.statistics.summary import RankStatistics

    before = load(Path(kept)) if kept else None
    known = {*before.labels} if before and before.settings == settings else set()
    new = {
        attempt: comparable_cases(Path(runs) / attempt, policy, primary, scores[attempt], tasks)
        for attempt in usable
        if attempt not in known
    }
    cases = {attempt: read for attempt, read in new.items() if read is not None}
    compared = [attempt for attempt in scores if attempt in cases or (attempt in known and attempt in {*usable})]
    if len(compared) < 2:
        return RankStatistics(reason=NOTHING_TO_COMPARE), None
    state = updated(
        before,
        compared,
        lambda attempts: [cases[attempt] for attempt in attempts],
        method,
        settings,
        descending=primary.descending,
    )
    if kept:
        save(state, Path(kept))
    place = {attempt: number for number, attempt in enumerate(scores)}
    places = [place[attempt] for attempt in compared]
    found = state.statistics([*scores.values()], places, method, descending=primary.descending)
    by_case = ranks_by_case(state.tasks, method, descending=primary.descending)
    better_first = [score if primary.descending else -score for score in scores.values()]
    return found, rank_details([*scores], better_first, found, by_case, REDRAWS)


def case_summaries(
    runs: str,
    scores: Mapping[str, Mapping[str, float]],
    policy: dict[str, Any],
    primary: dict[str, Any],
    tasks: Sequence[int],
) -> dict[str, dict[str, Any]]:
    """By attempt: what its single cases say."""
    from palio.core.leaderboard.case_summary import summarize  # numpy takes a while

    os.nice(_NICE)
    column, of = column_of(primary), policy_of(policy)
    return {attempt: summarize(Path(runs) / attempt, of, column, own, tasks) for attempt, own in scores.items()}


def similar_predictions(
    runs: str,
    attempts: Sequence[str],
    teams: Sequence[str],
    scores: Sequence[Mapping[str, float]],
    policy: dict[str, Any],
    primary: dict[str, Any],
) -> dict[str, Any]:
    """{pairs, compared}: pairs of attempts of different teams with nearly equal predictions."""
    from palio.core.statistics.similarity import similar_pairs

    os.nice(_NICE)
    own = {attempt: dict(scored) for attempt, scored in zip(attempts, scores, strict=True)}
    read = {each: found.cases for each, found in _statistics(runs, own, policy, [primary], primary["key"], ())}
    team_of = dict(zip(attempts, teams, strict=True))
    known = [(attempt, cases[0]) for attempt, cases in read.items() if cases is not None]
    try:
        found = similar_pairs([cases for _, cases in known], [team_of[attempt] for attempt, _ in known])
    except ValueError:  # scored on different cases
        found = []
    pairs = [vars(each) | {"a": known[each.a][0], "b": known[each.b][0]} for each in found]
    return {"pairs": pairs, "compared": len(known)}


def ladder_comparisons(
    runs: str,
    pairs: Sequence[tuple[str, float, str, float | None]],
    policy: dict[str, Any],
    primary: dict[str, Any],
    tasks: Sequence[int],
) -> list[dict[str, Any]]:
    """For each pair of an attempt and the best shown one before it: {best, error, cases} or {best, reason}.

    `error` is the standard error of the difference; 0 for an attempt without one before it.
    """
    from palio.core.leaderboard.run_cases import checked_cases
    from palio.core.statistics.differences import standard_error

    os.nice(_NICE)
    of_policy, column = policy_of(policy), column_of(primary)
    written = of_policy.metric_of(column, column) or ""

    @cache
    def cases_of(attempt: str, score: float) -> "tuple[SingleCases, ...]":
        """Raises ValueError with a clause if they cannot be used."""
        read, reasons = checked_cases(Path(runs) / attempt, of_policy, [column], column, {column.key: score}, tasks)
        if read is None or reasons:
            raise ValueError(reasons[column.key])
        return read

    found = list[dict[str, Any]]()
    for attempt, score, best, best_score in pairs:
        try:
            cases, error = cases_of(attempt, score), 0.0
            if best:
                error = standard_error(of_policy.kind, written, cases, cases_of(best, best_score or 0.0))
            found.append({"best": best, "error": error, "cases": sum(len(task.files) for task in cases)})
        except ValueError as reason:
            found.append({"best": best, "reason": str(reason)})
    return found


def too_many(most: int) -> str:
    return f"Rank ranges are computed for up to {most} teams."


def _statistics(
    runs: str,
    scores: Mapping[str, Mapping[str, float]],
    policy: dict[str, Any],
    columns: Sequence[dict[str, Any]],
    primary: str,
    tasks: Sequence[int],
) -> "Iterator[tuple[str, RunStatistics]]":
    from palio.core.leaderboard.run_cases import run_statistics  # numpy takes a while

    of = {column["key"]: column_of(column) for column in columns}
    for attempt, scored in scores.items():
        folder = Path(runs) / attempt
        yield attempt, run_statistics(folder, policy_of(policy), [*of.values()], of[primary], scored, tasks)
