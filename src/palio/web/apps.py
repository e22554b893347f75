from django.apps import AppConfig


class PalioConfig(AppConfig):
    name = "palio.web"
    label = "palio"
    default_auto_field = "django.db.models.BigAutoField"
