"""A guard against feeding on the board: a score that is not clearly better than the last one shown stays hidden.

Whoever submits guesses and combines those that the board liked climbs on noise alone. The parameter-free Ladder
(Blum & Hardt 2015, ICML) tells a new score only if it beats the last shown one by more than one standard error.
"""

import math
from collections.abc import Sequence


def ladder_shows(gains: Sequence[float]) -> bool:
    """Whether a new submission's score may be shown.

    `gains` are, case by case, how much better it does than the team's last shown submission. The standard error is
    that of no difference, sqrt(sum of squares); of right and wrong answers, with b cases gained and c lost, the
    rule is McNemar's (b - c) / sqrt(b + c) > 1.
    """
    return math.fsum(gains) > math.sqrt(math.fsum(gain * gain for gain in gains))
