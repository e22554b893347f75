"""`palio leaderboard`: ranks run folders, or shows the leaderboard of a challenge on the platform."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli import rendering

if TYPE_CHECKING:
    from palio.core.leaderboard.from_runs import RunLeaderboard
    from palio.core.leaderboard.run_results import RunResult

_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]*", re.IGNORECASE)


@click.command(epilog="`palio board` is the same command.")
@click.argument("names", nargs=-1, metavar="RUN...|[CHALLENGE]")
@click.option("--phase", metavar="NAME", help="Rank or show only this phase. [default for CHALLENGE: the open phase]")
@click.option(
    "--leaderboard",
    "board",
    metavar="KEY",
    help="Which leaderboard to show, if there are several. [default: the first]",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the leaderboard of run folders to FILE, a page that needs no other file.",
)
@click.option("--search", default="", metavar="TEXT", help="Of CHALLENGE, show only teams with TEXT in their name.")
@click.option(
    "--columns",
    default="",
    metavar="KEYS",
    help="Of CHALLENGE, show only these columns beside the ranking one: keys with commas between. [default: all]",
)
@rendering.as_json_option
def leaderboard(
    names: Sequence[str],
    phase: str | None,
    board: str | None,
    html: Path | None,
    search: str,
    columns: str,
    as_json: bool,
) -> None:
    """Rank the run folders RUN..., or show the leaderboard of CHALLENGE on the platform.

    A rank range lists the ranks that the cases cannot tell apart. Runs without a score come last.
    """
    if _is_challenge(names):
        if html:
            raise click.UsageError("--html needs run folders.")
        asked = {"q": search or None, "columns": columns.split(",") if columns else None}
        _show_challenge(names[0] if names else None, phase, board, asked, as_json=as_json)
    elif search or columns:
        raise click.UsageError("--search and --columns need a challenge on the platform.")
    else:
        _show_runs([Path(name) for name in names], phase, board, html, as_json=as_json)


def _is_challenge(names: Sequence[str]) -> bool:
    """One name that could be a challenge's and is not a run folder; or none, for the platform's only challenge."""
    if len(names) != 1:
        return not names
    return bool(_SLUG.fullmatch(names[0])) and not Path(names[0], "config.json").exists()


# -- run folders


def _show_runs(
    folders: Sequence[Path], phase: str | None, board: str | None, html: Path | None, *, as_json: bool
) -> None:
    # Here and not above: `palio --help` needs no numpy.
    from palio.cli.leaderboard_page import leaderboard_page
    from palio.core.files.staging import staged
    from palio.core.leaderboard.from_runs import rank_runs
    from palio.core.leaderboard.notes import notes
    from palio.core.leaderboard.run_results import read_run

    once = {folder.resolve(): folder for folder in reversed(folders)}  # a run named twice is ranked once
    found = [read_run(folder) for folder in reversed(once.values())]
    ranking = rank_runs(_of_phase(found, phase) if phase else found, board)
    noted = notes(ranking)
    if html:
        with staged(html) as (page,):
            page.write_text(leaderboard_page(ranking, noted), encoding="utf-8")
    if as_json:
        rendering.echo_json(_as_json(ranking, noted, html))
        return
    phantom = rendering.ON_PHANTOM if ranking.lock.phantom else ""
    board_title = f", {ranking.board.title}" if ranking.lock.leaderboards else ""
    click.echo(f"{ranking.lock.bundle.title}, phase {ranking.lock.phase}{board_title}{phantom}")
    click.echo(_table(ranking))
    for run in ranking.unranked:
        click.echo(f"  {'–':<6} {run.name}: {run.reason}")
    click.echo()
    for sentence in noted:
        click.echo(sentence)
    if html:
        click.echo(f"\nPage: {html}")


def _of_phase(runs: "Sequence[RunResult]", phase: str) -> "list[RunResult]":
    from palio.core.errors import PalioError

    of_phase = [run for run in runs if run.phase == phase]
    if not of_phase:
        phases = ", ".join(sorted({run.phase for run in runs}))
        raise PalioError(
            "usage",
            problem=f"None of these runs is of the phase “{phase}”. Their phases: {phases}.",
            next_step="Name one of these with --phase, or leave it out.",
        )
    return of_phase


def _table(ranking: "RunLeaderboard") -> str:
    from palio.core.leaderboard.ranking import rank_text

    header = [f"{'rank':<6} run"]
    rows = [[f"{rank_text(run.row.rank, run.rank_range, '-'):<6} {run.row.name}"] for run in ranking.ranked]
    for column in ranking.columns:
        header.append(f"{column.title} {'↑' if column.descending else '↓'}")
        for run, row in zip(ranking.ranked, rows, strict=True):
            value = run.row.values.get(column.key)
            row.append("n/a" if value is None else f"{value:.{column.precision}f}")
        if any(column.key in run.intervals for run in ranking.ranked):
            header.append("95 % interval")
            for run, row in zip(ranking.ranked, rows, strict=True):
                digits, within = f".{column.precision}f", run.intervals.get(column.key)
                row.append(f"[{within.low:{digits}}, {within.high:{digits}}]" if within else "none")
    return rendering.table(header, rows)


def _as_json(ranking: "RunLeaderboard", noted: Sequence[str], html: Path | None) -> dict[str, object]:
    statistics, keys = ranking.statistics, [column.key for column in ranking.columns]
    primary, frequencies = ranking.primary.key, statistics.frequencies
    intervals = [  # a hidden column's interval is hidden with it
        {key: [run.intervals[key].low, run.intervals[key].high] for key in keys if key in run.intervals}
        for run in ranking.ranked
    ]
    return {
        "challenge": {"title": ranking.lock.bundle.title, "digest": ranking.lock.bundle.digest},
        "phase": ranking.lock.phase,
        "phantom": ranking.lock.phantom,
        "primary": primary,
        "columns": [
            {"key": column.key, "title": column.title, "descending": column.descending, "precision": column.precision}
            for column in ranking.columns
        ],
        "cases": statistics.cases,
        "ranked": [
            {
                "label": run.row.name,
                "run_folder": str(run.run.folder),
                "rank": run.row.rank,
                "rank_range": run.rank_range,
                "scores": {key: run.row.values[key] for key in keys if key in run.row.values},
                "interval": intervals[position].get(primary),
                "no_interval": run.no_intervals.get(primary),
                "intervals": intervals[position],
                "no_intervals": {key: run.no_intervals[key] for key in keys if key in run.no_intervals},
                "rank_frequencies": None if frequencies is None else frequencies[position].tolist(),
                "chance_next_is_better": next(iter(statistics.reversals[position:]), None),
            }
            for position, run in enumerate(ranking.ranked)
        ],
        "unranked": [
            {
                "label": run.name,
                "run_folder": str(run.run.folder),
                "verdict": run.run.verdict,
                "reason": run.reason,
                "failure": run.run.failure.model_dump() if run.run.failure else None,
            }
            for run in ranking.unranked
        ],
        "comparisons": [
            {
                "ahead": ranking.ranked[pair.a].row.name,
                "behind": ranking.ranked[pair.b].row.name,
                "only_ahead_right": pair.only_a,
                "only_behind_right": pair.only_b,
                "p_value": pair.p_value,
                "p_value_holm": pair.adjusted,
            }
            for pair in statistics.comparisons
        ],
        "remarks": list(noted),
        "page": str(html) if html else None,
    }


# -- a challenge on the platform


def _show_challenge(
    challenge: str | None, phase: str | None, board: str | None, asked: dict[str, Any], *, as_json: bool
) -> None:
    from palio.client import connect
    from palio.client import submitting as client

    connection = connect()
    address = f"/challenges/{client.resolve_challenge(connection, challenge)}/leaderboard"
    found = connection.get(address, phase=phase, **asked)
    if board and board != found["leaderboard"]:
        _require_known(board, found["leaderboards"])
        found = connection.get(address, phase=phase, leaderboard=board, **asked)
    if as_json:
        rendering.echo_json(found)
        return
    several = len(found["leaderboards"]) > 1
    title = f", {found['leaderboard_title']}" if several else ""
    click.echo(f"{found['title']}, phase {found['phase']}{title}\n")
    if not found["rows"]:
        none = f"  No team’s name contains “{asked['q']}”." if asked["q"] else "  No scores yet."
        click.echo("  The scores of this phase are hidden." if found["hidden"] else none)
        return
    click.echo(_platform_table(found))
    said = [*found["notes"], *filter(None, [found["no_intervals"]])]
    if said:
        click.echo("\n" + "\n".join(said))
    if found["own_team"]:
        click.echo(f"\nYour team: {found['own_team']}")
    if several:
        others = ", ".join(each["key"] for each in found["leaderboards"] if each["key"] != found["leaderboard"])
        click.echo(f"\nOther leaderboards (--leaderboard KEY): {others}")


def _require_known(board: str, known: Sequence[Any]) -> None:
    from palio.core.errors import PalioError

    if all(each["key"] != board for each in known):
        raise PalioError(
            "usage",
            problem=f"This phase has no leaderboard `{board}`. Its leaderboards: "
            f"{', '.join(each['key'] for each in known)}.",
            next_step="Name one of these with --leaderboard, or leave it out.",
        )


def _platform_table(found: Any) -> str:
    from palio.core.leaderboard.ranking import rank_text

    rows = found["rows"]
    has_affiliations = any(row.get("affiliation") for row in rows)
    header = ["Rank", "Team", *["Affiliation"] * has_affiliations]
    table = [
        [rank_text(row["rank"], row["rank_range"], "-"), _team(row), *[row.get("affiliation", "")] * has_affiliations]
        for row in rows
    ]
    for column in found["columns"]:
        key, digits = column["key"], f".{column['precision']}f"
        header.append(f"{column['title']} {'↑' if column['descending'] else '↓'}")
        for line, row in zip(table, rows, strict=True):
            line.append(_score(row["scores"].get(key), column["precision"]))
        if any(key in row["intervals"] for row in rows):
            header.append("95 % interval")
            for line, row in zip(table, rows, strict=True):
                within = row["intervals"].get(key)
                line.append(f"[{within[0]:{digits}}, {within[1]:{digits}}]" if within else "none")
    header.append("Entries")
    has_failed = any(row["failed"] for row in rows)
    has_moved = any(row["movement"] is not None for row in rows)
    header += ["Failed"] * has_failed + ["Last"] + ["24 h"] * has_moved
    header += [question["title"] for question in found["questions"]]
    for line, row in zip(table, rows, strict=True):
        line += [str(row["entries"]), *[str(row["failed"])] * has_failed, row["last"][:10]]
        line += [_moved(row)] * has_moved
        line += [(row["answers"] or {}).get(question["key"], "–") for question in found["questions"]]
    return rendering.table(header, table)


def _team(row: Any) -> str:
    return f"{row['team']}{' (baseline)' if row['baseline'] else ''}"


def _moved(row: Any) -> str:
    places = row["movement"]
    if row["rank"] is None:
        return ""
    return "new" if places is None else "–" if places == 0 else f"{'↑' if places > 0 else '↓'}{abs(places)}"


def _score(value: float | None, precision: int) -> str:
    return "–" if value is None else f"{value:.{precision}f}"
