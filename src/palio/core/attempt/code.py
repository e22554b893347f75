"""How a code submission starts: in the bundle's ingestion program, or with a command of its own.

    ingestion    /app/program is the ingestion program, which imports the submission from /app/ingested_program
    executable   /app/program is the submission, whose `metadata.yaml` or `metadata` has a `command`

A command of the submission's own comes first: then the ingestion program is not run. Either way there is one container,
without the reference data. With an ingestion program, the submission runs inside that program's process and could
change its output; lock.json and the receipt say so (`code`).
"""

from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import Task
from palio.core.bundle.program import own_command, read_program, with_container_paths
from palio.core.errors import PalioError


@dataclass(frozen=True)
class CodeRun:
    """`command` is None if the ingestion program's image has its own. `context` has its Dockerfile, if there is one."""

    submitted: Path
    ingestion: Path | None  # the program that runs `submitted`
    command: tuple[str, ...] | None
    context: Path | None = None

    @property
    def way(self) -> str:
        return "ingestion" if self.ingestion else "executable"


def code_run(submitted: Path, ingestion: Path | None, task: Task) -> CodeRun:
    """`submitted` and `ingestion` are unpacked folders.

    Raises PalioError "code-command-invalid", "code-not-runnable", "ingestion-during-scoring" or
    "program-command-missing".
    """
    if task.ingestion_only_during_scoring:
        raise PalioError("ingestion-during-scoring", task=task.name, stage=Stage.BUILD)
    if command := own_command(submitted, is_needed=ingestion is None):
        return CodeRun(submitted, None, with_container_paths(command, ingestion=False, scoring=False))
    if ingestion is None:
        raise PalioError("code-not-runnable", task=task.name, stage=Stage.BUILD)
    program = read_program(ingestion)
    words = with_container_paths(program.command, ingestion=True, scoring=False) if program.command else None
    return CodeRun(submitted, ingestion, words, ingestion if program.has_dockerfile else None)
