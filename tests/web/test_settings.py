"""What the configuration makes of Django's settings, seen from a fresh process as settings are read once."""

import json
import subprocess
import sys
from pathlib import Path

from tests.web.serving.running import environment

EXPOSED = {
    "PALIO_URL": "https://palio.example.org",
    "PALIO_HOST": "0.0.0.0",  # noqa: S104
    "PALIO_SECRET": "quite secret, " * 5,
    "PALIO_SECURE_COOKIES": "true",
    "PALIO_TRUST_PROXY": "true",
}
SHOW = "import json, sys, palio.web.settings as s; print(json.dumps({n: getattr(s, n, None) for n in sys.argv[1:]}))"


def settings_of(data: Path, *names: str, **given: str) -> dict[str, object]:
    command = [sys.executable, "-c", SHOW, *names]
    result = subprocess.run(command, env=environment(PALIO_DATA=str(data), **given), capture_output=True, check=True)
    return dict(json.loads(result.stdout))


def test_production_deploy_checks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "django", "check", "--deploy", "--fail-level", "WARNING"]
    given = environment(PALIO_DATA=str(tmp_path), DJANGO_SETTINGS_MODULE="palio.web.settings", **EXPOSED)
    result = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_allowed_hosts(tmp_path: Path) -> None:
    names = ("ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS")
    assert settings_of(tmp_path, *names) == {
        "ALLOWED_HOSTS": ["127.0.0.1", "localhost", "[::1]"],
        "CSRF_TRUSTED_ORIGINS": [],
    }
    assert settings_of(tmp_path, *names, **EXPOSED) == {
        "ALLOWED_HOSTS": ["palio.example.org"],
        "CSRF_TRUSTED_ORIGINS": ["https://palio.example.org"],
    }


def test_proxy_headers_only_with_proxy(tmp_path: Path) -> None:
    names = ("SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT", "USE_X_FORWARDED_HOST", "SECURE_SSL_REDIRECT")
    assert settings_of(tmp_path, *names) == dict.fromkeys(names)
    assert settings_of(tmp_path, *names, **EXPOSED) == {
        "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        "ALLAUTH_TRUSTED_PROXY_COUNT": 1,
        "USE_X_FORWARDED_HOST": None,
        "SECURE_SSL_REDIRECT": True,
    }


def test_database_url_parsed(tmp_path: Path) -> None:
    url = "postgresql://pa%40lio:p%2Fss@db.example:5433/the%20one?sslmode=require"
    databases = settings_of(tmp_path, "DATABASES", DATABASE_URL=url)["DATABASES"]
    assert databases == {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "the one",
            "USER": "pa@lio",
            "PASSWORD": "p/ss",
            "HOST": "db.example",
            "PORT": "5433",
            "OPTIONS": {"sslmode": "require"},
            "CONN_MAX_AGE": 600,
            "CONN_HEALTH_CHECKS": True,
        }
    }


def test_mail_url_parsed(tmp_path: Path) -> None:
    given = {"PALIO_MAIL_URL": "smtp://me:p%40ss@mail.example:587", "PALIO_MAIL_FROM": "palio@example.org"}
    names = ("EMAIL_HOST", "EMAIL_PORT", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS", "DEFAULT_FROM_EMAIL")
    assert settings_of(tmp_path, *names, **given) == {
        "EMAIL_HOST": "mail.example",
        "EMAIL_PORT": 587,
        "EMAIL_HOST_PASSWORD": "p@ss",
        "EMAIL_USE_TLS": True,
        "DEFAULT_FROM_EMAIL": "palio@example.org",
    }
