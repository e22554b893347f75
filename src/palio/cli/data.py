"""`palio data`: gets, splits or audits the images of a challenge."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli import audited, rendering
from palio.core.errors import EXIT_CODES, Cause, PalioError, counted

if TYPE_CHECKING:
    from palio.data.cases import Sources
    from palio.data.splitting import Percent


@click.group()
def data() -> None:
    """Get the images of a challenge, split your own, or audit them."""


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


def _count(_: click.Context, param: click.Parameter, value: str | None) -> "int | Percent | None":
    """A number of cases, or a percentage of them."""
    from palio.data.splitting import Percent

    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,12})|(\d{1,3}(?:\.\d+)?) ?%", value.strip(), re.ASCII)
    if match is None or float(match[1] or match[2]) <= 0:
        raise click.BadParameter(
            f"{value!r} is neither a number of cases, such as 600, nor a percentage, such as 80%.", param=param
        )
    return int(match[1]) if match[1] else Percent(float(match[2]))


def _group_pattern(_: click.Context, __: click.Parameter, value: str | None) -> "re.Pattern[str] | None":
    try:
        return re.compile(value) if value else None
    except re.error as error:
        raise PalioError(
            "usage",
            problem=f"--group-by {value} is not a regular expression: {error}.",
            next_step="For names such as p07_3.png, write --group-by '(p\\d+)_'.",
        ) from error


@data.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), required=True, help="The folder to write, new or empty.")
@click.option(
    "--train", metavar="N|P%", callback=_count, help="Number or percentage of training cases, such as 600 or 80%."
)
@click.option("--validation", metavar="N|P%", callback=_count, help="Number or percentage of validation cases.")
@click.option("--test", metavar="N|P%", callback=_count, help="Number or percentage of testing cases.")
@click.option("--seed", help="Seed of an earlier split, to repeat it. Keep it secret. [default: random, recorded]")
@click.option(
    "--labels", type=click.Path(path_type=Path), help="CSV with a row for each case, instead of class folders."
)
@click.option("--file-column", help="Column of --labels that names the file or case. [default: file]")
@click.option("--label-column", help="Column of --labels with the label, a class or a number. [default: class, if any]")
@click.option("--group-column", help="Column of --labels that names a group to keep in one split, such as the patient.")
@click.option("--split-column", help="Column of --labels with an existing split to keep: train, validation or test.")
@click.option(
    "--stratify-by", multiple=True, help="Column of --labels to balance as well, such as the site. Can be repeated."
)
@click.option("--masks", type=click.Path(path_type=Path), help="Folder of masks, named like the images or cases.")
@click.option("--mask-suffix", help="What the names of masks end with, before the file suffix, such as _mask.")
@click.option("--case", help="Pattern for the files of one case, such as '{case}_*.nii.gz' or '{case}/'.")
@click.option(
    "--group-by",
    callback=_group_pattern,
    help="Regular expression on paths below FOLDER. Images with the same match of its first group stay in one split.",
)
@click.option("--keep-metadata", is_flag=True, help="Copy files as they are, with EXIF, texts and tags.")
@rendering.as_json_option
def split(
    folder: Path,
    to: Path,
    train: "int | Percent | None",
    validation: "int | Percent | None",
    test: "int | Percent | None",
    seed: str | None,
    group_by: "re.Pattern[str] | None",
    keep_metadata: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Split FOLDER into training, validation and testing cases.

    FOLDER has one subfolder of images per class, or --labels or --masks name its cases. Each split gets exactly the
    number of cases that you ask for, with classes in proportion. A group (such as a patient) and identical copies of an
    image never span two splits. Images get opaque names and lose their metadata; manifest.csv and split.json say which
    image is which, so keep them private.
    """
    from palio.data.splitting import split_folder

    asked = {"training": train, "validation": validation, "testing": test}
    counts = {split: count for split, count in asked.items() if count is not None}
    keeps = options["split_column"] is not None
    if len(counts) != (0 if keeps else len(asked)):
        raise PalioError(
            "usage",
            problem="--split-column keeps an existing split, so it excludes --train, --validation and --test."
            if keeps
            else "The sizes of the splits are not known.",
            next_step="Leave out one or the other."
            if keeps
            else "Use all of --train, --validation and --test, or --split-column to keep an existing split.",
        )
    sources = _sources(**options)
    report = split_folder(
        folder,
        to,
        None if keeps else counts,
        seed=seed,
        group_by=group_by,
        sources=sources,
        keep_metadata=keep_metadata,
    )
    if as_json:
        rendering.echo_json(report.as_json())
        return
    thing = "image" if sources.labels is None and not sources.has_masks else "case"
    groups = f" of {counted(report.groups, 'group')}" if group_by or options["group_column"] else ""
    click.echo(f"{counted(sum(report.images.values()), thing)}{groups} from {folder} are now in {to}.")
    rows = [*report.classes.items(), ("total", report.images)]
    click.echo(rendering.table(("class", *report.images), [(name, *map(str, row.values())) for name, row in rows]))
    for warning in report.warnings:
        click.echo(f"{click.style('warning', fg='yellow')}  {warning}.")
    for paths in report.copies[:5]:
        click.echo(f"Kept in one split because they are identical: {', '.join(paths)}")
    if len(report.copies) > 5:
        click.echo(f"and {len(report.copies) - 5:,} more sets of identical files (--json lists all of them).")
    if report.ignored:
        why = "not images in a class folder" if thing == "image" else "of no case"
        click.echo(f"Ignored, because they are {why}: {', '.join(report.ignored[:5])}", nl=False)
        click.echo(f" and {len(report.ignored) - 5:,} more" if len(report.ignored) > 5 else "")
    click.echo(f"Seed {report.seed}. Keep it, split.json and manifest.csv private: they reveal every label.")


