"""`palio run` and `palio score`: evaluate a submission exactly as the platform does."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from palio.cli import rendering
from palio.cli.images import image_option, substitutes
from palio.core.bundle.model import SubmissionKind
from palio.core.errors import EXIT_CANCELLED, EXIT_CODES
from palio.engines import ENGINES

if TYPE_CHECKING:
    from palio.core.attempt.run_folder import Stage
    from palio.core.bundle.model import Bundle, Phase
    from palio.core.evaluate import Evaluation

POLL_S = 0.02

challenge_option = click.option(
    "--challenge",
    "-c",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="The challenge folder, which holds competition.yaml.",
)
phase_option = click.option("--phase", metavar="NAME", help="The phase's name. [default: the open phase]")
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", *ENGINES]),
    default="auto",
    show_default=True,
    envvar="PALIO_ENGINE",
    show_envvar=True,
    help="The engine that runs containers. auto: Docker if it responds, else bubblewrap.",
)
folder_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run folder to write. [default: runs/<time>-<id>]",
)


@click.command()
@click.argument("submission")
@challenge_option
@phase_option
@engine_option
@folder_option
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in SubmissionKind]),
    help="The submission's kind. [default: detected from its content]",
)
@click.option("--label", help="The name on the leaderboard. [default: the file name]")
@image_option
@rendering.as_json_option
def run(
    submission: str,
    challenge: Path,
    phase: str | None,
    engine: str,
    output: Path | None,
    kind: str | None,
    label: str | None,
    images: tuple[str, ...],
    as_json: bool,
) -> int:
    """Evaluate SUBMISSION exactly as the platform does and write a run folder.

    Builds the submission, runs it on the hidden images in a sandbox and scores its predictions. SUBMISSION is a zip
    with a Dockerfile at its root, an image from `docker save`, or predictions as a .csv or .zip file; an image in a
    registry, such as ghcr.io/lab/model:v1; a tag of a Git repository, such as https://github.com/lab/model@v1.2; or the
    path of a solution in CHALLENGE, as listed under `solutions:`.
    """
    with _given(submission, challenge, phase) as (path, origin):
        return evaluate(
            path, challenge, phase, engine, output, kind, label, as_json=as_json, images=images, origin=origin
        )


@click.command()
@click.argument("predictions", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@challenge_option
@phase_option
@engine_option
@folder_option
@image_option
@rendering.as_json_option
def score(
    predictions: Path,
    challenge: Path,
    phase: str | None,
    engine: str,
    output: Path | None,
    images: tuple[str, ...],
    as_json: bool,
) -> int:
    """Score PREDICTIONS, a .csv or .zip file, without running a submission."""
    return evaluate(predictions, challenge, phase, engine, output, "results", None, as_json=as_json, images=images)


@contextmanager
def _given(given: str, challenge: Path, phase: str | None) -> Iterator[tuple[Path, list[tuple[str, str]]]]:
    """The file, or one that is fetched, with facts about its origin: an image by reference, or the files at a tag of a
    Git repository.
    """
    from palio.cli.sources import fetched, is_fetched

    if not is_fetched(given):
        with _file_or_solution(Path(given), challenge) as path:
            yield path, []
        return
    from palio.core.bundle.pick_phase import pick_phase
    from palio.core.bundle.read import read_bundle

    rules = pick_phase(read_bundle(challenge), phase).rules
    with TemporaryDirectory(prefix="palio-source-") as folder:
        yield fetched(given, Path(folder), max_bytes=rules.build.size_bytes)


@contextmanager
def _file_or_solution(given: Path, challenge: Path) -> Iterator[Path]:
    """The file, or a solution of the challenge with this path, zipped if it is a folder."""
    if given.is_file():
        yield given
        return
    from palio.core.bundle.read import read_bundle
    from palio.core.errors import PalioError
    from palio.core.self_test.answers import zipped

    bundle = read_bundle(challenge)
    there = [each.path for each in bundle.solutions if each.path.exists()]
    solutions = {path.relative_to(bundle.root).as_posix(): path for path in there}
    path = solutions.get(given.as_posix())
    if path is None:
        named = f" Its solutions: {', '.join(solutions)}." if solutions else ""
        problem = f"{given} is a folder." if given.is_dir() else f"There is no file {given}."
        step = "Pack it with `palio pack`" if given.is_dir() else "Name a file"
        raise PalioError(
            "usage", problem=f"{problem}{named}", next_step=f"{step}, or name a solution of the challenge."
        )
    with TemporaryDirectory(prefix="palio-solution-") as folder:
        yield zipped(path, Path(folder) / f"{path.name}.zip")


def evaluate(
    path: Path,
    challenge: Path,
    phase_name: str | None,
    engine_name: str,
    output: Path | None,
    kind: str | None,
    label: str | None,
    *,
    as_json: bool,
    images: Sequence[str] = (),
    origin: Sequence[tuple[str, str]] = (),
) -> int:
    """Runs one evaluation to its end, shows its stages, and returns the verdict's exit code."""
    # Imported here to keep `palio --help` fast.
    from palio.core.attempt.lock import is_phantom
    from palio.core.attempt.run_folder import RunFolder, Verdict, new_identity
    from palio.core.bundle.pick_phase import pick_phase
    from palio.core.bundle.read import read_bundle
    from palio.core.engine import Enforcement
    from palio.core.evaluate import Attempt, Evaluation
    from palio.core.receipt.key import machine_key
    from palio.core.submission.kinds import check_submission, read_submission
    from palio.core.submission.recognized import recognized
    from palio.engines import open_engine

    known_images = substitutes(images)
    bundle = read_bundle(challenge)
    phase = pick_phase(bundle, phase_name)
    wanted = SubmissionKind(kind) if kind else None
    submission = read_submission(path, wanted, accepted=phase.rules.submissions)
    submission = check_submission(submission, phase.rules.monai.classes)
    engine, why = open_engine(engine_name)
    key = machine_key()
    identity = new_identity()
    folder = RunFolder.create(output, identity)
    attempt = Attempt(identity, submission, bundle, phase, phase.tasks[0], label or submission.name)

    def say(text: str, *, newline: bool = True) -> None:
        click.echo(text, nl=newline, err=as_json)

    heading = rendering.ON_PHANTOM if any(map(is_phantom, phase.tasks)) else ""
    say(f"{bundle.title}, phase {phase.name}{heading}")
    say(f"  submission  {submission.name} ({submission.kind}, sha256 {submission.digest[:12]})")
    for name, fact in (*origin, *recognized(submission)):
        say(f"  {name:<10}  {fact}")
    for note in submission.notes:
        say(f"  note        {note}")
    say(f"  engine      {engine.describe()}{why}")
    if wanted_engine := phase.rules.engine:
        say(f"  note        palio.engine is {wanted_engine!r}, a name that only a platform maps; it is ignored here")
    if unenforced := [each.property for each in engine.guarantees() if each.enforcement is Enforcement.NONE]:
        say(f"  warning     this engine cannot enforce on this machine: {', '.join(unenforced)}")
    evaluation = Evaluation(attempt, engine, folder, key=key, substitutes=known_images)
    try:
        _watch(evaluation, say)
    except KeyboardInterrupt:
        evaluation.cancel()
        say("\nCancelled. The job was stopped; nothing is left running.")
    finally:
        evaluation.cancel()  # does nothing once the evaluation has finished
    result = evaluation.result
    if as_json:
        rendering.echo_json({**result.as_json(), "run_folder": str(folder.root)})
    if result.scores is not None:
        say("\n" + _scores(result.scores, bundle, phase))
    if result.failure:
        rendering.failure(result.failure)
    say(f"\nRun folder: {folder.root}")
    if result.verdict is Verdict.CANCELLED:
        return EXIT_CANCELLED
    return EXIT_CODES[result.failure.cause] if result.failure else 0


