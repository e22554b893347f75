"""`palio board`: ranks run folders, and says what the order is worth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from palio.cli import rendering

if TYPE_CHECKING:
    from palio.core.leaderboard.from_runs import Place, Standings
    from palio.core.leaderboard.run_results import FinishedRun


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--phase", metavar="NAME", help="Take only the runs of this phase.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the board as a page that needs no other file.",
)
@rendering.as_json_option
def board(runs: Sequence[Path], phase: str | None, html: Path | None, as_json: bool) -> None:
    """Rank the run folders RUN..., with intervals and with what the order is worth.

    A rank is the range of places that the cases cannot tell apart. Runs without a score stand last.
    """
    # Here and not above: `palio --help` needs no numpy.
    from palio.cli.leaderboard_page import board_page
    from palio.core.files.staging import staged
    from palio.core.leaderboard.from_runs import stand
    from palio.core.leaderboard.notes import remarks
    from palio.core.leaderboard.run_results import read_run

    once = {folder.resolve(): folder for folder in reversed(runs)}  # a run named twice is still one run
    found = [read_run(folder) for folder in reversed(once.values())]
    standings = stand(_of_phase(found, phase) if phase else found)
    said = remarks(standings)
    if html:
        with staged(html) as (page,):
            page.write_text(board_page(standings, said), encoding="utf-8")
    if as_json:
        rendering.echo_json(_as_json(standings, said, html))
        return
    click.echo(heading(standings))
    click.echo(_table(standings))
    for run in standings.unplaced:
        click.echo(f"  {'–':<6} {run.label}: {run.reason}")
    click.echo()
    for sentence in said:
        click.echo(sentence)
    if html:
        click.echo(f"\nPage: {html}")


def heading(standings: "Standings") -> str:
    lock = standings.lock
    phantom = rendering.ON_PHANTOM if lock.phantom else ""
    return f"{lock.bundle.title}, phase {lock.phase}{phantom}"


def rank_text(place: "Place", dash: str = "-") -> str:
    """The range, which is the number on the board; one number where it is one, or where no range is known."""
    first, last = place.rank_range or (place.rank, place.rank)
    return str(first) if first == last else f"{first}{dash}{last}"


def _of_phase(runs: "Sequence[FinishedRun]", phase: str) -> "list[FinishedRun]":
    from palio.core.errors import PalioError

    of_phase = [run for run in runs if run.phase == phase]
    if not of_phase:
        there = ", ".join(sorted({run.phase for run in runs}))
        raise PalioError(
            "usage",
            problem=f"None of these runs is of the phase “{phase}”; they are of: {there}.",
            next_step="Name one of these with --phase, or leave it out.",
        )
    return of_phase


def _table(standings: "Standings") -> str:
    header, rows = [f"{'rank':<6} run"], [[f"{rank_text(place):<6} {place.label}"] for place in standings.places]
    for column in standings.columns:
        header.append(f"{column.title} {'↑' if column.descending else '↓'}")
        for place, row in zip(standings.places, rows, strict=True):
            value = place.values.get(column.key)
            row.append("n/a" if value is None else f"{value:.{column.precision}f}")
        if column == standings.primary and any(place.interval for place in standings.places):
            header.append("95 % interval")
            for place, row in zip(standings.places, rows, strict=True):
                digits, within = f".{column.precision}f", place.interval
                row.append(f"[{within.low:{digits}}, {within.high:{digits}}]" if within else "none")
    return rendering.table(header, rows)


def _as_json(standings: "Standings", said: Sequence[str], html: Path | None) -> dict[str, object]:
    certain, keys = standings.certainty, [column.key for column in standings.columns]
    shown = standings.primary.key in keys  # a hidden column's interval is hidden with it
    return {
        "challenge": {"title": standings.lock.bundle.title, "digest": standings.lock.bundle.digest},
        "phase": standings.lock.phase,
        "phantom": standings.lock.phantom,
        "primary": standings.primary.key,
        "columns": [
            {"key": column.key, "title": column.title, "descending": column.descending, "precision": column.precision}
            for column in standings.columns
        ],
        "cases": certain.cases,
        "ranked": [
            {
                "label": place.label,
                "run_folder": str(place.run.folder),
                "rank": place.rank,
                "rank_range": place.rank_range,
                "scores": {key: place.values[key] for key in keys if key in place.values},
                "interval": [place.interval.low, place.interval.high] if place.interval and shown else None,
                "no_interval": place.no_interval,
                "rank_frequencies": certain.frequencies[position] if certain.frequencies else None,
            }
            for position, place in enumerate(standings.places)
        ],
        "unranked": [
            {
                "label": run.label,
                "run_folder": str(run.run.folder),
                "verdict": run.run.verdict,
                "reason": run.reason,
                "failure": run.run.failure.model_dump() if run.run.failure else None,
            }
            for run in standings.unplaced
        ],
        "comparisons": [
            {
                "ahead": standings.places[pair.a].label,
                "behind": standings.places[pair.b].label,
                "only_ahead_right": pair.only_a,
                "only_behind_right": pair.only_b,
                "p_value": pair.p_value,
                "p_value_holm": pair.adjusted,
            }
            for pair in certain.comparisons
        ],
        "remarks": list(said),
        "page": str(html) if html else None,
    }
