"""Making and revoking API tokens."""

import pytest
from tests.errors import code_of
from tests.web.world import World

from palio.web.access.tokens import find_token
from palio.web.models import ApiToken
from palio.web.verbs import tokens


def test_make_token_stores_hash(world: World) -> None:
    token, secret = tokens.make_token(world.bob, " my  laptop ", ["submit", "read"], days=7)
    assert (token.name, token.scopes) == ("my laptop", ["read", "submit"])
    assert find_token(secret) == token
    assert all(secret not in str(value) for value in ApiToken.objects.values().get().values())


def test_revoke_token(world: World) -> None:
    token, secret = tokens.make_token(world.bob, "laptop", ["read"], days=None)
    tokens.revoke_token(token, actor=world.bob)
    assert find_token(secret) is None
    assert not tokens.valid_tokens(world.bob).exists()


@pytest.mark.parametrize(
    ("name", "scopes", "days", "code"),
    [
        ("", ["read"], 1, "token-name-invalid"),
        ("x", [], 1, "token-without-scope"),
        ("x", ["account"], 1, "token-scope-unknown"),
        ("x", ["read"], 0, "token-days-invalid"),
        ("x", ["read"], 1000, "token-days-invalid"),
    ],
)
def test_make_token_invalid(world: World, name: str, scopes: list[str], days: int, code: str) -> None:
    assert code_of(lambda: tokens.make_token(world.bob, name, scopes, days=days)) == code


def test_make_token_too_many(world: World) -> None:
    for _ in range(tokens.MOST_VALID):
        tokens.make_token(world.bob, "x", ["read"], days=1)
    assert code_of(lambda: tokens.make_token(world.bob, "x", ["read"], days=1)) == "tokens-too-many"
