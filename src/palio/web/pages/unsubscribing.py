"""The page of the link in a mail that ends mails of its kind. It needs no sign-in: the link is signed."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from palio.web.verbs import unsubscribing


@csrf_exempt  # mail programs post without cookies (RFC 8058); the link is what permits it
@never_cache
def unsubscribe(request: HttpRequest, link: str) -> HttpResponse:
    """POST ends mails of the link's kind, or with `mails=all` of all. GET only asks: mail scanners follow links."""
    found = unsubscribing.read_link(link)
    if found is None:
        raise Http404
    everything = request.POST.get("mails") == "all"
    if request.method == "POST":
        unsubscribing.unsubscribe(found, everything=everything)
    context = {"subscription": found, "is_done": request.method == "POST", "everything": everything}
    return render(request, "notifications/unsubscribe.html", context)


urls = [path("unsubscribe/<str:link>/", unsubscribe, name="unsubscribe")]
