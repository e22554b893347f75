"""What Prometheus reads: everything from the database and the disk, so any process gives the same answer.

Nothing here reads finished attempts: they are counted when they finish (verbs.counters).
"""

import math
import shutil
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from palio import __version__
from palio.core.attempt.run_folder import Stage, Verdict
from palio.core.attempt.states import RUNNING, State
from palio.core.errors import Cause
from palio.web.models import Attempt, ControllerBeat, Counter
from palio.web.queries.queue import controller
from palio.web.verbs.counters import NOBODY, STAGE_BOUNDS_S, Counted
from palio.web.verbs.queue import living_controllers

# Exported from the start as 0: Prometheus sees no increase in a series that begins at 1.
_ENDS = (
    (Verdict.SCORED, NOBODY),
    (Verdict.CANCELLED, NOBODY),
    *((Verdict.FAILED, cause.value) for cause in (Cause.PARTICIPANT, Cause.ORGANIZER, Cause.PLATFORM)),
)


class PlatformCollector(Collector):
    """The metrics of the platform; docs/operate.md lists them."""

    def collect(self) -> Iterable[Metric]:
        """Raises DatabaseError."""
        counted = {(row.name, row.labels): row.value for row in Counter.objects.all()}
        yield _gauge("build_info", "Always 1; the label is Palio's version.", {(__version__,): 1.0}, "version")
        yield from _queue()
        yield from _finished(counted)
        yield _stages(counted)
        yield from _controller()
        yield from _leases(counted)
        yield from _disk()


def _queue() -> Iterable[Metric]:
    now = timezone.now()
    waiting = Attempt.objects.filter(state=State.QUEUED, cancel_requested=None)
    found = waiting.aggregate(length=Count("pk"), since=Min("not_before"))
    yield _gauge("queue_length", "Attempts that wait, including those that wait before a retry.", found["length"])
    wait_s = max((now - (found["since"] or now)).total_seconds(), 0.0)
    yield _gauge("queue_oldest_wait_seconds", "How long the attempt that waits longest has waited.", wait_s)
    running = Attempt.objects.filter(state__in=[*RUNNING]).values_list("state").annotate(Count("pk"))
    counts = {(stage.value,): 0.0 for stage in Stage} | {(State(state).value,): count for state, count in running}
    yield _gauge("attempts_running", "Attempts in each stage.", counts, "stage")
    yield _gauge("slots", "Attempts that may run at the same time.", settings.CONFIGURATION.slots)


def _finished(counted: Mapping[tuple[str, str], float]) -> Iterable[Metric]:
    of_ends = {" ".join(end): 0.0 for end in _ENDS}
    of_ends |= {labels: value for (name, labels), value in counted.items() if name == Counted.FINISHED}
    finished = CounterMetricFamily("palio_attempts_finished", "Finished attempts.", labels=["verdict", "responsible"])
    for labels, value in of_ends.items():
        finished.add_metric(labels.split(" "), value)
    yield finished
    retries = counted.get((Counted.RETRIES, ""), 0.0)
    yield CounterMetricFamily("palio_platform_retries", "Attempts made after a platform error.", retries)


def _stages(counted: Mapping[tuple[str, str], float]) -> Metric:
    durations = HistogramMetricFamily(
        "palio_stage_duration_seconds",
        "How long finished stages took, in whichever way they finished.",
        labels=["stage"],
    )
    for stage in Stage:
        total, buckets = 0.0, []
        for bound in (*STAGE_BOUNDS_S, math.inf):
            total += counted.get((Counted.STAGES, f"{stage} {bound:g}"), 0.0)
            buckets.append(("+Inf" if bound == math.inf else f"{bound:g}", total))
        durations.add_metric([stage], buckets, counted.get((Counted.STAGE_SECONDS, stage), 0.0))
    return durations


def _controller() -> Iterable[Metric]:
    status, beat = controller(), ControllerBeat.objects.order_by("-time").first()
    yield _gauge("controller_up", "1 if the controller has ticked within 30 seconds.", status.lives)
    if status.last is not None:
        says = "When the controller last ticked, noted every 5 seconds."
        yield _gauge("controller_last_tick_timestamp_seconds", says, status.last.timestamp())
    yield _gauge("starts_blocked", "1 while nothing can start: no engine, or a full disk.", bool(status.trouble))
    if beat is not None and beat.engine_check_s is not None:
        says = "How long the engine took to respond to the latest check; absent while it does not respond."
        yield _gauge("engine_check_seconds", says, beat.engine_check_s)


def _leases(counted: Mapping[tuple[str, str], float]) -> Iterable[Metric]:
    lost = counted.get((Counted.LEASES_LOST, ""), 0.0)
    yield CounterMetricFamily("palio_leases_lost", "Leases that expired while their controller was alive.", lost)
    left = counted.get((Counted.ATTEMPTS_LOST, ""), 0.0)
    yield CounterMetricFamily("palio_attempts_lost", "Attempts that a living controller left to another one.", left)
    yield _gauge("controllers", "Controllers with a lease that has not expired.", len(living_controllers()))


def _disk() -> Iterable[Metric]:
    usage = shutil.disk_usage(settings.FOLDERS.root)
    yield _gauge("disk_free_bytes", "Free space on the disk of the data folder.", usage.free)
    yield _gauge("disk_size_bytes", "Size of the disk of the data folder.", usage.total)


def _gauge(name: str, says: str, value: float | Mapping[tuple[str, ...], float], *labels: str) -> Metric:
    values = value if isinstance(value, Mapping) else {(): value}
    family = GaugeMetricFamily(f"palio_{name}", says, labels=labels)
    for of, each in values.items():
        family.add_metric(of, float(each))
    return family
