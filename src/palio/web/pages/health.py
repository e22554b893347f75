"""Health of the pages and the controller, for monitoring."""

from django.http import HttpRequest, JsonResponse
from django.urls import path

from palio.web.queries.queue import controller


def health(request: HttpRequest) -> JsonResponse:
    found = controller()
    return JsonResponse({"pages": "up", "controller": "up" if found.lives else "down", "trouble": found.trouble})


urls = [path("health", health, name="health")]
