"""`palio pack`: creates a submission from a folder."""

from pathlib import Path

import click

from palio.cli import rendering


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("submission.zip"),
    show_default=True,
    metavar="FILE",
    help="The zip file to write.",
)
@rendering.as_json_option
def pack(folder: Path, output: Path, as_json: bool) -> None:
    """Create a submission from FOLDER and run the platform's checks on it.

    FOLDER has a Dockerfile at its root, is a challenge with one in docker_code_inference/, or is a MONAI bundle. The
    same files with the same execute bits always give the same bytes.
    """
    from palio.core.quantities import size_text
    from palio.core.submission.pack import pack as pack_folder

    packed = pack_folder(folder, output)
    if as_json:
        rendering.echo_json(
            {
                "path": str(packed.path.resolve()),
                "sha256": packed.digest,
                "size_bytes": packed.size_bytes,
                "files": list(packed.files),
                "notes": list(packed.notes),
            }
        )
        return
    click.echo(f"{packed.path}: {size_text(packed.size_bytes)}, sha256 {packed.digest}")
    for name in packed.files:
        click.echo(f"  {name}")
    for note in packed.notes:
        click.echo(f"Note: {note}.")
