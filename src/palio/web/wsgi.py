"""Where a server finds the platform's pages and API."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
application = get_wsgi_application()
