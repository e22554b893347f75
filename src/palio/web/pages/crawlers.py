"""What search engines may read, and where it is."""

from django.contrib.sitemaps import Sitemap
from django.contrib.sitemaps.views import sitemap as sitemap_response
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path, reverse

from palio.web.models import Challenge

# Pages without an end or without a use for others, which a crawler would request again and again.
_NOT_CRAWLED = (
    "/api/",
    "/accounts/",
    "/account/",
    "/publish/",
    "/operate/",
    "/unsubscribe/",
    "/c/*/manage/",
    "/*?*sort=",
)


class Challenges(Sitemap):  # type: ignore[type-arg]  # it takes no argument at run time
    def items(self) -> QuerySet[Challenge]:
        listed = Challenge.objects.exclude(current=None).exclude(visibility=Challenge.Visibility.DRAFT)
        return listed.select_related("current").order_by("slug")

    def location(self, item: Challenge) -> str:
        return reverse("pages:challenge", args=[item.slug])

    def lastmod(self, item: Challenge) -> object:
        return item.current.published if item.current else None


def robots(request: HttpRequest) -> HttpResponse:
    lines = ["User-agent: *", *(f"Disallow: {address}" for address in _NOT_CRAWLED)]
    lines.append(f"Sitemap: {request.build_absolute_uri(reverse('pages:sitemap'))}")
    return HttpResponse("\n".join(lines) + "\n", "text/plain; charset=utf-8")


def sitemap(request: HttpRequest) -> HttpResponseBase:
    response: HttpResponseBase = sitemap_response(request, {"challenges": Challenges})
    return response


urls = [
    path("robots.txt", robots, name="robots"),
    path("sitemap.xml", sitemap, name="sitemap"),
]
