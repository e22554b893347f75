"""Pagination: `?limit=50&offset=0` returns `{items, count, limit, offset}`.

@router.get("/things", response=Paged[ThingOut])
def list_things(request: HttpRequest, page: PageQuery) -> dict[str, Any]:
    return page_of(Thing.objects.order_by("-created"), page, thing_out)
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from django.db.models import Model, QuerySet
from ninja import Query, Schema
from pydantic import Field

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


class Paged(Schema, Generic[Item]):
    items: list[Item]
    count: int  # total
    limit: int
    offset: int


class PageRange(Schema):
    limit: int = Field(50, ge=1, le=100)
    offset: int = Field(0, ge=0, le=1_000_000_000)


PageQuery = Annotated[PageRange, Query()]


def page_of(rows: "QuerySet[Row] | Sequence[Any]", wanted: PageRange, shown: Callable[[Any], object]) -> dict[str, Any]:
    """One page of the ordered `rows`, each converted by `shown`."""
    count = rows.count() if isinstance(rows, QuerySet) else len(rows)
    part = rows[wanted.offset : wanted.offset + wanted.limit]
    return {"items": [shown(row) for row in part], "count": count, "limit": wanted.limit, "offset": wanted.offset}
