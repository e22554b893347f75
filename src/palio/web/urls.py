"""All addresses. Their names are what `access.rules` decides by."""

from django.conf import settings
from django.urls import include, path

from palio.web.api import api
from palio.web.pages import (
    account,
    board,
    challenge_files,
    challenge_settings,
    challenges,
    health,
    home,
    invitations,
    joining,
    operate_people,
    publishing,
    submission,
    teams,
)

pages = (
    [
        *home.urls,
        *health.urls,
        *account.urls,
        *board.urls,
        *challenge_files.urls,
        *challenge_settings.urls,
        *challenges.urls,
        *invitations.urls,
        *joining.urls,
        *operate_people.urls,
        *publishing.urls,
        *submission.urls,
        *teams.urls,
    ],
    "pages",
)

urlpatterns = [
    path("", include(pages)),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("api/v1/", api.urls),
]
if settings.CONFIGURATION.oidc_url:
    urlpatterns += [
        path("accounts/", include("allauth.socialaccount.urls")),
        path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),
    ]

handler400 = "palio.web.pages.errors.bad_request"
handler403 = "palio.web.pages.errors.forbidden"
handler404 = "palio.web.pages.errors.not_found"
handler500 = "palio.web.pages.errors.server_error"
