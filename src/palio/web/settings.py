"""Django settings, derived from the platform's Configuration."""

import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from palio.web.config.configuration import read_configuration
from palio.web.config.data_folder import Folders
from palio.web.config.languages import LANGUAGE_NAMES
from palio.web.config.secret_key import read_secret

CONFIGURATION = read_configuration()
FOLDERS = Folders(CONFIGURATION.data)
_HERE = Path(__file__).parent
_ADDRESS = urlsplit(CONFIGURATION.url)

SECRET_KEY = CONFIGURATION.secret or read_secret(FOLDERS.keys)
DEBUG = False
STYLEGUIDE = DEBUG  # the page with all components
ALLOWED_HOSTS = [*CONFIGURATION.allowed_hosts, *([_ADDRESS.hostname] if _ADDRESS.hostname else [])]
if CONFIGURATION.is_local:
    ALLOWED_HOSTS += ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [f"{_ADDRESS.scheme}://{_ADDRESS.netloc}"] if CONFIGURATION.url else []

INSTALLED_APPS = [
    "palio.web",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.sitemaps",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_htmx",
]
MIDDLEWARE = [
    "palio.web.pages.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "palio.web.http.concurrency.ConcurrencyMiddleware",
    "palio.web.http.caching.CachingMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "palio.web.language.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "palio.web.access.tokens.TokenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "palio.web.access.fragments.FragmentsMiddleware",
    "palio.web.http.errors.ErrorMiddleware",
    "palio.web.access.middleware.AccessMiddleware",
    "palio.web.serving.admission.AdmissionMiddleware",
]
ROOT_URLCONF = "palio.web.urls"
WSGI_APPLICATION = "palio.web.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_HERE / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["django.template.loaders.filesystem.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "palio.web.pages.context.platform",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.l10n",
                "palio.web.templatetags.palio",
            ],
        },
    }
]

# -- database


def database_settings(url: str) -> dict[str, Any]:
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FOLDERS.database,
            "OPTIONS": {
                # A writing transaction waits for the lock at its start, where waiting is safe.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
            },
            "CONN_MAX_AGE": None,  # each thread keeps its connection
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": dict(parse_qsl(parts.query)),  # such as sslmode=require
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": database_settings(CONFIGURATION.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    # Shared by all processes, as rate limits of sign-ins must be. With Django's default of 300 entries, attempts
    # would be forgotten as soon as enough others were counted.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "palio_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
    "here": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "OPTIONS": {"MAX_ENTRIES": 500}},
}

# -- accounts

AUTH_USER_MODEL = "palio.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 10}  # type: ignore[assignment]
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
ACCOUNT_ADAPTER = "palio.web.pages.account_adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "optional" if CONFIGURATION.mail_url else "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = "[Palio] "
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_USERNAME_MIN_LENGTH = 2
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True  # the link and the new password are enough
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before changing an address that can reset the password
ACCOUNT_REAUTHENTICATION_METHODS = ("password", "mfa")  # no code by mail: access to the mailbox is not enough
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_TOLERANCE = 1  # one period, for clocks that are slightly off and codes typed late
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = CONFIGURATION.is_local
if CONFIGURATION.oidc_url:
    INSTALLED_APPS += ["allauth.socialaccount", "allauth.socialaccount.providers.openid_connect"]
    SOCIALACCOUNT_AUTO_SIGNUP = False  # usernames are public, so people choose their own
    SOCIALACCOUNT_PROVIDERS = {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": CONFIGURATION.oidc_name or "Single sign-on",
                    "client_id": CONFIGURATION.oidc_client,
                    "secret": CONFIGURATION.oidc_secret,
                    "settings": {"server_url": CONFIGURATION.oidc_url},
                }
            ]
        }
    }

# -- mail


def _mail(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp" and parts.port == 587,
        "EMAIL_TIMEOUT": 10,
    }


if CONFIGURATION.mail_url:
    globals().update(_mail(CONFIGURATION.mail_url))
    DEFAULT_FROM_EMAIL = CONFIGURATION.mail_from or "palio@localhost"
else:
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"

# -- security headers and cookies


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = CONFIGURATION.secure_cookies
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "palio.web.pages.errors.csrf_failure"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if CONFIGURATION.secure_cookies else 0
X_FRAME_OPTIONS = "DENY"
if CONFIGURATION.trust_proxy:
    # The proxy passes on the host name as Host, and appends the client's address to X-Forwarded-For: only the last
    # entry is trusted, not what a client puts there.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = CONFIGURATION.secure_cookies
    SECURE_REDIRECT_EXEMPT = ["^health$"]
    ALLAUTH_TRUSTED_PROXY_COUNT = 1
# Not Palio's decision: whether subdomains have TLS too (W005), and HSTS preloading (W021).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        # The form that starts sign-in at the identity provider is redirected there, which counts as its target.
        "form-action": ["'self'", *([_origin(CONFIGURATION.oidc_url)] if CONFIGURATION.oidc_url else [])],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
    }
}

# -- other

LANGUAGES = [*LANGUAGE_NAMES.items()]
LANGUAGE_CODE = "en"  # of what is said outside of a request: see language.middleware
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_HTTPONLY = True
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
STATIC_URL = "/static/"
STATIC_ROOT = FOLDERS.static
STATICFILES_DIRS = [_HERE / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_HANDLERS = [
    "palio.web.pages.file_forms.NoFiles"
]  # except in forms that expect a file: see pages.file_forms
WHITENOISE_ALLOW_ALL_ORIGINS = False  # other sites do not need these files
FILE_UPLOAD_TEMP_DIR = str(FOLDERS.uploads) if FOLDERS.uploads.is_dir() else tempfile.gettempdir()
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000  # chunks of uploads are streamed and exceed this
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "palio.web.config.log_format.formatter", "log_format": CONFIGURATION.log_format},
    },
    "filters": {
        "hide keys": {"()": "palio.web.http.request_log.HideKeys"},
        "only what broke": {"()": "palio.web.http.request_log.OnlyWhatBroke"},
    },
    "handlers": {
        "terminal": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["hide keys"]},
        "nowhere": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["terminal"], "level": "WARNING"},
    "loggers": {
        "palio": {"level": "INFO"},
        "django.request": {"level": "ERROR", "filters": ["only what broke"]},  # with its traceback, which no page shows
        "waitress": {"level": "ERROR"},  # it warns about every waiting request and every closed connection
        "django.security.DisallowedHost": {"handlers": ["nowhere"], "propagate": False},  # anyone can cause it
    },
}
