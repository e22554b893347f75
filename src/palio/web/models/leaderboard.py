"""The statistics of leaderboards."""

from django.db import models
from django.utils import timezone

from palio.web.models.challenges import Challenge


class LeaderboardStatistics(models.Model):
    """What the controller has computed for a leaderboard of a phase. `leaderboard.statistics` says what still holds.

    Rows can be deleted at any time: the controller computes missing statistics.
    """

    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="+")
    phase = models.CharField(max_length=200)
    leaderboard = models.CharField(max_length=200, default="")  # its key
    settings = models.CharField(max_length=64)  # digest of the settings that everything here was computed with
    intervals = models.JSONField(default=dict)  # {attempt: {column: {score, low, high} or {score, reason}}}
    ranked = models.CharField(max_length=64, blank=True)  # digest of what the following was computed for
    ranges = models.JSONField(default=dict)  # {attempt: [first, last]}
    no_ranges = models.TextField(blank=True)  # why there are none, for everybody
    cases = models.PositiveIntegerField(null=True)
    details = models.JSONField(default=dict)  # core.leaderboard.rank_details; empty if there are none
    computed = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["challenge", "phase", "leaderboard"], name="one_statistics_row_for_a_leaderboard"
            )
        ]
