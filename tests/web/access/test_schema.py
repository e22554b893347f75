"""Whatever is sent to the API as its OpenAPI document allows, and some of what it does not, breaks nothing.

Schemathesis makes the requests; what is answered has to be a status that the document may have, and fit its schema.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import requests
import schemathesis
from django.core.cache import caches
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from ninja import Schema
from tests.web.access.everything import Everything, make_everything, whole
from tests.web.tus import VERSION
from tests.web.world import World

import palio.web.api

# Sent as they are:
schemathesis.serializer.alias(["application/zip", "application/offset+octet-stream"], "application/octet-stream")
EXAMPLES = int(os.environ.get("PALIO_API_EXAMPLES", "2"))  # for each operation and mode; see `make fuzz`


@pytest.fixture
def everything(world: World, tmp_path: Path) -> Everything:
    return make_everything(world, tmp_path)


def test_schema_names_unique() -> None:
    """Of two, the document would have the last alone."""
    made = {
        value
        for module in vars(palio.web.api).values()
        if isinstance(module, ModuleType)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Schema) and value.__module__ == module.__name__
    }
    assert {name for name, count in Counter(each.__name__ for each in made).items() if count > 1} == set()


@pytest.mark.parametrize("mode", [*schemathesis.GenerationMode])
def test_api_generated_requests(everything: Everything, browser: Callable[..., Client], mode: Any) -> None:
    """With what the document allows, then with what it does not; each request by a captain and by an organizer."""
    clients = [browser(everything.people[role]) for role in ("captain", "organizer")]
    for client in clients:
        client.raise_request_exception = False
    document = clients[0].get("/api/v1/openapi.json").json()
    schema: Any = schemathesis.openapi.from_dict(document)
    known = {
        "challenge": "mednist",
        "submission": everything.full.best.pk,
        "file": everything.full.best.file_id,
        "upload": everything.upload.pk,
        "team": everything.world.team.pk,
        "registration": everything.full.pending.pk,
        "rescore": everything.rescore,
        "number": everything.announcement.pk,
        "username": "vera",
        "token": everything.token.pk,
        "invitation": everything.invitations["api:revoke-invitation"],
    }
    wrong: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
            for client in clients:
                with transaction.atomic():
                    problem = judged(case, client)
                    transaction.set_rollback(True)
                caches["here"].clear()
                if problem:
                    wrong.append(problem)

        with suppress(Unsatisfiable):  # where nothing that could be sent is wrong
            ask()
    assert not wrong, "\n".join(sorted(set(wrong)))


def judged(case: Any, client: Client) -> str:
    """What is wrong with the answer, or nothing."""
    checks = schemathesis.checks
    request = requests.Request(**case.as_transport_kwargs("http://127.0.0.1")).prepare()
    headers = {name: str(value) for name, value in request.headers.items()} | VERSION  # or uploads answer only 412
    kind = headers.pop("Content-Type", "application/octet-stream")
    headers.pop("Content-Length", None)
    sent = request.body.encode() if isinstance(request.body, str) else request.body or b""
    answer = client.generic(str(request.method), request.path_url, sent, kind, headers=headers)
    content = whole(answer)
    given = {name.lower(): [value] for name, value in answer.items()}
    response = schemathesis.Response(answer.status_code, given, content, request, 0.1, verify=False)
    try:
        case.validate_response(
            response,
            checks=[
                checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )
    except AssertionError as problem:
        return f"{case.method} {case.path}: {answer.status_code} {str(problem)[:600]} {content[:200]!r}"
    except BaseExceptionGroup as problems:
        return f"{case.method} {case.path}: {answer.status_code} {problems.exceptions!r:.600} {content[:200]!r}"
    return ""
