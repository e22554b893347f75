"""Submissions that have ended already, made without evaluating anything, for tests of what shows them."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from tests.bundles import YAML, write_bundle
from tests.run_folders import write_cases

from palio.core.attempt.states import State
from palio.core.bounded_call import call_bounded
from palio.core.bundle.pick_phase import find_phase
from palio.core.errors import FAILURES, Cause, PalioError
from palio.core.redaction.failure import for_participant
from palio.web.controller.attempt_calls import BoundedCall
from palio.web.controller.statistics import StatisticsUpdate
from palio.web.leaderboard.leaderboard import mark_changed
from palio.web.models import Attempt, Challenge, ChallengeVersion, StoredFile, Submission, Team, User
from palio.web.storage.bundles import bundle_of
from palio.web.storage.files import keep_bundle

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

COLUMNS = """\
    columns:
      - {title: Accuracy, key: accuracy, index: 0, sorting: desc, precision: 3}
      - {title: Seconds, key: seconds, index: 1, sorting: asc, precision: 1}
      - {title: Secret, key: secret, index: 2, sorting: desc, precision: 3, hidden: true}
      - title: Mean rank
        key: mean_rank
        index: 3
        sorting: asc
        precision: 2
        computation: avg_rank
        computation_indexes: [0, 1]
"""
_PHASES = """\
phases:
  - index: 0
    name: Practice
    start: 2025-01-01
    end: 2026-01-01
    tasks: [0]
  - index: 1
    name: Final
    start: 2026-01-01
    tasks: [0]
"""


def write_leaderboard_bundle(folder: Path, *, board: str = "", final: str = "", palio: str = "") -> Path:
    """The small challenge with two phases and four columns, one hidden, one computed.

    `board`, `final` and `palio` are more lines of the leaderboard, of the last phase and of the block `palio`.
    """
    before, after = YAML.split("phases:")[0], YAML.split("palio:\n")[1]
    leaderboard = f"leaderboards:\n  - title: Results\n    key: main\n{board}{COLUMNS}"
    return write_bundle(folder, yaml=f"{before}{_PHASES}{final}{leaderboard}palio:\n{palio}{after}")


def publish(challenge: Challenge, bundle: Path) -> None:
    """Makes `bundle` the challenge's next version, unchecked."""
    digest = keep_bundle(settings.FOLDERS, bundle)
    number = challenge.versions.count() + 1
    challenge.current = ChallengeVersion.objects.create(
        challenge=challenge, number=number, digest=digest, title=challenge.slug
    )
    challenge.save()


def scores(accuracy: float, seconds: float = 10.0, secret: float = 0.123456) -> dict[str, float]:
    return {"accuracy": accuracy, "seconds": seconds, "secret": secret}


def add_submission(
    team: Team,
    *,
    phase: str = "Final",
    scores: Mapping[str, float] | None = None,
    state: State | None = None,
    failure: str | PalioError | None = None,
    minute: int = 0,
    when: datetime | None = None,
    wrong: list[int] | None = None,
    user: User | None = None,
    kind: str = "context",
    **more: Any,
) -> Submission:
    """A submission with one attempt: scored with `scores`, or failed with `failure` (a code, whose texts are then made
    up, or the error itself), or in `state`.

    `wrong` are the cases that it got wrong, which are then in its run folder.
    """
    when = when or NOON + timedelta(minutes=minute)
    version = team.challenge.current
    assert version is not None
    digest = secrets.token_hex(32)
    person = user or team.captain
    file = StoredFile.objects.create(
        team=team,
        name=f"{team.name.lower()}-{minute}.zip",
        kind=kind,
        size_bytes=2_345_678,
        sha256=digest,
        created_by=person,
    )
    submission = Submission.objects.create(
        challenge=team.challenge, phase=phase, team=team, user=person, file=file, created=when, **more
    )
    found = State.SCORED if scores is not None else State.FAILED if failure else state or State.QUEUED
    told, shown = _failures(failure) if failure else (None, None)
    attempt = Attempt.objects.create(
        submission=submission,
        number=1,
        version=version,
        state=found,
        engine="docker",
        created=when,
        started=None if found is State.QUEUED else when + timedelta(seconds=4),
        moved=when + timedelta(seconds=8),
        finished=when + timedelta(seconds=95) if found in {State.SCORED, State.FAILED, State.CANCELLED} else None,
        scores=dict(scores) if scores is not None else None,
        failure=told,
        failure_shown=shown,
        failure_code=shown["code"] if shown else "",
        failure_cause=shown["cause"] if shown else "",
    )
    if scores is not None:
        submission.counted = attempt
        submission.save()
    mark_changed(team.challenge)
    team.challenge.refresh_from_db()
    write_run_folder(attempt, wrong=wrong)
    return submission


