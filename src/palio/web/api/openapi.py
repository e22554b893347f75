"""The OpenAPI document: ninja's description of the operations, plus the error body that they share."""

from typing import Any

from ninja import NinjaAPI, Schema
from ninja.openapi.schema import OpenAPISchema

from palio.core.errors import Cause


class ErrorOut(Schema):
    """Why a request was refused, who is responsible, and what to do next."""

    code: str
    responsible: Cause
    message: str
    next_step: str
    evidence: list[str]


_REFUSED = {
    "description": "Refused",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}},
}


def answers(*kinds: str) -> dict[str, Any]:
    """For `openapi_extra` of an operation that responds with a file or text of one of these types."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {"responses": {200: {"description": "OK", "content": content}}}


class DocumentedAPI(NinjaAPI):
    """An API whose document includes the error responses."""

    def get_openapi_schema(self, **named: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**named)
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"] |= {"4XX": _REFUSED, "5XX": _REFUSED}
        return document
