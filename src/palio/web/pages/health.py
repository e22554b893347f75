"""Health of the pages and the controller, for monitoring."""

from datetime import timedelta

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils import timezone

from palio.web.models import ControllerBeat

LATE = timedelta(seconds=30)


def health(request: HttpRequest) -> JsonResponse:
    beat = ControllerBeat.objects.first()
    running = beat is not None and timezone.now() - beat.time < LATE
    trouble = beat.trouble if beat else ""
    return JsonResponse({"pages": "up", "controller": "up" if running else "down", "trouble": trouble})


urls = [path("health", health, name="health")]
