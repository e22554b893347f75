"""Signing in with an identity provider, which is there when it is configured; a small one answers here."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest


class _Provider(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        here = f"http://{self.headers['Host']}"
        known: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": here,
                "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token",
                "userinfo_endpoint": f"{here}/userinfo",
                "jwks_uri": f"{here}/keys",
            },
            "/token": {"access_token": "a-token", "token_type": "Bearer"},
            "/userinfo": {"sub": "1", "email": "new@example.org", "preferred_username": "newcomer"},
        }
        body = json.dumps(known[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815 - as http.server asks

    def log_message(self, *args: object) -> None:
        """It is quiet."""


@pytest.fixture
def provider() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Provider) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def walked(data: Path, **more: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PALIO_", "DATABASE"))}
    environment |= {"PALIO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "palio.web.settings", **more}
    walk = Path(__file__).with_name("oidc_walk.py")
    done = subprocess.run([sys.executable, walk], env=environment, capture_output=True, text=True, cwd=data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_account_from_identity_provider(provider: str, tmp_path: Path) -> None:
    assert walked(
        tmp_path,
        PALIO_OIDC_URL=provider,
        PALIO_OIDC_NAME="The University",
        PALIO_OIDC_CLIENT="palio",
        PALIO_OIDC_SECRET="x",
    ) == {
        "button": "The University",
        "to": f"{provider}/authorize",
        "form-action": f"form-action 'self' {provider}",
        "form": [200, "/accounts/3rdparty/signup/"],
        "account": [200, ["newcomer"]],
    }


def test_no_button_without_provider(tmp_path: Path) -> None:
    assert walked(tmp_path) == {"button": None}
