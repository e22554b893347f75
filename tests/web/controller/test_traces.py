"""Traces: one for each attempt, whose spans several controllers may tell, and none where no collector is named."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.web.controller.stepped_controller import SteppedController, add_submission
from tests.web.world import World

from palio.core.attempt.run_folder import Stage
from palio.web.controller.traces import ENDPOINTS, NoTraces, SentTraces, open_traces

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def told(exporter: InMemorySpanExporter) -> list[tuple[str, dict[str, Any]]]:
    return [(span.name, dict(span.attributes or {})) for span in exporter.get_finished_spans()]


def test_attempt_is_traced_with_its_stages(
    world: World, make_controller: Callable[..., SteppedController], exporter: InMemorySpanExporter
) -> None:
    stepped = make_controller()
    stepped.controller._traces = SentTraces(SimpleSpanProcessor(exporter))
    attempt = add_submission(world.team, world.bob)
    stepped.finish()
    ids = {"palio.attempt": attempt.identity, "palio.submission": attempt.submission_id}
    stages = [("build", ids | {"palio.stage": "build"}), ("predict", ids | {"palio.stage": "predict"})]
    stages += [("score", ids | {"palio.stage": "score"}), ("attempt", ids | {"palio.verdict": "scored"})]
    assert told(exporter) == stages
    *spans, root = exporter.get_finished_spans()
    assert root.parent is None
    assert {span.parent.span_id for span in spans if span.parent} == {root.context.span_id}
    assert {span.context.trace_id for span in spans} == {root.context.trace_id}
    assert [span.end_time for span in spans[:-1]] == [span.start_time for span in spans[1:]]


def test_stages_told_by_two_controllers_meet_in_one_trace() -> None:
    exporters = [InMemorySpanExporter(), InMemorySpanExporter()]
    for exporter, stage in zip(exporters, (Stage.BUILD, Stage.SCORE), strict=True):
        traces = SentTraces(SimpleSpanProcessor(exporter))
        traces.stage("a" * 16, "b", stage, START, START + timedelta(seconds=2), "score-exit")
    (first,), (second,) = (exporter.get_finished_spans() for exporter in exporters)
    assert first.context.trace_id == second.context.trace_id
    assert first.context.span_id != second.context.span_id
    assert (first.end_time or 0) - (first.start_time or 0) == 2 * 10**9
    assert (second.status.status_code, (second.attributes or {})["palio.failure"]) == (StatusCode.ERROR, "score-exit")


def test_tick_is_a_trace_of_its_own(exporter: InMemorySpanExporter) -> None:
    traces = SentTraces(SimpleSpanProcessor(exporter))
    for _ in range(2):
        with traces.tick():
            pass
    first, second = exporter.get_finished_spans()
    assert (first.name, first.context.trace_id == second.context.trace_id) == ("tick", False)


def test_no_collector_named_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    assert isinstance(open_traces(), NoTraces)


def test_missing_package_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace.export", None)
    with caplog.at_level(logging.WARNING):
        assert isinstance(open_traces(), NoTraces)
    assert f"{ENDPOINTS[0]} is set, but no traces are sent: pip install 'palio[traces]'" in caplog.text


def test_collector_named_is_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    assert isinstance(open_traces(), SentTraces)
