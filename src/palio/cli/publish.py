"""`palio publish`: publishes a bundle as a new challenge, or as the next version of one."""

from pathlib import Path

import click

from palio.cli import rendering

_WIDEST = 90


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--slug", help="The challenge's name in its address. [default: derived from the title]")
@click.option("--draft", is_flag=True, help="Show the challenge only to its organizers.")
@click.option("--note", default="", help="What changed and why, for participants; required once there are submissions.")
@click.option(
    "--accept-findings",
    metavar="REASON",
    default="",
    help="Why serious findings of the data audit are acceptable. The reason is recorded.",
)
@rendering.as_json_option
def publish(bundle: Path, slug: str | None, draft: bool, note: str, accept_findings: str, as_json: bool) -> int:
    """Publish BUNDLE on the platform, as a new challenge or a new version.

    BUNDLE is a challenge folder or a zip of one. If you already organize a challenge of that name, it gets a new
    version. Publishing the same content again changes nothing. The platform audits new data: see `palio data audit`.
    """
    from palio.client import connect
    from palio.client.publishing import publish as send

    connection = connect()
    done = send(connection, bundle, slug=slug, draft=draft, note=note, accept_findings=accept_findings)
    challenge, version = done["challenge"], done["version"]
    address = f"{connection.url}/c/{challenge['slug']}/"
    if as_json:
        rendering.echo_json(done | {"url": address})
        return 0
    for warning in done["warnings"]:
        click.echo(f"  {click.style('warning', fg='yellow')}  {warning}")
    if not done["is_new"]:
        click.echo(f"Nothing to do: version {version['number']} of {challenge['title']} already has this content.")
    else:
        click.echo(f"{challenge['title']}, version {version['number']}: {challenge['visibility']}.")
        for change in version["changes"]:
            click.echo(f"  {_change_text(change)}")
    click.echo(address)
    return 0


def _change_text(change: dict[str, str]) -> str:
    """Old → new for short values, line counts for long texts."""
    old, new = change["old"], change["new"]
    if old and new and "\n" not in old + new and len(old + new) < _WIDEST:
        return f"{change['what']}: {old} → {new}"
    return f"{change['what']}: {len(old.splitlines())} lines removed, {len(new.splitlines())} added"
