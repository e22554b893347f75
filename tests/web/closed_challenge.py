"""A challenge whose phases are closed: four teams and a baseline, failures, two versions, statistics, answers."""

from dataclasses import dataclass
from pathlib import Path

from tests.closed_bundle import write_closed_bundle
from tests.web.scored_submissions import add_submission, compute_statistics, publish
from tests.web.world import World, make_team

from palio.web.models import Submission, User

# (wrong cases, seconds)
TEAMS = {"Blobs": (5, 12.5), "Carolingians": (7, 8.25), "Third <b>Way</b>": (40, 3.0), "Late": (41, 9.0)}


@dataclass(frozen=True)
class Closed:
    world: World
    best: Submission


def make_closed(world: World, folder: Path, end: str = "2026-04-01") -> Closed:
    challenge = world.challenge
    publish(challenge, write_closed_bundle(folder / "closed", end))
    version = challenge.current
    assert version is not None
    version.note = "The <final> phase ends a week later."
    version.published_by = world.alice
    version.changes = [{"what": "phase “Final”: end", "old": "2026-03-25", "new": end}]
    version.save()
    teams = {"Blobs": world.team, "Carolingians": world.rivals}
    for name in TEAMS:
        if name not in teams:
            person = User.objects.create_user(f"captain{len(teams)}", password="a-long-password")
            teams[name] = make_team(challenge, name, person)
    found = []
    for minute, (name, (wrong, seconds)) in enumerate(TEAMS.items()):
        team = teams[name]
        team.challenge.refresh_from_db()
        # every second team's errors are elsewhere
        cases = [6 * case + minute % 2 for case in range(wrong)]
        right = 1 - wrong / 600
        told = {"f1": f1_weighted(cases), "accuracy": right, "seconds": seconds, "secret": 0.5}
        answers = {"affiliation": f"University of {name}", "method": "ResNet"} if minute < 3 else {}
        found.append(add_submission(team, scores=told, minute=10 + minute, wrong=cases, answers=answers))
    add_submission(teams["Late"], failure="predict-time-limit", minute=30, charged=True)
    add_submission(teams["Late"], failure="scores-missing", minute=31)
    first = [6 * case for case in range(TEAMS["Blobs"][0])]
    told = {"f1": f1_weighted(first), "accuracy": 1 - len(first) / 600, "seconds": 12.5, "secret": 0.5}
    add_submission(teams["Blobs"], scores=told, minute=5, phase="Practice", wrong=first)
    compute_statistics(challenge)
    return Closed(world, found[0])


def f1_weighted(wrong: list[int]) -> float:
    """As `write_cases` writes them: a wrong case is taken for the next class."""
    from tests.run_folders import CASES, CLASSES

    count = len(CLASSES)
    truth = [case % count for case in range(CASES)]
    said = [(kind + (case in set(wrong))) % count for case, kind in enumerate(truth)]
    total = 0.0
    for kind in range(count):
        hits = sum(a == b == kind for a, b in zip(truth, said, strict=True))
        total += 2 * hits / (truth.count(kind) + said.count(kind)) * truth.count(kind) / CASES
    return total
