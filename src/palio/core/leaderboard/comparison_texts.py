"""A comparison of two submissions as JSON and in sentences, the same for page, API and command line. Without numpy."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from palio.core.bundle.model import Column
from palio.core.sentences import Figure, Sentence

if TYPE_CHECKING:
    from palio.core.leaderboard.compare import ComparedColumn
    from palio.core.statistics.differences import Difference

SIGNIFICANT = 0.05


def numbers(columns: "Sequence[ComparedColumn]") -> list[dict[str, Any]]:
    """One object for each column."""
    return [_column(each.column, each.difference, each.reason) for each in columns]


def with_sentences(columns: Sequence[Mapping[str, Any]], a: str, b: str) -> list[dict[str, Any]]:
    """Objects of `numbers`, each with sentences that name the two."""
    return [{**column, "sentences": sentences(column, a, b)} for column in columns]


def _column(column: Column, found: "Difference | None", reason: str) -> dict[str, Any]:
    interval = found.interval if found else None
    return {
        "key": column.key,
        "title": column.title,
        "descending": column.descending,
        "precision": column.precision,
        "cases": found.cases if found else None,
        "a": found.value_a if found else None,
        "b": found.value_b if found else None,
        "difference": found.value if found else None,
        "interval": [interval.low, interval.high] if interval else None,
        "interval_method": (found.interval_method or None) if found else None,
        "no_interval": (found.no_interval or None) if found else reason,
        "p_value": found.p_value if found else None,
        "test": found.test if found else None,
        "only_a": found.only_a if found else None,
        "only_b": found.only_b if found else None,
        "chance_reversed": found.reversed if found else None,
    }


def sentences(column: Mapping[str, Any], a: str, b: str) -> list[str]:
    """What the numbers of one column say; `column` is an object of `numbers`."""
    if column["p_value"] is None:
        return [Sentence("Not compared: %(reason)s.", reason=column["no_interval"])]
    found = list[str]()
    if column["only_a"] is not None:
        found.append(
            Sentence.of_count(
                "Only %(a)s is right on %(only_a)s of %(cases)s case, only %(b)s on %(only_b)s.",
                "Only %(a)s is right on %(only_a)s of %(cases)s cases, only %(b)s on %(only_b)s.",
                column["cases"],
                a=a,
                b=b,
                **{key: Figure(f"{column[key]:,}") for key in ("only_a", "only_b", "cases")},
            )
        )
    difference, cases = column["difference"], column["cases"]
    p = p_text(column["p_value"])
    tested = {"p": Figure(p if p.startswith("<") else f"= {p}"), "test": column["test"]}
    if abs(difference) <= 1e-12:
        found.append(Sentence("Both have the same score (p %(p)s, %(test)s).", **tested))
    else:
        is_a_ahead = (difference > 0) == column["descending"]
        ahead, behind = (a, b) if is_a_ahead else (b, a)
        if column["p_value"] < SIGNIFICANT:
            found.append(
                Sentence(
                    "%(ahead)s is better than %(behind)s (p %(p)s, %(test)s).", ahead=ahead, behind=behind, **tested
                )
            )
        else:
            found.append(
                Sentence.of_count(
                    "%(cases)s case cannot tell them apart (p %(p)s, %(test)s).",
                    "%(cases)s cases cannot tell them apart (p %(p)s, %(test)s).",
                    cases,
                    cases=Figure(f"{cases:,}"),
                    **tested,
                )
            )
        if column["chance_reversed"] is not None:
            found.append(
                Sentence(
                    "The chance that %(behind)s is better than %(ahead)s in truth is %(chance)s.",
                    behind=behind,
                    ahead=ahead,
                    chance=percent(column["chance_reversed"]),
                )
            )
    if column["no_interval"]:
        found.append(Sentence("No interval of the difference: %(reason)s.", reason=column["no_interval"]))
    return found


def p_text(value: float) -> str:
    """`.031`, or `< .001`."""
    return "< .001" if value < 0.001 else f"{value:.3f}".removeprefix("0")


def percent(share: float) -> str:
    """`31 %`; a share that is neither 0 nor 1 is never shown as 0 % or 100 %."""
    if 0 < share < 0.01:
        return Sentence("less than 1 %%")
    if 0.99 < share < 1:
        return Sentence("more than 99 %%")
    return Figure(f"{share:.0%}".replace("%", " %"))
