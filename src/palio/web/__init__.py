"""The platform: one Django project with one app."""
