"""A platform full of people, and the pages that somebody in particular looks at."""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils import timezone
from tests.run_folders import CASES, CLASSES
from tests.web.full_challenge import leave_predictions
from tests.web.scored_submissions import add_submission, compute_statistics
from tests.web.world import World, make_team, make_world

from palio.core.attempt.run_folder import Stage
from palio.core.attempt.states import State
from palio.core.errors import PalioError
from palio.core.statistics.metrics import METRICS, Counts, confusion_matrix
from palio.web.models import (
    Challenge,
    Message,
    Registration,
    Rescore,
    Submission,
    Team,
    User,
    Webhook,
    WebhookDelivery,
)
from palio.web.storage.bundles import current_bundle
from palio.web.verbs import messages, notices, notifications, webhooks
from palio.web.verbs.rescore import begin
from palio.web.verbs.webhook_secrets import encrypted, new_secret

MEDNIST = Path(__file__).resolve().parents[3] / "challenges" / "mednist"
MADE = ("input_data", "model_output", "reference_data", "submission_directory", "__pycache__")
_TEAMS = ("Sienese", "Contrada", "Onda", "Lupa", "Giraffa", "Torre", "Civetta")
# As the catalog words them, with the facts that an engine gives.
TOO_SLOW = PalioError(
    "predict-time-limit",
    stage=Stage.PREDICT,
    limit="8 min 20 s",
    cpus="2",
    evidence=["time: 8 min 20 s of 8 min 20 s"],
)
BROKEN_PROGRAM = PalioError(
    "score-exit",
    stage=Stage.SCORE,
    exit_code=1,
    next_step="Read the last lines of its log.",
    log=["KeyError: 'class'", "ended with exit code 1"],
)
FACT_SHEET = """\
Your team is in the **top three** of the final phase. For the paper, please add to your fact sheet:

- the data that the model was trained on,
- the licence of its weights.

Please answer by Friday.
"""


@dataclass(frozen=True)
class Place:
    """A page, and who looks at it; None: somebody who has not signed in. `ready`: a selector that it waits for."""

    name: str
    path: str
    user: User | None = None
    ready: str = "main h1"


@dataclass(frozen=True)
class Platform:
    world: World
    scored: Submission
    failed: Submission
    running: Submission
    queued: Submission
    rescore: Rescore
    message: Message


def make_platform(folder: Path) -> Platform:
    """MedNIST with nine teams, and submissions in every state."""
    bundle = folder / "mednist"
    shutil.copytree(MEDNIST, bundle, ignore=shutil.ignore_patterns(*MADE))
    world = make_world(bundle)
    title = current_bundle(world.challenge).title
    for challenge in (world.challenge, world.other, world.draft):
        assert challenge.current is not None
        challenge.current.title = title if challenge == world.challenge else f"{title} ({challenge.slug})"
        challenge.current.save()
    teams = [world.rivals, *(_team(world, name) for name in _TEAMS)]
    for place, team in enumerate(teams):
        errors = [*range(3 + 4 * place, 9 + 9 * place)]
        add_submission(
            team, scores=_scores(errors), wrong=errors, minute=1440 * place, baseline=team.name == "Torre", charged=True
        )
    for day, count in enumerate((90, 60, 64, 31, 20)):
        scored = add_submission(
            world.team,
            scores=_scores([*range(count)]),
            wrong=[*range(count)],
            minute=1440 * day,
            note=f"{20 + 10 * day} epochs",
            charged=True,
        )
    add_submission(
        teams[2],
        scores=_scores([*range(300)]),
        wrong=[*range(300)],
        minute=7,
        disqualified="It was trained on the test set.",
    )
    failed = add_submission(world.team, failure=TOO_SLOW, minute=9000, charged=True)
    running = add_submission(world.team, state=State.PREDICT, minute=9100, when=timezone.now() - timedelta(seconds=80))
    queued = add_submission(teams[4], minute=9200, when=timezone.now())
    add_submission(teams[3], failure=BROKEN_PROGRAM, minute=9300)
    Registration.objects.create(challenge=world.challenge, user=world.olga)
    compute_statistics(world.challenge)
    for submission in (scored, failed):
        notices.finished(submission.attempts.get())
    notifications.mark_read(world.bob, [world.bob.notifications.earliest("created").pk])
    _webhook_with_log(world)
    message = messages.send(world.challenge, "team", "Blobs", "Your fact sheet", FACT_SHEET, actor=world.alice)
    return Platform(world, scored, failed, running, queued, _scored_again(world), message)


