from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0008_migrated_submissions"),
    ]

    operations = [
        migrations.AddField("controllerbeat", "engine_check_s", models.FloatField(null=True)),
        migrations.CreateModel(
            name="Counter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                ("labels", models.CharField(max_length=100)),
                ("value", models.FloatField(default=0.0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("name", "labels"), name="one_counter_for_its_labels"),
                ],
            },
        ),
    ]
