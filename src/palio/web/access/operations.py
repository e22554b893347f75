"""Which operation of the API a request is for.

An address that answers several methods has one URL pattern in Django, named after the first of its operations, so that
the pattern's name alone would let somebody change what they may only see.
"""

from collections.abc import Mapping
from functools import lru_cache

API = "api:"


def operation_name(view_name: str, method: str | None) -> str:
    """The name of the operation; of a method that none is for, the pattern's own name, as ninja then refuses it."""
    siblings = _siblings().get(view_name)
    return siblings.get(method or "", view_name) if siblings else view_name


def methods_at(view_name: str) -> tuple[str, ...]:
    """The methods that the address answers to; none where it is no operation's."""
    return tuple(sorted(_siblings().get(view_name, {})))


@lru_cache(maxsize=1)
def _siblings() -> Mapping[str, Mapping[str, str]]:
    """For each operation's name, all operations at its address, by their methods."""
    from palio.web.api import api  # which itself needs what is here

    found: dict[str, Mapping[str, str]] = {}
    for _, router in api._routers:
        for path_view in router.path_operations.values():
            by_method = {
                method: f"{API}{operation.url_name}"
                for operation in path_view.operations
                for method in operation.methods
                if getattr(operation, "url_name", None)
            }
            found |= dict.fromkeys(by_method.values(), by_method)
    return found