def compute_statistics(challenge: Challenge, call: BoundedCall = call_bounded) -> None:
    """As the controller does after each change. `call` stands for the child processes."""
    challenge.refresh_from_db()
    StatisticsUpdate(settings.FOLDERS, call=call).update(challenge)
    challenge.refresh_from_db()


def _failures(failure: str | PalioError) -> tuple[dict[str, Any], dict[str, Any]]:
    """For organizers, and for the team that submitted it."""
    if isinstance(failure, PalioError):
        return failure.failure.as_json(), for_participant(failure.failure).as_json()
    shown = failure_of(failure)
    return shown | {"message": f"FULL {shown['message']}"}, shown


def failure_of(code: str) -> dict[str, Any]:
    kind = FAILURES[code]
    return {
        "code": code,
        "cause": Cause(kind.cause).value,
        "stage": code.split("-")[0],
        "charged": kind.charged,
        "message": f"The sentence of {code}.",
        "evidence": ["time: 500 s of 500 s"],
        "log": ["the last line of its log"],
        "next_step": "Make it faster.",
    }


def write_run_folder(attempt: Attempt, *, wrong: list[int] | None = None) -> Path:
    """As far as pages read it: stages, logs, report, receipt; the participant's part beside the organizer's."""
    folder = settings.FOLDERS.runs / attempt.identity
    (folder / "participant").mkdir(parents=True)
    begun = attempt.created
    phase = find_phase(bundle_of(attempt.version), attempt.submission.phase)
    names = ["build", *(["sample"] if phase and phase.rules.sample else []), "predict", "score"]
    last = attempt.failure_shown["stage"] if attempt.failure_shown else attempt.state
    if last in names:
        names = names[: names.index(last) + 1]
    elif last != State.SCORED:
        names = []
    stages = {}
    for place, name in enumerate(names):
        started = begun + timedelta(seconds=5 + 20 * place)
        running = attempt.state == name
        took_s = 500.0 if name == last and attempt.failure_code == "predict-time-limit" else 18.5
        stages[name] = {
            "started": started.isoformat(),
            "finished": None if running else (started + timedelta(seconds=took_s)).isoformat(),
            "wall_s": None if running else took_s,
            "end": None if running else "exit",
            "exit_code": None if running else 0,
            "peak_memory_bytes": None if running else 300 * 1024**2,
            "peak_pids": 4,
            "cpu_s": None if running else 11.2,
            "image": None,
        }
        (folder / f"{name}.log").write_text(f"{name}: a line of the organizer's log\n")
    _write(folder / "config.json", {"label": "x", "challenge": "/srv/c", "submission": "/srv/s.zip"})
    _write(folder / "result.json", {"stages": stages})
    if attempt.state in {State.SCORED, State.FAILED, State.CANCELLED}:
        _write(folder / "participant" / "result.json", {"stages": stages})
        (folder / "participant" / "build.log").write_text("build: a line of the participant's log\n")
    if attempt.state == State.SCORED:
        (folder / "report.html").write_text("<h1>How it went</h1><p>Well.</p>")
        _write(folder / "receipt.json", {"statement": {"result": attempt.scores}})
        if wrong is not None:
            write_cases(folder / "scores" / "cases.csv", wrong)
    return folder


def _write(path: Path, content: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
