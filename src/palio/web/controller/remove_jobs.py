"""Removes jobs of finished attempts from the engine; runs in a process of its own, within limits."""

from pathlib import Path

from palio.core.attempt.jobs import OUTPUT
from palio.core.engine import Job, Limits
from palio.engines import open_engine

_LIMITS = Limits(time_s=0, memory_bytes=0, cpus=0)  # unused: jobs are removed by name


def remove_jobs(engine_name: str, names: list[str]) -> None:
    engine = open_engine(engine_name)[0]
    for name in names:
        engine.remove(named(name))


def named(name: str) -> Job:
    return Job(name, "", _LIMITS, Path(), OUTPUT)
