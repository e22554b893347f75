"""Finds the API operation of a request.

In Django, a URL with several methods has one pattern, named after its first operation. If only that name counted,
somebody could change what they may only see. So the API registers its operations here.
"""

from collections.abc import Mapping

API = "api:"
_siblings: dict[str, Mapping[str, str]] = {}  # operation name -> all operations at its URL, by method


def register(names: Mapping[str, str]) -> None:
    """Register the operations of one URL, by method."""
    by_method = {method: f"{API}{name}" for method, name in names.items()}
    _siblings.update(dict.fromkeys(by_method.values(), by_method))


def operation_name(view_name: str, method: str | None) -> str:
    """The name of the operation; for a method without one, the pattern's name, since ninja then refuses the request."""
    return _siblings.get(view_name, {}).get(method or "", view_name)


def methods_at(view_name: str) -> tuple[str, ...]:
    """The methods of the URL; empty if it belongs to no operation."""
    return tuple(sorted(_siblings.get(view_name, {})))
