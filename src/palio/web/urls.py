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
    desk,
    desk_announcements,
    desk_audit,
    desk_people,
    desk_rescores,
    desk_submission,
    health,
    home,
    invitations,
    joining,
    operate_people,
    publishing,
    submission,
    submitting,
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
        *desk.urls,
        *desk_announcements.urls,
        *desk_audit.urls,
        *desk_people.urls,
        *desk_rescores.urls,
        *desk_submission.urls,
        *invitations.urls,
        *joining.urls,
        *operate_people.urls,
        *publishing.urls,
        *submission.urls,
        *submitting.urls,
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
        path("accounts/3rdparty/", include("allauth.socialaccount.urls")),
        path("accounts/", include("allauth.socialaccount.providers.openid_connect.urls")),
    ]

handler400 = "palio.web.pages.errors.bad_request"
handler403 = "palio.web.pages.errors.forbidden"
handler404 = "palio.web.pages.errors.not_found"
handler429 = "palio.web.pages.errors.too_many"  # allauth's own; Django has none
handler500 = "palio.web.pages.errors.server_error"
