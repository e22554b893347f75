"""Which operation of the API a request is for.

An address with several methods has one URL pattern in Django, named after its first operation. By that name alone, who
may see something could also change it. So the API registers its operations here.
"""

from collections.abc import Mapping

API = "api:"
_siblings: dict[str, Mapping[str, str]] = {}  # by operation: all operations at its address, by method


def register(names: Mapping[str, str]) -> None:
    """Registers the operations of one address: their names by method."""
    by_method = {method: f"{API}{name}" for method, name in names.items()}
    _siblings.update(dict.fromkeys(by_method.values(), by_method))


def operation_name(view_name: str, method: str | None) -> str:
    """The operation's name; for a method without an operation, the pattern's name, as ninja then refuses the request."""
    return _siblings.get(view_name, {}).get(method or "", view_name)


def methods_at(view_name: str) -> tuple[str, ...]:
    """The methods of the address; empty if it is not one of the API."""
    return tuple(sorted(_siblings.get(view_name, {})))
