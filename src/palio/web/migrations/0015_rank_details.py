from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0010_leases"),
    ]

    operations = [
        migrations.AddField(
            model_name="leaderboardstatistics",
            name="details",
            field=models.JSONField(default=dict),
        ),
    ]
