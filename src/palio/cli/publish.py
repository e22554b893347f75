"""`palio publish`: a bundle becomes a challenge on the platform, or its next version."""

from pathlib import Path

import click

from palio.cli import rendering

_WIDEST = 90


@click.command()
@click.argument("bundle", type=click.Path(exists=True, path_type=Path))
@click.option("--slug", help="Its name in the address; from the title, if left out.")
@click.option("--draft", is_flag=True, help="Only its organizers see it.")
@click.option("--note", default="", help="What has changed, for participants to read.")
@rendering.as_json_option
def publish(bundle: Path, slug: str | None, draft: bool, note: str, as_json: bool) -> int:
    """Publish BUNDLE, a challenge's folder or a zip of it, on the platform that you are logged in to.

    A challenge of that name that you organize gets a new version. The same content published again changes nothing.
    """
    from palio.client import connect
    from palio.client.publishing import publish as send

    connection = connect()
    done = send(connection, bundle, slug=slug, draft=draft, note=note)
    challenge, version = done["challenge"], done["version"]
    address = f"{connection.url}/c/{challenge['slug']}/"
    if as_json:
        rendering.echo_json(done | {"url": address})
        return 0
    for warning in done["warnings"]:
        click.echo(f"  {click.style('warning', fg='yellow')}  {warning}")
    if not done["is_new"]:
        click.echo(f"This is version {version['number']} of {challenge['title']}, as it was. Nothing was changed.")
    else:
        click.echo(f"{challenge['title']}, version {version['number']}: {challenge['visibility']}.")
        for change in version["changes"]:
            click.echo(f"  {_told(change)}")
    click.echo(address)
    return 0


def _told(change: dict[str, str]) -> str:
    """A value as old → new; of a text, how many lines went and came."""
    old, new = change["old"], change["new"]
    if old and new and "\n" not in old + new and len(old + new) < _WIDEST:
        return f"{change['what']}: {old} → {new}"
    return f"{change['what']}: {len(old.splitlines())} lines gone, {len(new.splitlines())} new"
