"""A challenge on a benchmark's platform, and somebody who takes part in it."""

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
from palio.web.bundles import current_bundle
from palio.web.models import ApiToken, User
from palio.web.verbs.joining import join, terms_of
from palio.web.verbs.publish import publish
alice, bob = (User.objects.create_user(name, password=f"{name}-long-password") for name in ("alice", "bob"))
challenge = publish(Path(sys.argv[1]), actor=alice, slug=sys.argv[2]).challenge
terms = terms_of(current_bundle(challenge))
join(challenge, bob, terms_digest=terms.digest if terms else "")
secret = new_secret()
ApiToken.objects.create(user=bob, name="t", scopes=["read", "submit"], secret_hash=hashed(secret))
print(secret)
"""


def join_challenge(data: Path, bundle: Path) -> str:
    """Publishes `bundle` on the platform with this data folder; returns the token of somebody who has joined."""
    setting = os.environ | {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings"}
    made = [sys.executable, "-c", SET_UP, str(bundle), SLUG]
    return subprocess.run(made, env=setting, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
