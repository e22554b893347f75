from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0005_fact_sheet_answers"),
    ]

    operations = [
        migrations.AddField("submission", "chosen", models.DateTimeField(null=True)),
    ]
