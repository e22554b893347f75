"""The platform: one Django project with one app. Views and API translate; verbs do; the controller evaluates."""
