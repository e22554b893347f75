"""`palio export`: downloads everything about a challenge that you organize, or writes a bundle for Codabench."""

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
    help="The folder or .zip file to write. [default: CHALLENGE-export; for a bundle: BUNDLE-codabench.zip]",
)
@click.option("--files", is_flag=True, help="Include the submitted files.")
@click.option("--runs", is_flag=True, help="Include the scoring program's output: scores, single cases, reports.")
@click.option(
    "--codabench",
    type=click.Path(exists=True, path_type=Path),
    metavar="BUNDLE",
    help="Write this bundle, a folder or a zip, in Codabench's format, and list what that cannot express.",
)
@rendering.as_json_option
def export(
    challenge: str | None, output: Path | None, files: bool, runs: bool, codabench: Path | None, as_json: bool
) -> None:
    """Download results, attempts, leaderboards, receipts and versions of CHALLENGE.

    The export's README.md describes every file. With --codabench, write a bundle of yours as a zip for Codabench
    instead; the same bundle always gives the same bytes.
    """
    if codabench is not None:
        if challenge or files or runs:
            raise click.UsageError("--codabench writes a bundle; leave out CHALLENGE, --files and --runs.")
        _export_codabench(codabench, output, as_json=as_json)
        return
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
