import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0007_statistics_of_each_leaderboard"),
    ]

    operations = [
        migrations.AddField(
            "submission",
            "migrated_from",
            models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="migrated_to",
                to="palio.submission",
            ),
        ),
    ]
