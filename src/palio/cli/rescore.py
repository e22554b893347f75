"""`palio rescore`: re-scores a phase on a platform, compares the leaderboards, applies or discards the new scores."""

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from palio.cli import rendering
from palio.core.errors import PalioError, counted

if TYPE_CHECKING:
    from palio.client import Connection

POLL_S = 1.0
_OPEN = ("running", "ready")


@click.command()
@click.argument("challenge", required=False)
@click.option("--phase", metavar="NAME", help="The phase to re-score. [default: the open phase]")
@click.option("--leaderboard", "board", metavar="KEY", help="Which leaderboard to compare. [default: the first]")
@click.option("--apply", "do_apply", is_flag=True, help="Make all new scores count, after showing what changes.")
@click.option("--discard", "do_discard", is_flag=True, help="Discard the new scores of the open re-score.")
@click.option("--yes", is_flag=True, help="Apply without a prompt.")
@click.option("--no-wait", is_flag=True, help="Start it and return.")
@rendering.as_json_option
def rescore(
    challenge: str | None,
    phase: str | None,
    board: str | None,
    do_apply: bool,
    do_discard: bool,
    yes: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Score all predictions of a phase of CHALLENGE again, with the current version's scoring program.

    Shows what would change and why. Nothing counts until you apply it; the old scores stay in each submission's
    history. If the phase has an open re-score, the command continues that one.
    """
    from palio.client import connect
    from palio.client.submitting import resolve_challenge

    if do_apply and do_discard:
        raise click.UsageError("Use --apply or --discard, not both.")
    connection = connect()
    slug = resolve_challenge(connection, challenge)
    name = _phase(connection, slug, phase)
    found = _open(connection, slug, name)
    if found is None and do_discard:
        raise PalioError(
            "usage",
            problem=f"The phase “{name}” has no open re-score.",
            next_step=f"Start one with `palio rescore {slug}`.",
        )
    if found is None:
        from palio.client import new_key

        found = connection.post(f"/challenges/{slug}/manage/rescores", {"phase": name}, key=new_key())
    if do_discard:
        done = connection.post(f"/rescores/{found['id']}/discard", again=True)
        _show(done, as_json=as_json, text="New scores discarded. The leaderboard has not changed.")
        return
    if no_wait:
        _show(found, as_json=as_json, text=f"Re-score {found['id']} of “{name}”: {found['state']}.")
        return
    whole = _finished(connection, found["id"], board, as_json=as_json)
    if not as_json:
        click.echo(_comparison(whole))
    if do_apply and whole["state"] == "ready":
        _require_applicable(whole)
        if not yes:
            click.confirm("Apply all new scores at once?", abort=True, err=as_json)
        whole |= {"state": connection.post(f"/rescores/{found['id']}/apply", again=True)["state"]}
        if not as_json:
            click.echo("New scores applied.")
    elif not as_json and whole["state"] == "ready":
        more = f" --phase '{name}'" if phase else ""
        click.echo(f"\nApply them with `palio rescore {slug}{more} --apply`, or discard them with --discard.")
    if as_json:
        rendering.echo_json(whole)


def _phase(connection: "Connection", slug: str, named: str | None) -> str:
    """The exact name; the open phase by default. Raises PalioError "usage"."""
    if named is None:
        return str(connection.get(f"/challenges/{slug}/leaderboard")["phase"])
    phases = [str(each["name"]) for each in connection.get(f"/challenges/{slug}/phases")]
    for name in phases:
        if name.casefold() == named.casefold():
            return name
    raise PalioError(
        "usage",
        problem=f"{slug} has no phase “{named}”. Its phases: {', '.join(phases)}.",
        next_step="Name one of these with --phase, or leave it out.",
    )


def _open(connection: "Connection", slug: str, phase: str) -> Any | None:
    for each in connection.all_of(f"/challenges/{slug}/manage/rescores"):
        if each["phase"] == phase and each["state"] in _OPEN:
            return each
    return None


def _finished(connection: "Connection", rescore: str, board: str | None, *, as_json: bool) -> dict[str, Any]:
    """Waits until it is no longer running."""
    last = None
    while True:
        whole: dict[str, Any] = connection.get(f"/rescores/{quote(rescore, safe='')}", leaderboard=board)
        if whole["state"] != "running":
            return whole
        if whole["ended"] != last and not as_json and sys.stderr.isatty():
            click.echo(f"  {whole['ended']} of {whole['total']} re-scored", err=True)
        last = whole["ended"]
        time.sleep(POLL_S)


def _require_applicable(whole: Mapping[str, Any]) -> None:
    from palio.core.errors import Failure

    if whole["refusal"]:
        raise PalioError.of(Failure.from_body(whole["refusal"]))


def _show(content: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    if as_json:
        rendering.echo_json(content)
    else:
        click.echo(text)


def _comparison(whole: Mapping[str, Any]) -> str:
    changes, failed = whole["changes"] or [], whole["failed"] or []
    changed = [each for each in changes if each["changed"]]
    lines = [
        f"Re-score of “{whole['phase']}” with version {whole['version']}: {counted(whole['total'], 'submission')}, "
        f"{whole['state']}.",
        *_outdated(whole),
        f"Changes in {len(changed)} of {counted(len(changes), 'row')} of the leaderboard.",
    ]
    if changed:
        lines += ["", _table(changed, whole["columns"] or [])]
    losing = [each for each in failed if each["loses_score"]]
    unscored = [each for each in failed if not each["loses_score"]]
    if losing:
        lines += ["", f"{counted(len(losing), 'submission')} without a new score, which would lose the old one:"]
        lines += [_failed(each) for each in losing]
    if unscored:
        lines += ["", f"{counted(len(unscored), 'submission')} not scored, as before:"]
        lines += [_failed(each) for each in unscored]
    if whole["refusal"]:
        lines += ["", f"{whole['refusal']['message']} {whole['refusal']['next_step']}"]
    return "\n".join(lines)


def _outdated(whole: Mapping[str, Any]) -> Sequence[str]:
    current = whole.get("current_version")
    if current in (None, whole["version"]):
        return ()
    return (
        f"Version {current} was published after this re-score was started. To score with it, discard this one with "
        "--discard and start again.",
    )


def _failed(each: Mapping[str, Any]) -> str:
    failure = each["failure"] or {}
    return f"  {each['team']} {each['submission']}: {failure.get('message', 'cancelled')}"


def _table(changed: Sequence[Mapping[str, Any]], columns: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for each in changed:
        old, new = each["old"] or {"rank": None, "scores": {}}, each["new"] or {"rank": None, "scores": {}}
        cells = [each["team"], f"{_number(old['rank'])} → {_number(new['rank'])}", each["moved"] or "–"]
        for column in columns:
            values = [of["scores"].get(column["key"]) for of in (old, new)]
            texts = ["–" if value is None else f"{value:.{column['precision']}f}" for value in values]
            cells.append(texts[1] if texts[0] == texts[1] else " → ".join(texts))
        rows.append([*cells, each["reason"]])
    header = ["Team", "Rank", "Change", *(column["title"] for column in columns), "Reason"]
    return rendering.table(header, rows)


def _number(rank: int | None) -> str:
    return "–" if rank is None else str(rank)
