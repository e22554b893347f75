from typing import Any

from django.db import migrations


def remove_unfinished(apps: Any, _: Any) -> None:
    """Their chunks lie anywhere in the file, whose size says nothing. The controller removes the folders."""
    apps.get_model("palio", "Upload").objects.filter(file=None).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("palio", "0003_leaderboard_statistics"),
    ]

    operations = [
        migrations.DeleteModel(name="UploadedChunk"),
        migrations.RunPython(remove_unfinished, migrations.RunPython.noop),
        migrations.RemoveField(model_name="upload", name="chunk_bytes"),
    ]
