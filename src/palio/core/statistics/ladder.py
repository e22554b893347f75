"""A guard against overfitting to the leaderboard: a score not clearly better than the last one shown stays hidden.

A team that submits random guesses and combines those with better scores climbs on noise only. The parameter-free
Ladder (Blum & Hardt 2015, ICML) shows a new score only if it beats the last shown one by more than one standard error.
"""

import math
from collections.abc import Sequence


def ladder_shows(gains: Sequence[float]) -> bool:
    """Whether a new submission's score may be shown.

    `gains` are, for each case, how much better it does than the team's last shown submission. The standard error
    under no difference is sqrt(sum of squares). For right and wrong predictions, with b cases gained and c lost, the
    rule is McNemar's (b - c) / sqrt(b + c) > 1.
    """
    return math.fsum(gains) > math.sqrt(math.fsum(gain * gain for gain in gains))
