"""Traces for OpenTelemetry: one trace for each attempt, with a span for each stage, and a span for each tick.

On if the environment names a collector (OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) and
`palio[traces]` is installed; all other OTEL_ variables mean what they usually do. Otherwise nothing is imported, and a
tick costs one comparison more. Spans have the ids of attempt and submission, stage, verdict and failure code: nothing
that participants or organizers wrote.

The id of an attempt's trace follows from its identity, so that the spans of several controllers meet in one trace. A
stage is told once it is over, by the controller that saw its end; spans that could not be sent are lost.
"""

import hashlib
import logging
import os
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from palio.core.attempt.run_folder import Stage

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import SpanProcessor

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FLUSH_MS = 2000  # at the end of the controller, which must not wait for a collector

log = logging.getLogger("palio.controller")


class Traces(Protocol):
    def tick(self) -> AbstractContextManager[object]: ...

    def stage(
        self, attempt: str, submission: str, stage: Stage, start: datetime, end: datetime, failure: str = ""
    ) -> None:
        """A stage that is over; `failure` is its code, if the attempt failed in it."""

    def attempt(self, attempt: str, submission: str, start: datetime, end: datetime, verdict: str) -> None:
        """An attempt that is over, since it left the queue."""

    def close(self) -> None: ...


class NoTraces:
    def tick(self) -> AbstractContextManager[object]:
        return nullcontext()

    def stage(
        self, attempt: str, submission: str, stage: Stage, start: datetime, end: datetime, failure: str = ""
    ) -> None:
        """Nothing is told."""

    def attempt(self, attempt: str, submission: str, start: datetime, end: datetime, verdict: str) -> None:
        """Nothing is told."""

    def close(self) -> None:
        """Nothing is open."""


def open_traces() -> Traces:
    """Those that the environment asks for."""
    asked = [name for name in ENDPOINTS if os.environ.get(name)]
    if not asked or os.environ.get("OTEL_TRACES_EXPORTER", "otlp") == "none":
        return NoTraces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("%s is set, but no traces are sent: pip install 'palio[traces]'", asked[0])
        return NoTraces()
    return SentTraces(BatchSpanProcessor(OTLPSpanExporter()))


class SentTraces:
    """Sends spans to `processor`. For one thread."""

    def __init__(self, processor: "SpanProcessor") -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Generator(RandomIdGenerator):
            """The next span is the root of an attempt's trace if `root` is set."""

            root = ""

            def generate_span_id(self) -> int:
                return _span_id(self.root) if self.root else super().generate_span_id()

            def generate_trace_id(self) -> int:
                return _trace_id(self.root) if self.root else super().generate_trace_id()

        self._generator = Generator()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "palio")}),
            id_generator=self._generator,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("palio.controller")

    def tick(self) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span("tick")

    def stage(
        self, attempt: str, submission: str, stage: Stage, start: datetime, end: datetime, failure: str = ""
    ) -> None:
        given = {"palio.attempt": attempt, "palio.submission": submission, "palio.stage": stage.value}
        self._tell(stage.value, _below(attempt), given, start, end, failure)

    def attempt(self, attempt: str, submission: str, start: datetime, end: datetime, verdict: str) -> None:
        from opentelemetry.context import Context

        given = {"palio.attempt": attempt, "palio.submission": submission, "palio.verdict": verdict}
        self._generator.root = attempt
        try:
            self._tell("attempt", Context(), given, start, end, "")
        finally:
            self._generator.root = ""

    def close(self) -> None:
        self._provider.force_flush(FLUSH_MS)

    def _tell(
        self, name: str, context: "Context", given: dict[str, str], start: datetime, end: datetime, failure: str
    ) -> None:
        from opentelemetry.trace import Status, StatusCode

        begin = _nanoseconds(start)
        span = self._tracer.start_span(name, context, attributes=given, start_time=begin)
        if failure:
            span.set_attribute("palio.failure", failure)
            span.set_status(Status(StatusCode.ERROR, failure))
        span.end(max(begin, _nanoseconds(end)))  # the clock may have been set back


def _below(attempt: str) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    flags = TraceFlags(TraceFlags.SAMPLED)
    root = SpanContext(_trace_id(attempt), _span_id(attempt), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(root), Context())


def _trace_id(attempt: str) -> int:
    return int.from_bytes(hashlib.sha256(attempt.encode()).digest()[:16])


def _span_id(attempt: str) -> int:
    return int.from_bytes(hashlib.sha256(attempt.encode()).digest()[16:24])


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1e6) * 1000
