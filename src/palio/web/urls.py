"""All URLs. Their names are the keys of `access.rules`."""

from django.conf import settings
from django.urls import include, path

from palio.web.api import api
from palio.web.pages import (
    account,
    accounts,
    activity,
    announcements,
    audit_log,
    challenge_files,
    challenge_settings,
    challenges,
    compare,
    crawlers,
    dashboard,
    dashboard_submissions,
    edit,
    feeds,
    health,
    home,
    invitations,
    joining,
    language,
    leaderboard,
    messages,
    notifications,
    participants,
    publishing,
    registry_accounts,
    rescores,
    statistics,
    styleguide,
    submission,
    submissions,
    teams,
    unsubscribing,
    webhooks,
)

pages = (
    [
        *home.urls,
        *health.urls,
        *crawlers.urls,
        *feeds.urls,
        *account.urls,
        *notifications.urls,
        *language.urls,
        *unsubscribing.urls,
        *leaderboard.urls,
        *statistics.urls,
        *compare.urls,
        *challenge_files.urls,
        *challenge_settings.urls,
        *challenges.urls,
        *activity.urls,
        *dashboard.urls,
        *edit.urls,
        *announcements.urls,
        *messages.urls,
        *audit_log.urls,
        *participants.urls,
        *rescores.urls,
        *dashboard_submissions.urls,
        *invitations.urls,
        *joining.urls,
        *accounts.urls,
        *publishing.urls,
        *submission.urls,
        *submissions.urls,
        *teams.urls,
        *styleguide.urls,
        *webhooks.urls,
        *registry_accounts.urls,
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
handler429 = "palio.web.pages.errors.too_many"  # used by allauth; Django has no such handler
handler500 = "palio.web.pages.errors.server_error"
