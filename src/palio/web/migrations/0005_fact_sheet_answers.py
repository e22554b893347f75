from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0004_tus_uploads"),
    ]

    operations = [
        migrations.AddField("submission", "answers", models.JSONField(default=dict)),
    ]