def crowd(challenge: Challenge, teams: int) -> Place:
    """Its leaderboard, once it has so many teams; called again with more. Later teams err on more of the hard cases."""
    random = np.random.default_rng(teams)
    hard = np.linspace(3, 0.1, CASES)
    for number in range(challenge.submissions.count(), teams):
        team = make_team(challenge, f"Team {number + 1}", User.objects.create_user(f"crowd-{number + 1}"))
        errors = [int(case) for case in random.choice(CASES, 4 + number // 4, replace=False, p=hard / hard.sum())]
        minute = 180 * int(random.integers(0, 300))
        add_submission(team, scores=_scores(errors), wrong=errors, minute=minute)
    compute_statistics(challenge)
    return Place(f"leaderboard-of-{teams}", f"/c/{challenge.slug}/leaderboard/", None, ".leaderboard tbody tr")


def places(platform: Platform) -> list[Place]:
    world, slug = platform.world, platform.world.challenge.slug
    bob, alice, dave, ada = world.bob, world.alice, world.dave, world.ada
    return [
        Place("home", "/"),
        Place("sign-in", "/accounts/login/"),
        Place("sign-up", "/accounts/signup/"),
        Place("error", "/nothing-is-here"),
        Place("challenge", f"/c/{slug}/", bob),
        Place("phases", f"/c/{slug}/phases/", bob),
        Place("terms", f"/c/{slug}/terms/", bob),
        Place("versions", f"/c/{slug}/versions/", bob),
        Place("downloads", f"/c/{slug}/data/", bob),
        Place("join", f"/c/{slug}/join/", dave),
        Place("team", f"/c/{slug}/team/", bob),
        Place("team-public", f"/teams/{world.team.pk}/", bob),
        Place("settings", f"/c/{slug}/settings/", alice),
        Place("publish-version", f"/c/{slug}/versions/new/", alice),
        Place("account", "/account/", bob),
        Place("tokens", "/account/tokens/", bob),
        Place("notifications", "/notifications/", bob),
        Place("notification-settings", "/notifications/settings/", bob),
        Place("team-webhooks", f"/teams/{world.team.pk}/webhooks/", bob),
        Place("challenge-webhooks", f"/c/{slug}/settings/webhooks/", alice),
        Place("second-factor", "/accounts/2fa/", bob),
        Place("password-reset", "/accounts/password/reset/"),
        Place("accounts", "/operate/accounts/", ada),
        Place("leaderboard", f"/c/{slug}/leaderboard/", bob, ".leaderboard tbody tr"),
        Place("leaderboard-organizer", f"/c/{slug}/leaderboard/", alice, ".leaderboard tbody tr"),
        Place("compare", f"/c/{slug}/compare/?a=Blobs&b=Sienese", bob, ".compared"),
        Place("submission-scored", f"/s/{platform.scored.pk}/", bob, "#scores"),
        Place("submission-failed", f"/s/{platform.failed.pk}/", bob, "#failure"),
        Place("submission-running", f"/s/{platform.running.pk}/", bob, ".stages .now"),
        Place("submission-queued", f"/s/{platform.queued.pk}/", platform.queued.user, ".stages"),
        Place("submission-organizer", f"/s/{platform.scored.pk}/", alice, "#scores"),
        Place("submit", f"/c/{slug}/submit/", world.carol),
        Place("submit-not-yet", f"/c/{slug}/submit/", bob),
        Place("submissions", f"/c/{slug}/submissions/", bob),
        Place("dashboard", f"/c/{slug}/manage/", alice, "#disk dl"),
        Place("dashboard-submissions", f"/c/{slug}/manage/submissions/", alice),
        Place("participants", f"/c/{slug}/manage/participants/", alice),
        Place("rescores", f"/c/{slug}/manage/rescores/", alice),
        Place("rescore", f"/c/{slug}/manage/rescores/{platform.rescore.pk}/", alice),
        Place("messages", f"/c/{slug}/manage/messages/", alice),
        Place("new-message", f"/c/{slug}/manage/messages/new/?to=team&team=Blobs", alice),
        Place("message", f"/messages/{platform.message.pk}/", bob),
        Place("announcements", f"/c/{slug}/manage/announcements/", alice),
        Place("audit-log", f"/c/{slug}/manage/audit-log/", alice),
        Place("edit", f"/c/{slug}/manage/edit/", alice),
        Place("export", f"/c/{slug}/manage/export/", alice),
        *([Place("styleguide", "/styleguide/")] if settings.STYLEGUIDE else []),
    ]


def _webhook_with_log(world: World) -> None:
    made = Webhook.objects.create(
        challenge=world.challenge,
        team=world.team,
        url="https://ci.example.org/palio",
        events=[webhooks.SCORED],
        secret=encrypted(new_secret()),
        created_by=world.bob,
    )
    row = {"webhook": made, "body": "{}"}
    WebhookDelivery.objects.create(**row, event=webhooks.SCORED, state="sent", status=204, took_ms=182)
    error = "The response was 500; any status from 200 to 299 accepts an event."
    WebhookDelivery.objects.create(**row, event=webhooks.FAILED, status=500, took_ms=95, failures=2, error=error)


def _scored_again(world: World) -> Rescore:
    """The phase with a new scoring program, which is harder on some; to be decided."""
    scored = Submission.objects.filter(challenge=world.challenge).exclude(counted=None).order_by("created")
    for submission in scored:
        leave_predictions(submission)
    rescore = begin(world.challenge, scored[0].phase, world.sam)
    for number, attempt in enumerate(rescore.attempts.select_related("source").order_by("submission__created")):
        assert attempt.source is not None
        assert attempt.source.scores is not None
        factor = 0.97 if number % 3 == 0 else 1.0
        attempt.scores = {key: value * factor for key, value in attempt.source.scores.items()}
        attempt.state, attempt.finished = State.SCORED, timezone.now()
        attempt.save()
    rescore.state = Rescore.State.READY
    rescore.save()
    return rescore


def _team(world: World, name: str) -> Team:
    captain = User.objects.create_user(name.lower(), password=f"{name}-long-password")
    return make_team(world.challenge, name, captain)


def _scores(wrong: list[int]) -> dict[str, float]:
    """As of the cases that tests.run_folders writes for these."""
    truth = np.arange(CASES) % len(CLASSES)
    said = (truth + np.isin(np.arange(CASES), wrong)) % len(CLASSES)
    counts = Counts.of_matrix(confusion_matrix(truth, said, len(CLASSES)))
    return {
        "precision": float(METRICS["precision_weighted"](counts)),
        "recall": float(METRICS["recall_weighted"](counts)),
        "f1": float(METRICS["f1_weighted"](counts)),
    }
