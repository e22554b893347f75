"""Where a server finds the platform's pages and API."""

import os
import sys
import threading

from django.core.wsgi import get_wsgi_application
from django.urls import base

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
# A thread that makes a large board anew holds up the others at each of their queries for this long, at 5 ms by default.
sys.setswitchinterval(0.0005)
# Django looks here at each address that it writes, behind one lock for all threads, so that asynchronous code finds the
# same: whichever is switched off while it has that lock stops all others. There is no asynchronous code here.
base._urlconfs = threading.local()  # type: ignore[attr-defined]
base._prefixes = threading.local()  # type: ignore[attr-defined]
application = get_wsgi_application()
