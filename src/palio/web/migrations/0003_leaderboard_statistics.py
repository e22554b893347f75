import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0002_unenforced_isolation"),
    ]

    operations = [
        migrations.RenameField(
            model_name="challenge",
            old_name="board_revision",
            new_name="leaderboard_revision",
        ),
        migrations.CreateModel(
            name="LeaderboardStatistics",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("phase", models.CharField(max_length=200)),
                ("settings", models.CharField(max_length=64)),
                ("intervals", models.JSONField(default=dict)),
                ("ranked", models.CharField(blank=True, max_length=64)),
                ("ranges", models.JSONField(default=dict)),
                ("no_ranges", models.TextField(blank=True)),
                ("cases", models.PositiveIntegerField(null=True)),
                ("computed", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "challenge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="palio.challenge"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="leaderboardstatistics",
            constraint=models.UniqueConstraint(fields=("challenge", "phase"), name="one_statistics_row_for_a_phase"),
        ),
    ]
