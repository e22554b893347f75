"""A challenge whose phases are closed: four teams and a baseline, failures, two versions, statistics, answers."""

from dataclasses import dataclass
from pathlib import Path

from tests.bundles import YAML, write_bundle
from tests.web.scored_submissions import add_submission, compute_statistics, publish
from tests.web.world import World, make_team

from palio.web.models import Submission, User

COLUMNS = """\
    columns:
      - {title: F1, key: f1, index: 0, sorting: desc, precision: 4}
      - {title: Accuracy, key: accuracy, index: 1, sorting: desc, precision: 4}
      - {title: Seconds, key: seconds, index: 2, sorting: asc, precision: 1}
      - {title: Secret, key: secret, index: 3, sorting: desc, precision: 3, hidden: true}
"""
PHASES = """\
phases:
  - index: 0
    name: Practice
    description: Public scores.
    start: 2025-01-01
    end: 2026-03-02
    tasks: [0]
    max_submissions: 20
    public_data: public_data
  - index: 1
    name: Final
    description: One container for each team.
    start: 2026-03-02
    end: {end}
    tasks: [0]
    max_submissions: 2
"""
QUESTIONS = """\
fact_sheet:
  affiliation: {key: affiliation, type: text, title: Affiliation}
  method: {key: method, type: text, title: Method}
"""
STATISTICS = "  statistics: {cases: cases.csv, kind: classification, metrics: {f1: f1_weighted, accuracy: accuracy}}\n"
# (wrong cases, seconds)
TEAMS = {"Blobs": (5, 12.5), "Carolingians": (7, 8.25), "Third <b>Way</b>": (40, 3.0), "Late": (41, 9.0)}


@dataclass(frozen=True)
class Closed:
    world: World
    best: Submission


def write_closed_bundle(folder: Path, end: str = "2026-04-01") -> Path:
    before, after = YAML.split("phases:")[0], YAML.split("palio:\n")[1]
    boards = f"leaderboards:\n  - title: Results\n    key: main\n{COLUMNS}"
    yaml = f"{before}{PHASES.format(end=end)}{boards}{QUESTIONS}palio:\n{STATISTICS}{after}"
    bundle = write_bundle(folder, yaml=yaml)
    for split, counts in {"training": (6, 4), "validation": (3, 2)}.items():
        for name, count in zip(("yes", "no"), counts, strict=True):
            for number in range(count):
                path = bundle / "public_data" / split / name / f"{number}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("word")
    return bundle


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
    add_submission(teams["Blobs"], scores={**found[0].counted.scores}, minute=5, phase="Practice", wrong=cases[:5])
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
