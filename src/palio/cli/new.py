"""`palio new`: creates a challenge."""

import shlex
from pathlib import Path

import click

from palio.cli import rendering
from palio.core.errors import PalioError


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--task",
    default="classification",
    show_default=True,
    metavar="TASK",
    help="What participants predict: classification, segmentation, detection, regression or multi-label.",
)
@click.option("--title", metavar="TEXT", help="The challenge's title. [default: from the folder's name]")
@rendering.as_json_option
def new(folder: Path, task: str, title: str | None, as_json: bool) -> None:
    """Create a working challenge in DIR, a new or empty folder.

    The challenge has example data, a scoring program, a reference solution, a starting kit and pages. Its README.md
    says what to change first.
    """
    from palio.core.bundle.wording import suggestion
    from palio.data.templates import TASKS, create_challenge

    if task not in TASKS:
        near = suggestion(task.lower(), TASKS).removeprefix("; ").capitalize()
        raise PalioError(
            "usage",
            problem=f"There is no template for the task {task!r}. {near}".strip(),
            next_step=f"Use one of {', '.join(TASKS)}.",
        )
    created = create_challenge(folder, task, title)
    if as_json:
        rendering.echo_json(vars(created))
        return
    here = shlex.quote(str(folder))
    click.echo(f"{folder} is a {task} challenge with example data ({created.files:,} files). Try it:")
    for command in (
        f"palio check {here} --run",
        f"palio run solution --challenge {here}",
        f"palio serve --with {here}",
    ):
        click.echo(f"  {command}")
    click.echo(f"{folder / 'README.md'} says what to change first.")
