"""Everything that the report says, read from an export and counted, before it becomes HTML."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from palio.core.errors import Cause, counted, party
from palio.core.report.exported import Board, Exported, Row
from palio.core.report.facts import hidden_and_open
from palio.core.report.robustness import Robustness, robustness_of
from palio.core.report.words import separable


@dataclass(frozen=True)
class Participation:
    """Of a phase; times are ISO dates, empty without a submission."""

    phase: str
    teams: int
    submissions: int
    scored: int
    failed: int
    cancelled: int
    withdrawn: int
    first: str
    last: str


@dataclass(frozen=True)
class Failed:
    party: str
    code: str
    stage: str
    attempts: int
    teams: int


@dataclass(frozen=True)
class Team:
    """`answers` are those of its latest submission with any, by the question's key."""

    name: str
    members: tuple[str, ...]
    answers: Mapping[str, str]


@dataclass(frozen=True)
class Content:
    """`findings` are the main results in sentences. `still_open` are phases with hidden data that have not ended."""

    facts: Mapping[str, Any]
    boards: tuple[Board, ...]
    robustness: tuple[tuple[Board, Robustness], ...]
    participation: tuple[Participation, ...]
    failures: tuple[Failed, ...]
    teams: tuple[Team, ...]
    members: int
    versions: tuple[Mapping[str, Any], ...]
    findings: tuple[str, ...]
    still_open: tuple[str, ...]

    @property
    def teams_count(self) -> int:
        return len(self.teams)


def read_content(exported: Exported) -> Content:
    """Reads and counts everything; compares single cases, which may take a while."""
    facts, results, attempts = exported.facts, exported.table("results.csv"), exported.table("attempts.csv")
    boards = exported.boards
    teams = _teams(exported.table("teams.csv"), results, [each["key"] for each in facts["questions"]])
    return Content(
        facts=facts,
        boards=boards,
        robustness=tuple((board, robustness_of(exported, board)) for board in boards),
        participation=tuple(_participation(phase["name"], results) for phase in facts["phases"]),
        failures=tuple(_failures(results, attempts)),
        teams=teams,
        members=len({member for team in teams for member in team.members}),
        versions=tuple(_version(row) for row in exported.table("versions.csv")),
        findings=tuple(_findings(boards, results)),
        still_open=tuple(hidden_and_open(facts)),
    )


def _participation(phase: str, results: Sequence[Row]) -> Participation:
    own = [row for row in results if row["phase"] == phase]
    states, times = Counter(row["state"] for row in own), sorted(row["submitted"][:10] for row in own)
    return Participation(
        phase=phase,
        teams=len({row["team_id"] for row in own}),
        submissions=len(own),
        scored=states["scored"],
        failed=states["failed"],
        cancelled=states["cancelled"],
        withdrawn=sum(bool(row["withdrawn"]) for row in own),
        first=times[0] if times else "",
        last=times[-1] if times else "",
    )


def _failures(results: Sequence[Row], attempts: Sequence[Row]) -> Iterable[Failed]:
    """By responsible party, the participants first, then by how often."""
    team_of = {row["submission"]: row["team_id"] for row in results}
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in attempts:
        if row["state"] == "failed":
            key = row["failure_cause"], row["failure_code"], row["failure_stage"]
            found[key].append(team_of.get(row["submission"], ""))
    causes = [cause.value for cause in (Cause.PARTICIPANT, Cause.ORGANIZER, Cause.PLATFORM)]

    def order(entry: tuple[tuple[str, str, str], list[str]]) -> tuple[int, int, str]:
        (cause, code, _), teams = entry
        return causes.index(cause) if cause in causes else len(causes), -len(teams), code

    for (cause, code, stage), teams in sorted(found.items(), key=order):
        name = party(Cause(cause)) if cause in causes else cause or "unknown"
        yield Failed(name, code, stage, len(teams), len({*teams}))


def _teams(members: Sequence[Row], results: Sequence[Row], questions: Sequence[str]) -> tuple[Team, ...]:
    names, people = dict[str, str](), defaultdict[str, list[str]](list)
    for row in members:
        names[row["team_id"]] = row["team"]
        people[row["team_id"]].append(row["member"])
    answers: dict[str, dict[str, str]] = defaultdict(dict)
    for row in results:  # oldest first, so that the latest answer stays
        given = {key: answer for key in questions if (answer := row.get(f"answer_{key}", ""))}
        answers[row["team_id"]] |= given
    return tuple(Team(name, tuple(people[key]), answers[key]) for key, name in names.items())


def _version(row: Row) -> Mapping[str, Any]:
    try:
        changes = json.loads(row["changes"] or "[]")
    except ValueError:
        changes = []
    return {**row, "changes": changes if isinstance(changes, list) else []}


def _findings(boards: Sequence[Board], results: Sequence[Row]) -> Iterable[str]:
    teams = len({row["team_id"] for row in results})
    scored = sum(row["state"] == "scored" for row in results)
    submitted = counted(len(results), "submission")
    yield f"{counted(teams, 'team')} made {submitted}, of which {scored:,} {'was' if scored == 1 else 'were'} scored."
    for board in boards:
        primary = board.primary
        leading = [place for place in board.ranked if place.rank == 1 and not place.is_baseline]
        if primary and leading:
            value = f"{leading[0].values[primary.key]:.{primary.precision}f}"
            ends = leading[0].intervals.get(primary.key)
            interval = (
                f" (95 % interval {ends[0]:.{primary.precision}f} to {ends[1]:.{primary.precision}f})" if ends else ""
            )
            yield f"{board.title}: {leading[0].team} has rank 1 with {primary.title} {value}{interval}."
            yield from separable(board)
