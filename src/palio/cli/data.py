"""`palio data`: the images of a challenge."""

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
    """Get the images of a challenge, or split your own."""


@data.command()
@click.argument("name", type=click.Choice(["mednist"]), expose_value=False)
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Folder or archive (.tar.gz, .zip) to take from."
)
@click.option("--to", type=click.Path(path_type=Path), help="The challenge's folder. [default: challenges/mednist]")
@click.option("--phantom", is_flag=True, help="Draw synthetic pictures instead; they are not MedNIST.")
@rendering.as_json_option
def get(source: Path | None, to: Path | None, phantom: bool, as_json: bool) -> None:
    """Get the 1,800 images of the MedNIST challenge, each checked against its manifest.

    Without --from they come from the folder or archive that PALIO_MEDNIST names, or else from the network. Labels of
    the testing images never enter input_data/. What is in place and right is left alone.
    """
    from palio.data.getting import ATTRIBUTION, find_challenge, get_mednist
    from palio.data.in_place import PHANTOM_SENTENCE
    from palio.data.phantom import draw_phantom

    if phantom and source:
        raise PalioError("usage", problem="--phantom takes nothing from --from.", next_step="Leave out one of them.")
    challenge = to or find_challenge(Path.cwd())
    if challenge is None:
        raise PalioError(
            "usage",
            problem="No challenges/mednist/manifest.csv was found from here upwards.",
            next_step="Name the challenge's folder with --to.",
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
        click.echo(f"Nothing to do: {total} {what} ({splits}) are in {report.challenge}, each as it should be.")
    click.echo(PHANTOM_SENTENCE if phantom else ATTRIBUTION)


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@click.option("--train", type=click.IntRange(min=1), required=True, help="How many images for training.")
@click.option("--validation", type=click.IntRange(min=1), required=True, help="How many for validation.")
@click.option("--test", type=click.IntRange(min=1), required=True, help="How many for testing.")
@click.option("--seed", help="Repeat a split; as secret as the manifest. [default: a fresh one, recorded]")
@click.option(
    "--group-by", help="Regular expression over paths below FOLDER; what its first group matches stays in one split."
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
    """Split FOLDER, which has one sub-folder of images per class, into training, validation and testing.

    Exactly as many images as asked for, classes in proportion, no group (such as a patient) in two splits, copies of
    one image kept together, and file names that say nothing. manifest.csv and split.json tell which image is which
    and are yours to keep.
    """
    from palio.data.splitting import split_folder

    try:
        pattern = re.compile(group_by) if group_by else None
    except re.error as error:
        raise PalioError(
            "usage",
            problem=f"--group-by {group_by} is no regular expression: {error}.",
            next_step="For names such as p07_3.png write --group-by '(p\\d+)_'.",
        ) from error
    counts = {"training": train, "validation": validation, "testing": test}
    report = split_folder(folder, to, counts, seed=seed, group_by=pattern)
    if as_json:
        rendering.echo_json(report.as_json())
        return
    groups = f" of {counted(report.groups, 'group')}" if pattern else ""
    click.echo(f"{counted(train + validation + test, 'image')}{groups} from {folder} are now in {to}.")
    rows = [*report.classes.items(), ("in all", report.images)]
    click.echo(rendering.table(("class", *report.images), [(name, *map(str, row.values())) for name, row in rows]))
    for paths in report.copies[:5]:
        click.echo(f"Kept together, because their bytes are the same: {', '.join(paths)}")
    if len(report.copies) > 5:
        click.echo(f"and {len(report.copies) - 5:,} more sets of identical files (--json lists all).")
    if report.ignored:
        click.echo(f"Passed over, not images in a class's folder: {', '.join(report.ignored[:5])}", nl=False)
        click.echo(f" and {len(report.ignored) - 5:,} more" if len(report.ignored) > 5 else "")
    click.echo(f"Seed {report.seed}; keep it, split.json and manifest.csv from participants: they tell all labels.")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int | None], None] | None]:
    """A progress bar on standard error, drawn from the first bytes on; none where nobody watches."""
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
