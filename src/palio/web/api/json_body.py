"""Parses JSON bodies, refusing text that cannot be stored, such as unpaired surrogates."""

import json
from typing import Any

from django.http import HttpRequest
from ninja.parser import Parser


class JsonParser(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        """Raises ValueError for invalid JSON or an unpaired escaped surrogate."""
        content = json.loads(request.body)
        if b"\\u" in request.body:
            json.dumps(content, ensure_ascii=False).encode()
        return content
