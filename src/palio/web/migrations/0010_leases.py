import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import palio.web.models.ids


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0009_metrics"),
    ]

    operations = [
        migrations.DeleteModel("ControllerBeat"),  # it only had the last heartbeat
        migrations.CreateModel(
            name="ControllerBeat",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=palio.web.models.ids.new_id,
                        editable=False,
                        max_length=16,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("started", models.DateTimeField(default=django.utils.timezone.now)),
                ("time", models.DateTimeField()),
                ("expires", models.DateTimeField(null=True)),
                ("process", models.CharField(max_length=80)),
                ("machine", models.CharField(blank=True, max_length=36)),
                ("slots", models.PositiveIntegerField(default=0)),
                ("engine", models.CharField(max_length=200)),
                ("unenforced", models.JSONField(default=list)),
                ("trouble", models.TextField(blank=True)),
                ("engine_check_s", models.FloatField(null=True)),
            ],
        ),
        migrations.AddField(
            "attempt",
            "holder",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="palio.controllerbeat",
            ),
        ),
        migrations.AddField("attempt", "fencing_token", models.PositiveIntegerField(default=0)),
    ]
