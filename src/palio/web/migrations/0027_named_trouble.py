from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0023_team_profiles"),
    ]

    operations = [
        migrations.AddField(
            model_name="controllerbeat",
            name="named_trouble",
            field=models.JSONField(default=dict),
        ),
    ]
