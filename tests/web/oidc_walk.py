"""Signs up at a platform that is configured for an identity provider. Run as a program of its own by test_oidc.

Prints what happened, as JSON.
"""

import json
import re
import sys
from urllib.parse import parse_qs, urlsplit

import django
from django.core.management import call_command

import palio.web.settings as own

own.FOLDERS.make()
django.setup()

from django.test import Client  # noqa: E402

from palio.web.models import User  # noqa: E402


def walk() -> dict[str, object]:
    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    call_command("collectstatic", verbosity=0, interactive=False)
    client = Client(SERVER_NAME="127.0.0.1")
    page = client.get("/accounts/login/")
    link = re.search(r'href="(/accounts/oidc/[^"]+)">([^<]+)<', page.text)
    if link is None:
        return {"button": None}
    asked = client.post(link[1].replace("&amp;", "&"))
    there = urlsplit(asked.headers["Location"])
    state = parse_qs(there.query)["state"][0]
    back = client.get(f"/accounts/oidc/oidc/login/callback/?code=a-code&state={state}", follow=True)
    done = client.post("/accounts/3rdparty/signup/", {"username": "newcomer", "email": "new@example.org"}, follow=True)
    return {
        "button": link[2],
        "to": f"{there.scheme}://{there.netloc}{there.path}",
        "form-action": next(
            part.strip() for part in page.headers["Content-Security-Policy"].split(";") if "form-action" in part
        ),
        "form": [back.status_code, back.request["PATH_INFO"]],
        "account": [done.status_code, list(User.objects.values_list("username", flat=True))],
    }


json.dump(walk(), sys.stdout)
