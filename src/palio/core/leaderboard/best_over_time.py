"""How the best score of a leaderboard rose over time: the submissions that beat all before them."""

from collections.abc import Iterable

from palio.core.bundle.model import Column
from palio.core.leaderboard.ranking import Entry


def records(entries: Iterable[Entry], primary: Column) -> tuple[Entry, ...]:
    """The first entry with a score and each that beat the best one before it, oldest first.

    Baselines and disqualified entries set no record. Empty for a computed column, of which entries have no score.
    """
    best, found, sign = None, list[Entry](), 1 if primary.descending else -1
    for entry in sorted(entries, key=lambda entry: (entry.submitted, entry.label)):
        score = entry.scores.get(primary.key)
        if score is None or entry.baseline or entry.disqualified:
            continue
        if best is None or sign * (score - best) > 0:
            best = score
            found.append(entry)
    return tuple(found)
