from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0027_mail_kind"),
    ]

    operations = [
        migrations.AddField(
            model_name="controllerbeat",
            name="named_trouble",
            field=models.JSONField(default=dict),
        ),
    ]
