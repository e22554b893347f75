"""Where a server finds the platform's pages and API."""

import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
# A thread that makes a large board anew holds up the others at each of their queries for this long, at 5 ms by default.
sys.setswitchinterval(0.0005)
application = get_wsgi_application()
