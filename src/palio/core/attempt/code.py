"""How a code submission starts: in the bundle's ingestion program, or with a command of its own.

    ingestion    /app/program is the ingestion program, which imports the submission from /app/ingested_program
    executable   /app/program is the submission, whose `metadata.yaml` or `metadata` has a `command`

A command of the submission's own comes first: then the ingestion program is not run. Either way there is one container,
without the reference data. With an ingestion program, the submission runs inside that program's process and could
change its output and its copy of that program; lock.json and the receipt say so (`code`).

On Codabench, a task with `ingestion_only_during_scoring` runs both programs side by side, with the reference data in
reach of the submission. Here they run one after another (`ingestion-before-scoring`): the ingestion program without the
reference data, then the scoring program on all that it wrote, to `output`, `shared` or the predictions in `input/res`.
"""

from dataclasses import dataclass
from pathlib import Path

from palio.core.attempt.run_folder import Stage
from palio.core.bundle.model import Task
from palio.core.bundle.program import METADATA, own_command, read_program, with_container_paths
from palio.core.errors import PalioError
from palio.core.files.digest import measure

# What is not handed to the scoring program of the submitted files that are still unchanged in the output.
_PROGRAMS = frozenset(
    {".py", ".pyc", ".pyo", ".pyd", ".pyx", ".ipynb", ".so", ".sh", ".r", ".jl", ".m", ".java", ".class", ".jar", ".js"}
)


@dataclass(frozen=True)
class CodeRun:
    """`command` is None if the ingestion program's image has its own. `context` has its Dockerfile, if there is one."""

    submitted: Path
    ingestion: Path | None  # the program that runs `submitted`
    command: tuple[str, ...] | None
    context: Path | None = None
    before_scoring: bool = False  # the task wants it beside the scoring program

    @property
    def way(self) -> str:
        if self.before_scoring:
            return "ingestion-before-scoring"
        return "ingestion" if self.ingestion else "executable"

    @property
    def is_in_output(self) -> bool:
        """Whether the output starts with the submitted files: on Codabench, those of a zip without metadata do."""
        return self.ingestion is not None and not any((self.submitted / name).is_file() for name in METADATA)


def code_run(submitted: Path, ingestion: Path | None, task: Task) -> CodeRun:
    """`submitted` and `ingestion` are unpacked folders.

    Raises PalioError "code-command-invalid", "code-not-runnable" or "program-command-missing".
    """
    if command := own_command(submitted, is_needed=ingestion is None):
        return CodeRun(submitted, None, with_container_paths(command, ingestion=False, scoring=False))
    if ingestion is None:
        raise PalioError("code-not-runnable", task=task.name, stage=Stage.BUILD)
    program = read_program(ingestion)
    during = task.ingestion_only_during_scoring
    words = with_container_paths(program.command, ingestion=True, scoring=during) if program.command else None
    return CodeRun(submitted, ingestion, words, ingestion if program.has_dockerfile else None, during)


def remove_submitted_programs(submitted: Path, output: Path) -> None:
    """Removes the submitted program files that are unchanged in `output`, because they are no predictions and must not
    be started where the reference data is.
    """
    for file in submitted.rglob("*"):
        there = output / file.relative_to(submitted)
        if file.suffix.lower() in _PROGRAMS and there.is_file() and measure(file) == measure(there):
            there.unlink()
    for folder in sorted((each for each in submitted.rglob("*") if each.is_dir()), reverse=True):
        there = output / folder.relative_to(submitted)
        if there.is_dir() and not any(there.iterdir()):
            there.rmdir()
