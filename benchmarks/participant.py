"""A challenge on a benchmark's platform, and participants who have joined it, each in a team of their own."""

import os
import subprocess
import sys
from pathlib import Path

SLUG = "bench"
SET_UP = """
import sys
from pathlib import Path
import django
django.setup()
from palio.web.access.tokens import hashed, new_secret
from palio.web.storage.bundles import current_bundle
from palio.web.models import ApiToken, User
from palio.web.verbs.joining import join, terms_of
from palio.web.verbs.publish import publish
alice = User.objects.create_user("alice", password="alice-long-password")
challenge = publish(Path(sys.argv[1]), actor=alice, slug=sys.argv[2]).challenge
terms = terms_of(current_bundle(challenge))
for name in ["bob", *(f"bob-{number}" for number in range(2, int(sys.argv[3]) + 1))]:
    bob = User.objects.create_user(name, password=f"{name}-long-password")
    join(challenge, bob, terms_digest=terms.digest if terms else "")
    secret = new_secret()
    ApiToken.objects.create(user=bob, name="t", scopes=["read", "submit"], secret_hash=hashed(secret))
    print(secret)
"""


def join_challenge(data: Path, bundle: Path) -> str:
    """Publishes `bundle` on the platform with this data folder; returns the token of a participant."""
    (token,) = join_as_several(data, bundle, 1)
    return token


def join_as_several(data: Path, bundle: Path, many: int, database_url: str = "") -> list[str]:
    """The same with `many` participants, each of whom may have one submission on its way."""
    setting = os.environ | {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    setting |= {"DATABASE_URL": database_url} if database_url else {}
    made = [sys.executable, "-c", SET_UP, str(bundle), SLUG, str(many)]
    return subprocess.run(made, env=setting, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
