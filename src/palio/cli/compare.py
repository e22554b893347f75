"""`palio compare`: two runs, or two submissions of a platform, on the same cases."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from palio.cli import rendering
from palio.cli.platform import challenge_option
from palio.core.errors import PalioError

if TYPE_CHECKING:
    from palio.core.leaderboard.compare import RunComparison


_UNADJUSTED = (
    "p is that of these two, as if nobody had chosen them among others.\n"
    "Rank ranges of a leaderboard are adjusted for all pairs, so they can overlap nevertheless."
)


@click.command()
@click.argument("a")
@click.argument("b")
@challenge_option
@click.option("--phase", metavar="NAME", help="The phase of submissions on the platform. [default: the open phase]")
@click.option(
    "--leaderboard",
    "board",
    metavar="KEY",
    help="Whose columns to compare, if there are several leaderboards. [default: the first]",
)
@rendering.as_json_option
def compare(a: str, b: str, challenge: str | None, phase: str | None, board: str | None, as_json: bool) -> None:
    """Compare A and B on the same cases: two run folders, or two submissions on the platform.

    On the platform, A and B are teams on the leaderboard, or ids of submissions that you can see.
    """
    are_runs = [Path(name, "config.json").is_file() for name in (a, b)]
    if all(are_runs):
        if challenge or phase:
            raise click.UsageError("--challenge and --phase are for submissions on the platform.")
        shown = _of_runs(Path(a), Path(b), board)
    elif any(are_runs) or Path(a).is_dir() or Path(b).is_dir():
        other = b if are_runs[0] or (not are_runs[1] and Path(b).is_dir()) else a
        raise PalioError(
            "usage",
            problem=f"{other} is not a run folder: it has no config.json.",
            next_step="Name two folders that `palio run` wrote, or two submissions on the platform.",
        )
    else:
        shown = _of_platform(a, b, challenge, phase, board)
    if as_json:
        rendering.echo_json(shown)
    else:
        click.echo(_text(shown))


def _of_runs(a: Path, b: Path, board: str | None) -> dict[str, Any]:
    from palio.core.leaderboard.compare import compare_runs  # here, as `palio --help` needs no numpy
    from palio.core.leaderboard.run_results import read_run

    if a.resolve() == b.resolve():
        raise PalioError("compare-same", name=str(a))
    return _as_json(compare_runs(read_run(a), read_run(b), board))


def _as_json(found: "RunComparison") -> dict[str, Any]:
    from palio.core.leaderboard.comparison_texts import numbers, with_sentences

    return {
        "challenge": found.lock.bundle.title,
        "phase": found.lock.phase,
        "phantom": found.lock.phantom,
        "a": {"name": found.name_a, "run_folder": str(found.a.folder)},
        "b": {"name": found.name_b, "run_folder": str(found.b.folder)},
        "primary": found.primary.key,
        "columns": with_sentences(numbers(found.columns), found.name_a, found.name_b),
    }


def _of_platform(a: str, b: str, challenge: str | None, phase: str | None, board: str | None) -> Any:
    from palio.client import connect
    from palio.client.submitting import resolve_challenge

    connection = connect()
    address = f"/challenges/{resolve_challenge(connection, challenge)}/compare"
    return connection.get(address, a=a, b=b, phase=phase, leaderboard=board)


def _text(shown: Mapping[str, Any]) -> str:
    phantom = rendering.ON_PHANTOM if shown.get("phantom") else ""
    a, b = shown["a"]["name"], shown["b"]["name"]
    lines = [f"{shown['challenge']}, phase {shown['phase']}{phantom}", f"A: {a}", f"B: {b}", ""]
    header = ["column", "A", "B", "A − B", "95 % interval", "p"]
    lines.append(rendering.table(header, [_row(column) for column in shown["columns"]]))
    for column in shown["columns"]:
        lines += ["", f"{column['title']}:", *(f"  {sentence}" for sentence in column["sentences"])]
    if any(column["p_value"] is not None for column in shown["columns"]):
        lines += ["", _UNADJUSTED]
    return "\n".join(lines)


def _row(column: Mapping[str, Any]) -> Sequence[str]:
    from palio.core.leaderboard.comparison_texts import p_text

    digits = f".{column['precision']}f"
    more = f"+.{column['precision'] + 1}f"

    def number(value: float | None, form: str) -> str:
        return "n/a" if value is None else f"{value:{form}}"

    interval = column["interval"]
    return [
        f"{column['title']} {'↑' if column['descending'] else '↓'}",
        number(column["a"], digits),
        number(column["b"], digits),
        number(column["difference"], more),
        f"[{interval[0]:{more}}, {interval[1]:{more}}]" if interval else "none",
        p_text(column["p_value"]) if column["p_value"] is not None else "n/a",
    ]
