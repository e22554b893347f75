"""JSON that clients send, as text that everything behind can keep: no half of a character."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises ValueError for what is no JSON, or holds an escaped surrogate without its other half."""
        content = json.loads(request.body)
        if b"\\u" in request.body:
            json.dumps(content, ensure_ascii=False).encode()
        return content
