"""The statistics of leaderboards and of single submissions, and comparisons of two."""

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


class CaseSummary(models.Model):
    """What the single cases behind the scores of an attempt say: see `core.leaderboard.case_summary`.

    Rows can be deleted at any time: the controller computes missing ones.
    """

    attempt = models.OneToOneField("palio.Attempt", models.CASCADE, primary_key=True, related_name="case_summary")
    settings = models.CharField(max_length=64)  # digest of the settings that it was computed with
    summary = models.JSONField()
    computed = models.DateTimeField(default=timezone.now)


class LadderComparison(models.Model):
    """An attempt on the same cases as the best shown one of its team: what a ladder without a step decides by.

    `error` is the standard error of the difference of their scores; None if the cases cannot be used, and `reason` is a
    clause that says why. Rows can be deleted at any time: the controller computes missing ones, and until then
    participants do not see the score.
    """

    attempt = models.OneToOneField("palio.Attempt", models.CASCADE, primary_key=True, related_name="+")
    best = models.CharField(max_length=64, blank=True)  # attempt; empty for the first of a team, and for a baseline
    settings = models.CharField(max_length=64)  # digest of the settings that it was computed with
    error = models.FloatField(null=True)
    cases = models.PositiveIntegerField(default=0)
    reason = models.TextField(blank=True)
    computed = models.DateTimeField(default=timezone.now)


class PairComparison(models.Model):
    """Two attempts on the same cases, as `core.leaderboard.comparison_texts` writes it, or why they were not compared.

    Rows can be deleted at any time: they are computed again when someone asks.
    """

    a = models.ForeignKey("palio.Attempt", models.CASCADE, related_name="+")
    b = models.ForeignKey("palio.Attempt", models.CASCADE, related_name="+")
    settings = models.CharField(max_length=64)  # digest of the settings that it was computed with
    columns = models.JSONField(default=list)
    failure = models.JSONField(null=True)
    computed = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["a", "b", "settings"], name="one_comparison_of_two_attempts")]


class SimilarityCheck(models.Model):
    """Pairs of teams of a phase with nearly equal predictions, for organizers only: see `core.statistics.similarity`.

    Rows can be deleted at any time: the controller computes missing ones.
    """

    challenge = models.ForeignKey(Challenge, models.CASCADE, related_name="+")
    phase = models.CharField(max_length=200)
    checked = models.CharField(max_length=64)  # digest of the attempts and settings that it was computed for
    pairs = models.JSONField(default=list)  # of vars of Similar, with attempts instead of numbers
    compared = models.PositiveIntegerField(default=0)  # submissions
    computed = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["challenge", "phase"], name="one_similarity_check_of_a_phase")]
