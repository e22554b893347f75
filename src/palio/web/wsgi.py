"""The WSGI application: pages and API."""

import os
import sys
import threading

from django.core.wsgi import get_wsgi_application
from django.urls import base

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "palio.web.settings")
# A thread that builds a large leaderboard blocks the others for this long at each of their queries (default 5 ms).
sys.setswitchinterval(0.0005)
# Django reads this for every URL it writes, behind one lock for all threads, for the sake of asynchronous code. A
# preempted holder of that lock would stop all others. There is no asynchronous code here.
base._urlconfs = threading.local()  # type: ignore[attr-defined]
base._prefixes = threading.local()  # type: ignore[attr-defined]
application = get_wsgi_application()
