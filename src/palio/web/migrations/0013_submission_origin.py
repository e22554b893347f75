from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0010_leases"),
    ]

    operations = [
        migrations.AddField(
            model_name="storedfile",
            name="facts",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="storedfile",
            name="origin",
            field=models.JSONField(default=dict),
        ),
    ]
