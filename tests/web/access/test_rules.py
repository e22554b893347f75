"""The table of rules, and what views say of it."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, get_args, get_type_hints

from django.urls import URLPattern, get_resolver

from palio.web.access.rules import RULES, SUBJECTS, find_rule
from palio.web.api import api


def views() -> Iterator[tuple[str, Callable[..., Any]]]:
    """All views of pages and operations of the API, by their names."""
    for pattern in get_resolver().namespace_dict["pages"][1].url_patterns:
        assert isinstance(pattern, URLPattern)
        yield f"pages:{pattern.name}", inspect.unwrap(pattern.callback)
    for _, router in api._routers:
        for path_view in router.path_operations.values():
            for operation in path_view.operations:
                yield f"api:{operation.url_name}", inspect.unwrap(operation.view_func)


def test_rule_names_unique() -> None:
    names = Counter(name for operation, rule in RULES.items() for name in (operation, *rule.names))
    assert {name for name, count in names.items() if count > 1} == set()


def test_rule_table_names_exist() -> None:
    used = {name.partition(":")[2] for name, _ in views()} | {"openapi-json", "api-root"}
    assert {name for operation, rule in RULES.items() for name in (operation, *rule.names)} == used


def test_unlisted_operation_denied() -> None:
    assert [find_rule(name) for name in ("pages:new", "api:new", "submit", "", "admin:index", "other:submit")] == [
        None
    ] * 6


def test_view_subjects_match_rules() -> None:
    wrong = {}
    for name, view in views():
        rule = find_rule(name)
        assert rule is not None, name
        expected = get_args(get_type_hints(view)["request"])
        found = (SUBJECTS[rule.of][0],) if rule.of else ()
        kinds = [{*(get_args(each) or (each,))} - {type(None)} for each in expected]  # a view may take several
        if not (all(kind in of for kind, of in zip(found, kinds, strict=True)) if found else not any(kinds)):
            wrong[name] = (expected, found)
    assert wrong == {}
