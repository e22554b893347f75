"""The command line against a platform that answers on a real port, with a controller that is ticked beside it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from tests.bundles import YAML, write_bundle, write_context
from tests.git_server import git_repository
from tests.images import tar
from tests.registry import FakeRegistry, fake_registry
from tests.web.full_challenge import leave_predictions
from tests.web.scored_submissions import add_submission, publish, scores, write_leaderboard_bundle
from tests.web.submission_files import context_zip
from tests.web.submitting import stored
from tests.web.world import World

from palio.cli import main
from palio.core.attempt.states import State
from palio.core.submission.pack import pack
from palio.web.access.tokens import hashed, new_secret
from palio.web.models import ApiToken, Attempt, Registration, Rescore, StoredFile, Submission, User
from palio.web.verbs.submit import submit
from palio.web.verbs.team_profile import set_profile

if TYPE_CHECKING:
    from tests.web.controller.stepped_controller import SteppedController

pytestmark = pytest.mark.django_db(transaction=True)
MakeController = Callable[..., "SteppedController"]


@dataclass(frozen=True)
class Said:
    exit_code: int
    out: str
    err: str


@dataclass
class Terminal:
    """A shell of somebody who is logged in."""

    address: str
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def sign_in(self, user: User) -> None:
        self.patch.setenv("PALIO_SERVER", self.address)
        self.patch.setenv("PALIO_TOKEN", token(user))

    def __call__(self, *arguments: object) -> Said:
        code = main([str(each) for each in arguments])
        return Said(code, *self.capture.readouterr())


def token(user: User, *scopes: str) -> str:
    secret = new_secret()
    ApiToken.objects.create(user=user, name="t", scopes=scopes or ["read", "submit"], secret_hash=hashed(secret))
    return secret


@pytest.fixture
def palio(
    live_server: LiveServer,
    world: World,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Terminal:
    monkeypatch.setenv("PALIO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("palio.client.submitting.POLL_S", 0.05)
    monkeypatch.chdir(tmp_path)
    terminal = Terminal(live_server.url, capfd, monkeypatch)
    terminal.sign_in(world.bob)
    return terminal


@pytest.fixture
def controlled(make_controller: MakeController) -> Iterator["SteppedController"]:
    """A controller that goes on by itself until the test has ended."""
    stepped, over = make_controller(), threading.Event()

    def tick() -> None:
        try:
            while not over.is_set():
                stepped.controller.tick()
                over.wait(0.02)
        finally:
            connection.close()

    thread = threading.Thread(target=tick)
    thread.start()
    yield stepped
    over.set()
    thread.join()


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    return pack(write_context(tmp_path / "folder"), tmp_path / "model.zip").path


def test_login_file_private(palio: Terminal, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PALIO_SERVER")
    said = palio("login", palio.address, "--json")
    kept = tmp_path / "home/login.json"
    assert (said.exit_code, json.loads(said.out)["user"], json.loads(said.out)["saved_in"]) == (0, "bob", str(kept))
    assert kept.stat().st_mode & 0o777 == 0o600
    monkeypatch.delenv("PALIO_TOKEN")
    assert palio("status", "--challenge", "mednist").exit_code == 0
    palio("login", "--forget")
    assert not kept.exists()
    said = palio("status")
    assert (said.exit_code, "palio login URL" in said.err) == (2, True)


def test_login_invalid_token(palio: Terminal, tmp_path: Path) -> None:
    said = palio("login", palio.address, "--token", "palio_wrong")
    assert said.exit_code == 2
    assert "(token-refused)" in said.err
    assert not (tmp_path / "home/login.json").exists()


def test_token_sent_to_own_platform_only(palio: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    palio("login", palio.address)
    monkeypatch.delenv("PALIO_TOKEN")
    monkeypatch.setenv("PALIO_SERVER", "http://127.0.0.1:9")
    said = palio("status")
    assert (said.exit_code, "there is no token for http://127.0.0.1:9" in said.err) == (2, True)


def test_join_accepts_shown_terms(palio: Terminal, world: World) -> None:
    palio.sign_in(world.dave)
    said = palio("join", "mednist", "--accept-terms")
    assert (said.exit_code, said.out) == (0, "You joined as team dave.\n")
    assert Registration.objects.get(user=world.dave).terms_accepted is not None


def test_submit_not_joined(palio: Terminal, world: World, packed: Path) -> None:
    palio.sign_in(world.dave)
    said = palio("submit", packed, "-c", "mednist")
    assert (said.exit_code, "Join with `palio join mednist`" in said.err) == (2, True)


def test_submit_wait_output_of_run(palio: Terminal, controlled: "SteppedController", packed: Path) -> None:
    said = palio("submit", packed, "-c", "mednist", "--note", "from a shell", "--wait")
    submission = Submission.objects.get()
    assert said.exit_code == 0
    lines = said.out.splitlines()
    assert lines[4] == "mednist, phase Final, team Blobs"
    names = [line[2:14].strip() for line in lines if line.startswith("  ")]
    assert names[:6] == ["submission", "contents", "base image", "runs", "id", "page"]
    stages = [line.split()[0] for line in lines if line.strip() and line.split()[0] in ("build", "predict", "score")]
    assert stages == ["build", "predict", "score"]
    assert lines[-2:] == ["  Accuracy", "  1.000"]
    assert (submission.note, submission.charged) == ("from a shell", True)


def test_submit_wait_failure(palio: Terminal, controlled: "SteppedController", packed: Path, world: World) -> None:
    from tests.web.controller.programmed_engine import exits

    controlled.engine.programs = {**controlled.engine.programs, "predict": exits}
    said = palio("submit", packed, "-c", "mednist", "--wait")
    assert said.exit_code == 10
    assert "Failed at predict. Action needed: you." in said.err
    assert "The container exited with code 3, so its predictions were not used." in said.err
    assert said.err.splitlines()[-1] == "(predict-exit)"
    palio.sign_in(world.alice)  # who organizes it
    said = palio("status", Submission.objects.get().pk)
    assert (said.exit_code, "Failed at predict. Action needed: the participant." in said.err) == (10, True)


def test_submit_wait_json(palio: Terminal, controlled: "SteppedController", packed: Path) -> None:
    said = palio("submit", packed, "-c", "mednist", "--wait", "--json")
    ended = json.loads(said.out)
    assert (said.exit_code, ended["state"], ended["scores"]) == (0, "scored", {"accuracy": 1.0})


def test_submit_refused(palio: Terminal, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    path.write_bytes(context_zip(dockerfile="FROM x\nCOPY lost.py /\n"))
    said = palio("submit", path, "-c", "mednist")
    assert said.exit_code == 10
    assert said.err.splitlines()[0] == "Failed. Action needed: you."
    assert "  | the Dockerfile, line 2 (COPY lost.py /): lost.py does not exist" in said.err
    assert StoredFile.objects.count() == 0


def test_submit_over_limit_sends_nothing(palio: Terminal, world: World, packed: Path) -> None:
    submit(stored(world.team, world.bea), world.bea)
    said = palio("submit", packed, "-c", "mednist", "--json")
    assert (said.exit_code, json.loads(said.out)["failure"]["code"]) == (10, "submission-running")
    assert StoredFile.objects.count() == 1


def test_challenge_name_optional_if_single(palio: Terminal, world: World) -> None:
    said = palio("status")
    assert (
        said.exit_code,
        "Its challenges are: other, mednist." in said.err or "Its challenges are: mednist, other." in said.err,
    ) == (2, True)
    type(world.other).objects.filter(pk=world.other.pk).update(visibility="draft")
    assert palio("status").out == "Your team has no submissions to mednist yet. To submit: palio submit FILE\n"


@pytest.mark.parametrize("command", ["join", "leaderboard", "export", "submit", "status"])
def test_challenge_not_found(palio: Terminal, packed: Path, command: str) -> None:
    words = (
        [packed, "-c", "medmnist"]
        if command == "submit"
        else ["-c", "medmnist"]
        if command == "status"
        else ["medmnist"]
    )
    said = palio(command, *words)
    assert (said.exit_code, f"{palio.address} has no challenge `medmnist`. Its challenges are:" in said.err) == (
        2,
        True,
    )
    assert "other" in said.err
    assert StoredFile.objects.count() == 0


@pytest.mark.parametrize("command", ["status", "logs", "cancel"])
@pytest.mark.parametrize("name", ["nonsense", "../me", "a/b"])
def test_submission_not_found(palio: Terminal, command: str, name: str) -> None:
    said = palio(command, name)
    assert (said.exit_code, f"has no submission `{name}` that you can see" in said.err) == (2, True)
    assert "Next: `palio status` lists your team's submissions." in said.err


def test_cancel_counting_asks(palio: Terminal, world: World, tmp_path: Path) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle", palio="  logs: {predict: full}\n"))
    world.team.challenge.refresh_from_db()
    submission = add_submission(world.team, state=State.PREDICT)
    said = palio("cancel", submission.pk)
    assert (said.exit_code, "counts toward your team's limit" in said.err) == (10, True)
    assert submission.attempts.get().cancel_requested is None
    assert palio("cancel", submission.pk, "--counts").out == "Cancelling: the job is being stopped.\n"
    assert submission.attempts.get().cancel_requested is not None


def test_status_cancel_and_logs(palio: Terminal, world: World) -> None:
    submission = submit(stored(world.team, world.bob), world.bob).submission
    said = palio("status", submission.pk)
    assert (said.exit_code, "position 1 of 1 in the queue" in said.out) == (0, True)
    assert palio("cancel", submission.pk).out == "Cancelled.\n"
    assert palio("status", submission.pk).exit_code == 130
    said = palio("cancel", submission.pk)
    assert (said.exit_code, "(submission-finished)" in said.err) == (10, True)
    assert palio("logs", submission.pk).err == "No logs available yet.\n"
    assert submission.attempts.get().state == State.CANCELLED
    listed = palio("status", "-c", "mednist").out.splitlines()
    assert listed[1].split()[:1] == [submission.pk]


def test_status_lists_scores_and_failures(palio: Terminal, controlled: "SteppedController", packed: Path) -> None:
    from tests.web.controller.programmed_engine import exits

    palio("submit", packed, "-c", "mednist", "--wait")
    controlled.engine.programs = {**controlled.engine.programs, "predict": exits}
    palio("submit", packed, "-c", "mednist", "--wait")
    header, *rows = (line.split() for line in palio("status", "-c", "mednist").out.splitlines())
    assert header[-3:] == ["State", "Counts", "accuracy"]
    assert sorted(row[5:] for row in rows) == [["failed", "(predict-exit)", "yes"], ["scored", "yes", "1"]]


def test_logs_of_stages(palio: Terminal, controlled: "SteppedController", packed: Path) -> None:
    palio("submit", packed, "-c", "mednist", "--wait")
    said = palio("logs", Submission.objects.get().pk, "--json")
    assert "build" in json.loads(said.out)["logs"]


def test_leaderboard(palio: Terminal, controlled: "SteppedController", packed: Path) -> None:
    assert "No scores yet." in palio("leaderboard", "mednist").out
    palio("submit", packed, "-c", "mednist", "--wait")
    said = palio("leaderboard", "mednist")
    assert said.out.splitlines()[2:4] == [
        "  Rank   Team  Accuracy ↑  Entries        Last",
        f"  1     Blobs       1.000        1  {Submission.objects.get().created:%Y-%m-%d}",
    ]
    assert "No team’s name contains “x”." in palio("leaderboard", "mednist", "--search", "x").out
    assert "Blobs" in palio("leaderboard", "mednist", "--search", "LOB", "--columns", "accuracy").out
    assert json.loads(palio("leaderboard", "mednist", "--json").out)["rows"][0]["team"] == "Blobs"
    submission = Submission.objects.get()
    set_profile(submission.team, affiliation="Siena", country="", link="", actor=submission.team.captain)
    assert palio("leaderboard", "mednist").out.splitlines()[2:4] == [
        "  Rank   Team  Affiliation  Accuracy ↑  Entries        Last",
        f"  1     Blobs        Siena       1.000        1  {submission.created:%Y-%m-%d}",
    ]


def test_compare(palio: Terminal, world: World, tmp_path: Path) -> None:
    policy = "  statistics: {cases: cases.csv, kind: classification, metric: accuracy}\n"
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "measured", palio=policy))
    for team, wrong in ((world.team, [0]), (world.rivals, [5, 6])):
        team.challenge.refresh_from_db()
        add_submission(team, scores=scores(1 - len(wrong) / 600), wrong=wrong)
    said = palio("compare", "Blobs", "Carolingians", "-c", "mednist")
    assert said.exit_code == 0
    assert "Only Blobs is right on 2 of 600 cases, only Carolingians on 1." in said.out
    refused = palio("compare", "Blobs", "Nobody", "-c", "mednist")
    assert (refused.exit_code, "“Nobody” is not on this leaderboard" in refused.err) == (2, True)


def test_rescore(palio: Terminal, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "bundle"))
    for team, accuracy in ((world.team, 0.9), (world.rivals, 0.8)):
        team.challenge.refresh_from_db()
        leave_predictions(add_submission(team, scores=scores(accuracy)))
    assert palio("rescore", "mednist").exit_code == 2  # bob may not
    monkeypatch.setenv("PALIO_TOKEN", token(world.alice, "read", "organize"))
    assert "no open re-score" in palio("rescore", "mednist", "--discard").err
    assert "running" in palio("rescore", "mednist", "--phase", "final", "--no-wait").out
    for attempt in Attempt.objects.exclude(rescore=None).select_related("submission__team"):
        attempt.state, attempt.finished = State.SCORED, timezone.now()
        attempt.scores = scores(0.9 if attempt.submission.team == world.team else 0.95)
        attempt.save()
    Rescore.objects.update(state=Rescore.State.READY)
    said = palio("rescore", "mednist")
    assert said.exit_code == 0
    assert "Re-score of “Final” with version 2: 2 submissions, ready." in said.out
    assert "Carolingians  2 → 1    up 1  0.800 → 0.950" in said.out
    assert "Accuracy changed" in said.out
    assert "others moved" in said.out
    assert Rescore.objects.get().state == "ready"
    assert "was published after" not in said.out
    publish(world.challenge, write_leaderboard_bundle(tmp_path / "next", palio="  data: public\n"))
    assert "Version 3 was published after this re-score was started." in palio("rescore", "mednist").out
    assert "New scores applied." in palio("rescore", "mednist", "--apply", "--yes").out
    assert Rescore.objects.get().state == "applied"
    assert {each.scores["accuracy"] for each in Attempt.objects.filter(rescore=None) if each.scores} == {0.9, 0.8}


def test_submit_with_answers(palio: Terminal, world: World, packed: Path, tmp_path: Path) -> None:
    sheet = (
        'fact_sheet:\n  method: {type: text, is_required: "true"}\n  size: {type: select, selection: [small, large]}\n'
    )
    publish(world.challenge, write_bundle(tmp_path / "asking", yaml=YAML.replace("palio:\n", f"{sheet}palio:\n")))
    command = ("submit", packed, "--challenge", "mednist")
    said = palio(*command)
    assert (said.exit_code, "method: an answer is required" in said.err) == (10, True)
    assert not StoredFile.objects.exists()  # nothing was sent
    (tmp_path / "answers.json").write_text('{"method": "CNN", "size": "small"}')
    said = palio(*command, "--answers", "answers.json", "--answers", "size=large")
    assert said.exit_code == 0
    assert Submission.objects.get().answers == {"method": "CNN", "size": "large"}
    (tmp_path / "list.json").write_text("[1]")
    for wrong in ("list.json", "none.json", packed):
        assert palio(*command, "--answers", wrong).exit_code == 2


def test_choose_submission(palio: Terminal, world: World, tmp_path: Path) -> None:
    rule = "    submission_rule: Add_And_Delete\n"
    more = "  - {title: Speed, key: speed, columns: [{key: seconds, index: 0, sorting: asc}]}\n"
    bundle = write_leaderboard_bundle(tmp_path / "choosing", board=rule)
    yaml = (bundle / "competition.yaml").read_text().replace("palio:\n", f"{more}palio:\n", 1)
    (bundle / "competition.yaml").write_text(yaml)
    publish(world.challenge, bundle)
    world.team.challenge.refresh_from_db()
    submission = add_submission(world.team, scores=scores(0.9, 20))
    assert "No scores yet" in palio("leaderboard", "mednist").out
    said = palio("choose", submission.pk)
    assert (said.exit_code, said.out) == (0, "Put on the leaderboard.\n")
    shown = palio("leaderboard", "mednist").out
    assert ("0.900" in shown, "Other leaderboards (--leaderboard KEY): speed" in shown) == (True, True)
    assert "20.00" in palio("leaderboard", "mednist", "--leaderboard", "speed").out
    assert palio("leaderboard", "mednist", "--leaderboard", "other").exit_code == 2
    assert json.loads(palio("choose", submission.pk, "--take-off", "--json").out)["chosen"] is None
    assert "No scores yet" in palio("leaderboard", "mednist").out


@pytest.fixture
def registry(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    """One that the platform may use, and a challenge that takes references."""
    yaml = YAML.replace("[context, results]", "[context, reference]")
    publish(world.challenge, write_bundle(tmp_path / "with-references", yaml=yaml))
    with fake_registry() as found:
        monkeypatch.setenv("PALIO_SUBMISSION_HOSTS", f"http://{found.host}")
        monkeypatch.setenv("PALIO_IMAGE_PLATFORM", "linux/amd64")
        monkeypatch.setattr(settings, "CONFIGURATION", replace(settings.CONFIGURATION, engine="docker"))
        yield found


def test_submit_image_shows_what_was_recognized_and_check_submits_nothing(
    palio: Terminal, registry: FakeRegistry
) -> None:
    manifest = registry.image([tar({"a": b"1"})], "v1")
    image = f"{registry.host}/lab/model:v1"

    said = palio("submit", image, "-c", "mednist", "--check")

    assert said.exit_code == 0, said.err
    assert (
        f"  image       {registry.host}/lab/model@{manifest}\n  tag         v1\n  platform    linux/amd64\n" in said.out
    )
    assert f"Not submitted. To submit it: palio submit {image}\n" in said.out
    assert Submission.objects.count() == 0

    said = palio("submit", image, "-c", "mednist")

    assert said.exit_code == 0, said.err
    assert said.out.index('  runs        ["python", "predict.py"]') < said.out.index("mednist, phase Final, team Blobs")
    assert Submission.objects.get().file.origin["digest"] == manifest


def test_submit_image_that_is_not_there_exits_as_the_participants(palio: Terminal, registry: FakeRegistry) -> None:
    said = palio("submit", f"{registry.host}/lab/model:v1", "-c", "mednist")

    assert (said.exit_code, "(reference-not-found)" in said.err) == (10, True)


def test_submit_tag_of_git_shows_its_commit(palio: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with git_repository(tmp_path, monkeypatch) as repository:
        commit = repository.commit({"Dockerfile": b"FROM scratch\n"}, "v1")
        said = palio("submit", f"{repository.url}@v1", "-c", "mednist")

    assert said.exit_code == 0, said.err
    assert f"  tag         v1\n  commit      {commit}\n" in said.out
    assert Submission.objects.get().file.kind == "context"


@pytest.mark.parametrize("given", ["model.zip", "./answers.csv", "model"])
def test_submit_file_that_is_not_there_asks_nobody(palio: Terminal, given: str) -> None:
    said = palio("submit", given, "-c", "mednist")

    assert (said.exit_code, f"There is no file {given}." in said.err) == (2, True)
