"""The OpenAPI document: ninja's operations, plus the error body that they share."""

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

REFUSAL: dict[str, Any] = {
    "type": "object",
    "title": "Refusal",
    "description": "What is in the way, and what to do about it. `cause`: whose turn it is, where something failed.",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "next_step": {"type": "string"},
        "evidence": {"type": "array", "items": {"type": "string"}},
        "cause": {"type": "string"},
    },
    "required": ["code", "message", "next_step", "evidence"],
}
_REFUSED = {
    "description": "Refused",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
}


def answers(*kinds: str) -> dict[str, Any]:
    """For `openapi_extra` of an operation that responds with a file or text of one of these types."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {"responses": {200: {"description": "OK", "content": content}}}


class DocumentedAPI(NinjaAPI):
    """An API whose document includes the error responses."""

    def get_openapi_schema(self, **named: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**named)
        document["components"].setdefault("schemas", {})["Refusal"] = REFUSAL
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["responses"] |= {"4XX": _REFUSED, "5XX": _REFUSED}
        return document
