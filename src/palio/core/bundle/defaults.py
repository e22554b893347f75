"""Defaults for what a bundle leaves out, shared by the reader and the documentation."""

from dataclasses import replace

from palio.core.bundle.model import (
    FeedbackPolicy,
    LogPolicy,
    MonaiPolicy,
    RankingPolicy,
    Rules,
    ScorePolicy,
    SubmissionKind,
    Task,
)
from palio.core.engine import BuildLimits, Limits
from palio.core.quantities import GIB, MIB

DOCKER_IMAGE = "codalab/codalab-legacy:py37"  # where both platforms run programs
MONAI_IMAGE = "projectmonai/monai:latest"  # where MONAI bundles run
MAX_SUBMISSIONS_PER_DAY = 5
MAX_SUBMISSIONS = 100
FOREIGN_TIME_S = 600.0  # Codabench's execution_time_limit, which applies to each stage separately

NATIVE = Rules(
    data="held-out",
    submissions=(SubmissionKind.CONTEXT, SubmissionKind.IMAGE, SubmissionKind.RESULTS),
    build=BuildLimits(time_s=30 * 60.0, memory_bytes=8 * GIB, size_bytes=20 * GIB, network=True),
    predict=Limits(
        time_s=500.0,
        memory_bytes=4 * GIB,
        cpus=2.0,
        pids=512,
        shm_bytes=256 * MIB,
        output_bytes=64 * MIB,
        output_files=10_000,
        gpus=0,
    ),
    score=Limits(time_s=300.0, memory_bytes=2 * GIB, cpus=1.0),
    logs_sample=LogPolicy.FULL,
    logs_predict=LogPolicy.NONE,
    logs_score=LogPolicy.ORGANIZER,
    scores=ScorePolicy.VISIBLE,
    feedback=FeedbackPolicy(),
    sample=None,
    blind=None,
    statistics=None,
    ranking=RankingPolicy(choose=""),  # the leaderboard says
    monai=MonaiPolicy(MONAI_IMAGE),
)


def default_rules(tasks: tuple[Task, ...], *, native: bool, time_limit_s: float | None) -> Rules:
    """The rules of a phase before its `palio:` block is read.

    A bundle without such a block (`native=False`) was made for another platform and behaves as it did there.
    """
    rules = NATIVE
    if not native:
        rules = replace(rules, submissions=_foreign_kinds(tasks), logs_predict=LogPolicy.TAIL)
        time_limit_s = time_limit_s or FOREIGN_TIME_S
    if time_limit_s:
        rules = replace(
            rules,
            predict=replace(rules.predict, time_s=time_limit_s),
            score=replace(rules.score, time_s=time_limit_s),
        )
    return rules


def _foreign_kinds(tasks: tuple[Task, ...]) -> tuple[SubmissionKind, ...]:
    """Code if there is an ingestion program or input data for it; predictions are always accepted."""
    if any(task.ingestion_program or task.input_data for task in tasks):
        return (SubmissionKind.CODE, SubmissionKind.RESULTS)
    return (SubmissionKind.RESULTS,)
