"""Which operation of the API a request is for.

An address that answers several methods has one URL pattern in Django, named after the first of its operations, so that
the pattern's name alone would let somebody change what they may only see. The API registers its operations here.
"""

from collections.abc import Mapping

API = "api:"
_siblings: dict[str, Mapping[str, str]] = {}  # for each operation's name, all at its address, by their methods


def register(names: Mapping[str, str]) -> None:
    """The operations of one address: their names by method."""
    by_method = {method: f"{API}{name}" for method, name in names.items()}
    _siblings.update(dict.fromkeys(by_method.values(), by_method))


def operation_name(view_name: str, method: str | None) -> str:
    """The name of the operation; of a method that none is for, the pattern's own name, as ninja then refuses it."""
    return _siblings.get(view_name, {}).get(method or "", view_name)


def methods_at(view_name: str) -> tuple[str, ...]:
    """The methods that the address answers to; none where it is no operation's."""
    return tuple(sorted(_siblings.get(view_name, {})))
