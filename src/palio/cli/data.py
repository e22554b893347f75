"""`palio data`: gets or splits the images of a challenge."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click

from palio.cli import rendering
from palio.core.errors import PalioError, counted


@click.group()
def data() -> None:
    """Get the images of a challenge or split your own."""


@data.command()
@click.argument("name", type=click.Choice(["mednist"]), expose_value=False)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="A folder or archive (.tar.gz, .zip) that holds the images.",
)
@click.option("--to", type=click.Path(path_type=Path), help="The challenge's folder. [default: challenges/mednist]")
@click.option("--phantom", is_flag=True, help="Draw synthetic pictures instead. They are not MedNIST.")
@rendering.as_json_option
def get(source: Path | None, to: Path | None, phantom: bool, as_json: bool) -> None:
    """Get the 1,800 images of the MedNIST challenge and check each against the manifest.

    Without --from, the images come from the folder or archive that PALIO_MEDNIST names, else from the network. Labels
    of the testing images are never written to input_data/. Images that are already in place are not fetched again.
    """
    from palio.data.getting import ATTRIBUTION, find_challenge, get_mednist
    from palio.data.in_place import PHANTOM_SENTENCE
    from palio.data.phantom import draw_phantom

    if phantom and source:
        raise PalioError(
            "usage", problem="--phantom and --from cannot be combined.", next_step="Leave out one of them."
        )
    challenge = to or find_challenge(Path.cwd())
    if challenge is None:
        raise PalioError(
            "usage",
            problem="No challenges/mednist/manifest.csv was found here or in any parent folder.",
            next_step="Name the challenge folder with --to.",
        )
    if phantom:
        report = draw_phantom(challenge)
    else:
        named = os.environ.get("PALIO_MEDNIST")
        with _progress("Downloading MedNIST") as progress:
            report = get_mednist(
                challenge,
                source or (Path(named) if named else None),
                progress=progress,
            )
    if as_json:
        rendering.echo_json(report.as_json())
        return
    what = "synthetic pictures (PHANTOM)" if phantom else "MedNIST images"
    splits = ", ".join(f"{number:,} {split}" for split, number in report.images.items())
    total = f"{sum(report.images.values()):,}"
    if report.changed:
        origin = "drawn" if phantom else f"from {report.source}"
        click.echo(f"{total} {what} ({splits}), {origin}, are now in {report.challenge}.")
    else:
        click.echo(
            f"Nothing to do: {total} {what} ({splits}) are already in {report.challenge} and match the manifest."
        )
    click.echo(PHANTOM_SENTENCE if phantom else ATTRIBUTION)


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder to write, new or empty.")
@click.option("--train", type=click.IntRange(min=1), required=True, help="Number of training images.")
@click.option("--validation", type=click.IntRange(min=1), required=True, help="Number of validation images.")
@click.option("--test", type=click.IntRange(min=1), required=True, help="Number of testing images.")
@click.option("--seed", help="Seed of an earlier split, to repeat it. Keep it secret. [default: random, recorded]")
@click.option(
    "--group-by",
    help="Regular expression on paths below FOLDER. Images whose first group matches alike stay in one split.",
)
@rendering.as_json_option
def split(
    folder: Path,
    to: Path,
    train: int,
    validation: int,
    test: int,
    seed: str | None,
    group_by: str | None,
    as_json: bool,
) -> None:
    """Split FOLDER into training, validation and testing images.

    FOLDER has one subfolder of images per class. Each split gets exactly the number of images that you ask for, with
    classes in proportion. A group (such as a patient) and identical copies of an image never span two splits. Images
    get opaque names; manifest.csv and split.json say which image is which, so keep them private.
    """
    from palio.data.splitting import split_folder

    try:
        pattern = re.compile(group_by) if group_by else None
    except re.error as error:
        raise PalioError(
            "usage",
            problem=f"--group-by {group_by} is not a regular expression: {error}.",
            next_step="For names such as p07_3.png, write --group-by '(p\\d+)_'.",
        ) from error
    counts = {"training": train, "validation": validation, "testing": test}
    report = split_folder(folder, to, counts, seed=seed, group_by=pattern)
    if as_json:
        rendering.echo_json(report.as_json())
        return
    groups = f" of {counted(report.groups, 'group')}" if pattern else ""
    click.echo(f"{counted(train + validation + test, 'image')}{groups} from {folder} are now in {to}.")
    rows = [*report.classes.items(), ("total", report.images)]
    click.echo(rendering.table(("class", *report.images), [(name, *map(str, row.values())) for name, row in rows]))
    for paths in report.copies[:5]:
        click.echo(f"Kept in one split because they are identical: {', '.join(paths)}")
    if len(report.copies) > 5:
        click.echo(f"and {len(report.copies) - 5:,} more sets of identical files (--json lists all of them).")
    if report.ignored:
        click.echo(f"Ignored, because they are not images in a class folder: {', '.join(report.ignored[:5])}", nl=False)
        click.echo(f" and {len(report.ignored) - 5:,} more" if len(report.ignored) > 5 else "")
    click.echo(f"Seed {report.seed}. Keep it, split.json and manifest.csv private: they reveal every label.")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """Shows a progress bar on standard error once the first bytes arrive, or nothing if that is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:
        bars: list[Any] = []

        def show(done: int, total: int | None) -> None:
            if not bars:
                bars.append(stack.enter_context(click.progressbar(length=total, label=label, file=sys.stderr)))
            bars[0].update(done - bars[0].pos)

        yield show
