"""`palio export`: downloads everything about a challenge that you organize, or writes it in a format of others."""

from pathlib import Path

import click

from palio.cli import rendering


@click.command()
@click.argument("challenge", required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|FILE.zip",
    help="The folder or file to write. [default: CHALLENGE-export; for other formats named after BUNDLE]",
)
@click.option("--files", is_flag=True, help="Include the submitted files.")
@click.option("--runs", is_flag=True, help="Include the scoring program's output: scores, single cases, reports.")
@click.option(
    "--codabench",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="Write this bundle, a folder or a zip, in Codabench's format, and list what that cannot express.",
)
@click.option(
    "--design",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE|EXPORT",
    help="Write MICCAI's structured description of the design, as far as the bundle or export tells, as JSON and text.",
)
@click.option(
    "--croissant",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="Write the public data of this bundle with Croissant metadata.",
)
@click.option("--license", "license_text", default="", metavar="TEXT", help="The license of the data, for --croissant.")
@click.option(
    "--ro-crate",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="RUN",
    help="Write ro-crate-metadata.json into this run folder, which makes it a Workflow Run RO-Crate.",
)
@rendering.as_json_option
def export(
    challenge: str | None,
    output: Path | None,
    files: bool,
    runs: bool,
    codabench: Path | None,
    design: Path | None,
    croissant: Path | None,
    license_text: str,
    ro_crate: Path | None,
    as_json: bool,
) -> None:
    """Download results, attempts, leaderboards, receipts and versions of CHALLENGE.

    The export's README.md describes every file. With --codabench, write a bundle of yours as a zip for Codabench
    instead; the same bundle always gives the same bytes. The other formats also take the place of CHALLENGE.
    """
    others = {"--codabench": codabench, "--design": design, "--croissant": croissant, "--ro-crate": ro_crate}
    named = [option for option, path in others.items() if path is not None]
    if named and (challenge or files or runs or len(named) > 1):
        raise click.UsageError(
            f"{named[0]} names what it writes; leave out CHALLENGE, --files, --runs and other formats."
        )
    if license_text and croissant is None:
        raise click.UsageError("--license needs --croissant.")
    if codabench is not None:
        _export_codabench(codabench, output, as_json=as_json)
    elif design is not None:
        _export_design(design, output, as_json=as_json)
    elif croissant is not None:
        _export_croissant(croissant, output, license_text, as_json=as_json)
    elif ro_crate is not None:
        _export_ro_crate(ro_crate, output, as_json=as_json)
    else:
        _export_challenge(challenge, output, files=files, runs=runs, as_json=as_json)


def _export_challenge(challenge: str | None, output: Path | None, *, files: bool, runs: bool, as_json: bool) -> None:
    from palio.client import connect
    from palio.client.exporting import export as fetch
    from palio.client.submitting import resolve_challenge

    connection = connect()
    name = resolve_challenge(connection, challenge)
    target = fetch(connection, name, output or Path(f"{name}-export"), files=files, runs=runs)
    if as_json:
        rendering.echo_json({"challenge": name, "to": str(target)})
    else:
        click.echo(f"{name} was exported to {target}. README.md there describes every file.")


def _export_codabench(path: Path, output: Path | None, *, as_json: bool) -> None:
    from palio.core.bundle.codabench_export.export import export_codabench
    from palio.core.bundle.read import read_bundle
    from palio.core.bundle.zipped import bundle_folder

    with bundle_folder(path) as opened:
        bundle = read_bundle(opened.folder)
        name = path.resolve().stem if path.is_file() and path.name != "competition.yaml" else bundle.root.name
        exported = export_codabench(bundle, output or Path(f"{name}-codabench.zip"))
    if as_json:
        rendering.echo_json(
            {
                "path": str(exported.path.resolve()),
                "sha256": exported.digest,
                "losses": [{"field": loss.field, "message": loss.message} for loss in exported.losses],
            }
        )
        return
    click.echo(f"{exported.path}: sha256 {exported.digest}")
    if exported.losses:
        click.echo("Codabench cannot express this:")
    for loss in exported.losses:
        click.echo(f"  {loss}")


def _export_design(path: Path, output: Path | None, *, as_json: bool) -> None:
    import json

    from palio.core.bundle.read import read_bundle
    from palio.core.bundle.zipped import bundle_folder
    from palio.core.files.staging import staged
    from palio.core.report.design import design_of
    from palio.core.report.facts import facts_of

    if is_export(path):
        from palio.core.report.content import read_content
        from palio.core.report.exported import opened

        with opened(path) as exported:
            content = read_content(exported)
        design = design_of(content.facts, content)
    else:
        with bundle_folder(path) as found:
            design = design_of(facts_of(read_bundle(found.folder)))
    target = output or Path(f"{_name_of(path)}-design.json")
    with staged(target.absolute(), target.absolute().with_suffix(".txt")) as (file, text):
        file.write_text(json.dumps(design.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        text.write_text(design.as_text(), encoding="utf-8")
    if as_json:
        rendering.echo_json({"path": str(target.resolve()), "filled": design.prefilled, "empty": design.empty})
        return
    click.echo(
        f"{target} and {target.with_suffix('.txt')}: {design.prefilled} fields filled, {design.empty} left to you."
    )
    click.echo("Read every filled field before you submit the description.")


def _export_croissant(path: Path, output: Path | None, license_text: str, *, as_json: bool) -> None:
    from palio.core.bundle.read import read_bundle
    from palio.core.bundle.zipped import bundle_folder
    from palio.core.report.croissant import NAME, write_croissant
    from palio.core.report.facts import facts_of

    target = output or Path(f"{_name_of(path)}-croissant")
    with bundle_folder(path) as found:
        bundle = read_bundle(found.folder)
        content = write_croissant(bundle, facts_of(bundle), target, license_text)
    if as_json:
        rendering.echo_json({"path": str((target / NAME).resolve()), "entries": len(content["distribution"])})
        return
    click.echo(f"{target / NAME}, with the public data beside it.")
    if not license_text:
        click.echo("It names no license. Add one with --license, such as CC-BY-4.0.")


def _export_ro_crate(path: Path, output: Path | None, *, as_json: bool) -> None:
    from palio.core.report.run_crate import write_run_crate

    if output is not None:
        raise click.UsageError("--ro-crate writes into the run folder; leave out --output.")
    written = write_run_crate(path)
    if as_json:
        rendering.echo_json({"path": str(written.resolve())})
    else:
        click.echo(f"{written}: {path} is a Workflow Run RO-Crate.")


def is_export(path: Path) -> bool:
    """Whether a folder or zip is the export of a challenge, and no bundle."""
    import zipfile

    from palio.core.report.facts import NAME

    if path.is_dir():
        return (path / NAME).is_file()
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return NAME in archive.namelist()


def _name_of(path: Path) -> str:
    found = path.resolve()
    return found.parent.name if found.name == "competition.yaml" else found.name.removesuffix(".zip")
