"""/metrics: its numbers, what they cost, and who may read them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from tests.web.controller.conftest import MakeDesk
from tests.web.controller.programmed_engine import exits, fault
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.controller.test_tick_cost import finish_more, whole_tables_read
from tests.web.world import World

from palio import __version__
from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.errors import Cause
from palio.web.models import Attempt, ControllerBeat, Counter
from palio.web.pages import metrics as page
from palio.web.verbs import counters
from palio.web.verbs.submit import cancel

pytestmark = pytest.mark.django_db

TOKEN = "unguessable-" * 5
FINISHED, RETRIES, SECONDS = (
    "palio_attempts_finished_total",
    "palio_platform_retries_total",
    "palio_stage_duration_seconds",
)

Samples = dict[tuple[str, ...], float]


@pytest.fixture
def stepped(make_controller: MakeDesk) -> SteppedController:
    return make_controller()


def ask(**environ: Any) -> Any:
    return Client().get("/metrics", **{"HTTP_HOST": "10.0.0.7:8000"} | environ)


def samples() -> Samples:
    """{(name, label value, ...): value} of all that is exported."""
    answer = ask()
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(answer.content.decode())
    order = ("version", "stage", "le", "verdict", "responsible")
    return {
        (each.name, *(each.labels[label] for label in order if label in each.labels)): each.value
        for family in families
        for each in family.samples
    }


def changed(before: Samples, after: Samples, *names: str) -> Samples:
    return {key: value - before[key] for key, value in after.items() if key[0] in names and value != before[key]}


def test_new_platform_exports_every_series_as_zero() -> None:
    found = samples()
    assert found["palio_build_info", __version__] == 1
    ends = {key[1:]: value for key, value in found.items() if key[0] == FINISHED}
    assert ends == {
        ("scored", "nobody"): 0,
        ("cancelled", "nobody"): 0,
        ("failed", "participant"): 0,
        ("failed", "organizer"): 0,
        ("failed", "platform"): 0,
    }
    assert [found[f"{SECONDS}_count", stage] for stage in Stage] == [0, 0, 0, 0]
    assert (found["palio_queue_length",], found["palio_queue_oldest_wait_seconds",], found["palio_slots",]) == (0, 0, 1)
    assert (found["palio_controller_up",], found[RETRIES,]) == (0, 0)
    assert 0 < found["palio_disk_free_bytes",] < found["palio_disk_size_bytes",]
    assert ("palio_controller_last_tick_timestamp_seconds",) not in found


def test_evaluation_is_counted_stage_by_stage(stepped: SteppedController, world: World) -> None:
    before = samples()
    add_submission(world.team, world.bob)
    stepped.finish()
    after = samples()
    assert changed(before, after, FINISHED, RETRIES) == {(FINISHED, "scored", "nobody"): 1}
    assert changed(before, after, f"{SECONDS}_count") == {
        (f"{SECONDS}_count", stage): 1 for stage in ("build", "predict", "score")
    }
    attempt = Attempt.objects.get()
    spent = [after[f"{SECONDS}_sum", stage] for stage in Stage]
    assert attempt.started
    assert attempt.finished
    assert sum(spent) == pytest.approx((attempt.finished - attempt.started).total_seconds())
    assert all(after[f"{SECONDS}_bucket", stage, "86400"] == 1 for stage in ("build", "predict", "score"))


def test_failures_are_counted_by_responsible_party(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller()
    stepped.engine.programs = {"predict": exits}
    before = samples()
    add_submission(world.team, world.bob)
    stepped.finish()
    assert changed(before, samples(), FINISHED, RETRIES) == {(FINISHED, "failed", "participant"): 1}


def test_platform_errors_and_their_retries_are_counted(make_controller: MakeDesk, world: World) -> None:
    stepped = make_controller()
    stepped.engine.faults["predict"] = fault()
    before = samples()
    attempt = add_submission(world.team, world.bob)
    own = attempt.submission.attempts

    def all_have_failed() -> bool:
        own.filter(state="queued").update(not_before=timezone.now())  # without the wait before a retry
        return own.filter(state="failed").count() == 4

    stepped.run_until(all_have_failed)
    stepped.finish()
    assert changed(before, samples(), FINISHED, RETRIES) == {(FINISHED, "failed", "platform"): 4, (RETRIES,): 3}


def test_cancelled_attempts_are_counted_once(stepped: SteppedController, world: World) -> None:
    before = samples()
    waiting = add_submission(world.team, world.bob)
    cancel(waiting.submission, world.bob)
    stepped.controller.tick()
    assert changed(before, samples(), FINISHED, f"{SECONDS}_count") == {(FINISHED, "cancelled", "nobody"): 1}


def test_queue_and_running_attempts(stepped: SteppedController, world: World) -> None:
    stepped.engine.lasting.add("build")
    for number in range(4):
        add_submission(world.team, world.bob, extra=b"%d" % number)
    stepped.run_until(lambda: stepped.controller.active_attempts == 2)
    retried = Attempt.objects.filter(state="queued").order_by("created")
    later = timezone.now()
    retried.filter(pk=retried[0].pk).update(not_before=later - timedelta(minutes=7))
    retried.filter(pk=retried[1].pk).update(not_before=later + timedelta(minutes=2))
    found = samples()
    assert [found["palio_attempts_running", stage] for stage in Stage] == [2, 0, 0, 0]
    assert found["palio_queue_length",] == 2
    assert found["palio_queue_oldest_wait_seconds",] == pytest.approx(7 * 60, abs=10)


def test_controller_and_engine(stepped: SteppedController) -> None:
    stepped.controller.tick()
    found = samples()
    assert (found["palio_controller_up",], found["palio_starts_blocked",]) == (1, 0)
    beat = ControllerBeat.objects.get()
    assert found["palio_controller_last_tick_timestamp_seconds",] == pytest.approx(beat.time.timestamp())
    assert ("palio_engine_check_seconds",) not in found  # it has been opened, not checked
    stepped.controller.watch.look()
    stepped.controller._renewal.renewed = 0.0
    stepped.controller.tick()
    assert 0 <= samples()["palio_engine_check_seconds",] < 5
    stepped.engine.away = True
    stepped.controller.watch.look()
    stepped.controller.tick()
    found = samples()
    assert (found["palio_starts_blocked",], ("palio_engine_check_seconds",) in found) == (1, False)
    ControllerBeat.objects.update(time=timezone.now() - timedelta(minutes=1))
    assert samples()["palio_controller_up",] == 0


@pytest.mark.parametrize(
    ("seconds", "bound"), [(-1.0, "1"), (1.0, "1"), (1.001, "2"), (86400.0, "86400"), (90000.0, "+Inf")]
)
def test_duration_falls_into_the_bucket_that_it_just_fits(seconds: float, bound: str) -> None:
    counters.count_stage(Stage.SCORE, timedelta(seconds=seconds))
    cumulative = {key[2]: value for key, value in samples().items() if key[:2] == (f"{SECONDS}_bucket", "score")}
    assert next(bound for bound, value in cumulative.items() if value == 1) == bound
    assert cumulative["+Inf"] == 1


def test_counts_of_a_change_that_is_undone_are_undone(world: World) -> None:
    with transaction.atomic():
        counters.count_finished(Verdict.FAILED, Cause.ORGANIZER)
        transaction.set_rollback(True)
    assert list(Counter.objects.all()) == []


def test_finished_attempts_cost_nothing(stepped: SteppedController, world: World) -> None:
    add_submission(world.team, world.bob)
    stepped.finish()
    with CaptureQueriesContext(connection) as before:
        ask()
    finish_more(Attempt.objects.get(), 300)
    with CaptureQueriesContext(connection) as after:
        ask()
    assert len(before) == len(after) > 3
    assert whole_tables_read([query["sql"] for query in after]) == []


# -- who may read it


def test_other_machines_and_proxies_are_refused() -> None:
    assert ask(REMOTE_ADDR="::1").status_code == 200
    refused = [ask(REMOTE_ADDR="192.0.2.7"), *(ask(**{f"HTTP_{name}": "127.0.0.1"}) for name in ("VIA", "X_REAL_IP"))]
    refused += [ask(HTTP_X_FORWARDED_FOR="127.0.0.1"), ask(HTTP_X_FORWARDED_PROTO="https"), ask(HTTP_FORWARDED="for=_")]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(403, "metrics-not-local")}


def test_token_is_required_from_everywhere_once_it_is_set(settings: LazySettings) -> None:
    settings.CONFIGURATION = replace(settings.CONFIGURATION, metrics_token=TOKEN)
    given = {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}
    assert ask(REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="198.51.100.1", **given).status_code == 200
    for authorization in ("", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}!", "Bearer ünlike"):
        refused = ask(HTTP_AUTHORIZATION=authorization)
        assert (refused.status_code, refused.json()["code"]) == (401, "metrics-token-refused")
        assert TOKEN not in refused.content.decode()


def test_only_reading_is_allowed() -> None:
    refused = Client().post("/metrics", HTTP_HOST="127.0.0.1")
    assert (refused.status_code, refused.json()["code"]) == (405, "method-not-allowed")
    assert Client().get("/metrics/").status_code == 404


def test_unreachable_database_is_said_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_registry: object) -> bytes:
        error = OperationalError()
        error.__cause__ = type("Said", (Exception,), {"sqlite_errorcode": 14, "sqlstate": None})()
        raise error

    monkeypatch.setattr(page, "generate_latest", fail)
    answer = ask()
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unreachable")
