"""What a re-score changed of a submission, and what of it its team may read."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from palio.core.bundle.feedback import shown_alone
from palio.core.bundle.leaderboards import primary_of
from palio.core.bundle.model import Bundle, Column
from palio.core.bundle.pick_phase import find_phase
from palio.core.leaderboard.ranking import EQUAL
from palio.core.sentences import Figure, Sentence
from palio.web.leaderboard.visibility import hides_scores, visible_columns
from palio.web.models import Attempt, Submission


@dataclass(frozen=True)
class ScoreChange:
    """The attempts that counted `before` and count `after`; None without a score."""

    submission: Submission
    before: Attempt | None
    after: Attempt | None

    @property
    def scores(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        before, after = self.before, self.after
        return (before.scores or {} if before else {}), (after.scores or {} if after else {})

    @property
    def differs(self) -> bool:
        before, after = self.scores
        return before.keys() != after.keys() or any(not _equal(before[key], after[key]) for key in before)


class ReadableScores:
    """The scores of a phase as its participants may read them: none if they are hidden, or shown only to who improves
    (feedback `ladder`), because a change would tell something of them.
    """

    def __init__(self, bundle: Bundle, phase: str) -> None:
        found = find_phase(bundle, phase)
        self._policy = None if found is None or hides_scores(found) else found.rules.feedback
        columns = visible_columns(bundle, found) if found else ()
        first = primary_of(bundle, found).key if found else ""
        self._columns = sorted(columns, key=lambda column: column.key != first)

    def says(self, change: ScoreChange) -> str:
        """Such as `“model.zip” F1 0.912 → 0.934`, as a Sentence; empty if nothing changed that may be read."""
        file = change.submission.file.name
        before, after = (self._read(scores) for scores in change.scores)
        for column in self._columns:
            old, new = before.get(column.key), after.get(column.key)
            if old is not None and new is not None and not _equal(old, new):
                values = _values(old, new, column)
                return Sentence("“%(file)s” %(column)s %(values)s", file=file, column=column.title, values=values)
            if old is not None and new is None:
                return Sentence("“%(file)s” has no score any more", file=file)
            if old is None and new is not None:
                score = Figure(f"{new:.{column.precision}f}")
                facts = {"file": file, "column": column.title, "score": score}
                return Sentence("“%(file)s” %(column)s is %(score)s, and had no score", **facts)
        return ""

    def _read(self, scores: Mapping[str, float]) -> Mapping[str, float]:
        return {} if self._policy is None else shown_alone(scores, self._policy) or {}


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=EQUAL, abs_tol=EQUAL)  # as for ranks


def _values(old: float, new: float, column: Column) -> Figure:
    """With more digits if the column's do not tell them apart."""
    texts = [f"{value:.{column.precision}f}" for value in (old, new)]
    return Figure(" → ".join(texts if texts[0] != texts[1] else [repr(old), repr(new)]))
