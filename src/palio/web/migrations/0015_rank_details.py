from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0013_submission_origin"),
    ]

    operations = [
        migrations.AddField(
            model_name="leaderboardstatistics",
            name="details",
            field=models.JSONField(default=dict),
        ),
    ]