def _scores(scores: Mapping[str, float], bundle: "Bundle", phase: "Phase") -> str:
    """A table of one row, or of one for each task and their mean."""
    from palio.core.bundle.leaderboards import score_columns
    from palio.core.bundle.task_columns import own_columns, task_key

    shown = [column for column in own_columns(score_columns(bundle, phase)) if column.computation is None]

    def row(key_of: Callable[[str], str]) -> list[str]:
        keys = [(column, key_of(column.key)) for column in shown]
        return [f"{scores[key]:.{column.precision}f}" if key in scores else "–" for column, key in keys]

    titles = [column.title for column in shown]
    if len(phase.tasks) == 1:
        return rendering.table(titles, [row(lambda key: key)])
    rows = [[task.name, *row(partial(task_key, task=task.index))] for task in phase.tasks]
    return rendering.table(["Task", *titles], [*rows, ["Mean", *row(lambda key: key)]])


def _watch(evaluation: "Evaluation", say: Callable[..., None]) -> None:
    """Steps the evaluation and prints a line per stage: its name at the start, its duration at the end."""
    shown: Stage | None = None
    image_said = False
    while evaluation.step():
        if not image_said and (image := evaluation.image) and (image.substitute or image.pulled):
            say(f"  image       {image}")
        image_said = True
        if evaluation.stage is not shown:
            _close(evaluation, shown, say)
            shown = evaluation.stage
            say(f"  {shown:<10}  ", newline=False)
        time.sleep(POLL_S)
    _close(evaluation, shown, say)


def _close(evaluation: "Evaluation", stage: "Stage | None", say: Callable[..., None]) -> None:
    from palio.core.quantities import duration_text, size_text

    record = evaluation.result.stages.get(stage) if stage else None
    if stage is None:
        return
    if record is None or record.wall_s is None:
        say("stopped")
        return
    memory = f", peak memory {size_text(record.peak_memory_bytes)}" if record.peak_memory_bytes else ""
    say(f"{duration_text(record.wall_s)}{memory}")
