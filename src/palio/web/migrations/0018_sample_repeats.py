import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import palio.web.models.ids


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0017_similarity"),
    ]

    operations = [
        migrations.CreateModel(
            name="SampleRepeat",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("identity", models.CharField(default=palio.web.models.ids.new_id, max_length=16, unique=True)),
                ("started", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished", models.DateTimeField(null=True)),
                ("tries", models.PositiveIntegerField(default=0)),
                ("found", models.JSONField(default=dict)),
                ("failure", models.JSONField(null=True)),
                (
                    "attempt",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="palio.attempt"
                    ),
                ),
            ],
        ),
    ]
