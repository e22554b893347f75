from typing import Any

from django.db import migrations, models


def remove_all(apps: Any, _: Any) -> None:
    """The controller computes them again."""
    apps.get_model("palio", "LeaderboardStatistics").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0006_chosen_submissions"),
    ]

    operations = [
        migrations.RunPython(remove_all, migrations.RunPython.noop),
        migrations.RemoveConstraint("leaderboardstatistics", "one_statistics_row_for_a_phase"),
        migrations.AddField("leaderboardstatistics", "leaderboard", models.CharField(default="", max_length=200)),
        migrations.AddConstraint(
            "leaderboardstatistics",
            models.UniqueConstraint(
                fields=["challenge", "phase", "leaderboard"], name="one_statistics_row_for_a_leaderboard"
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, remove_all),  # backwards, before there is one row for a phase
    ]