@data.command()
@click.argument("path", metavar="DIR|BUNDLE", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--group-by",
    callback=_group_pattern,
    help="Regular expression on paths. Images with the same match of its first group, such as a patient, should be in "
    "one split.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a report with pictures to this file."
)
@rendering.as_json_option
def audit(path: Path, group_by: "re.Pattern[str] | None", html: Path | None, as_json: bool) -> int:
    """Find leaks and faults in the images of a folder or bundle.

    Finds duplicates, labels that names or metadata give away, groups in several splits, damaged and odd images, missing
    labels, and personal data. Labels come from CSV tables that name the images, or from class folders. Exits with 11 if
    anything serious is found.
    """
    from palio.core.bundle.read import NAME, read_bundle
    from palio.core.bundle.zipped import bundle_folder
    from palio.data.audit.run import audit_bundle, audit_folder

    with bundle_folder(path) as opened, _progress("Reading images") as show:
        options: dict[str, Any] = {"group_by": group_by, "progress": show, "with_pictures": html is not None}
        if opened.folder.is_file():
            raise PalioError(
                "usage", problem=f"{path} is a file.", next_step="Name a folder of images, a bundle, or a zip of one."
            )
        if (opened.folder / NAME).is_file():
            report = audit_bundle(read_bundle(opened.folder), **options)
        else:
            report = audit_folder(opened.folder, **options)
    if html:
        from palio.cli.audit_page import audit_page
        from palio.core.files.staging import staged

        with staged(html) as (page,):
            page.write_text(audit_page(report), encoding="utf-8")
    if as_json:
        rendering.echo_json(report.as_json() | ({"html": str(html)} if html else {}))
    else:
        click.echo(f"{report.name}: {audited.scope(report)}")
        audited.show(report)
        click.echo(f"\n{audited.conclusion(report)}")
        if html:
            click.echo(f"Report: {html}")
    return EXIT_CODES[Cause.ORGANIZER] if report.serious else 0


def _sources(
    *,
    labels: Path | None,
    file_column: str | None,
    label_column: str | None,
    group_column: str | None,
    split_column: str | None,
    stratify_by: tuple[str, ...],
    masks: Path | None,
    mask_suffix: str | None,
    case: str | None,
) -> "Sources":
    """Where the cases come from. Raises PalioError "usage", "labels-invalid" or "source-unreadable"."""
    from palio.core.bundle.case_names import case_pattern
    from palio.data.cases import Sources
    from palio.data.label_table import columns_of, read_labels

    columns = (file_column, label_column, group_column, split_column, *stratify_by)
    if labels is None and any(columns):
        raise PalioError(
            "usage",
            problem="The options that name columns need a CSV file of labels.",
            next_step="Name it with --labels.",
        )
    try:
        if case is not None:
            case_pattern(case)
    except ValueError as error:
        raise PalioError(
            "usage", problem=f"--case is {case!r}, which {error}.", next_step="See `palio data split --help`."
        ) from error
    rows = None
    if labels is not None:
        rows = read_labels(
            labels,
            file_column=file_column or "file",
            label_column=label_column or ("class" if "class" in columns_of(labels) else None),
            group_column=group_column,
            split_column=split_column,
            stratify_by=stratify_by,
        )
    return Sources(rows, masks, mask_suffix, case)


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
