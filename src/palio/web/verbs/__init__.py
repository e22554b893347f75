"""Verbs: everything that can be done on the platform, one module each, for pages, API and CLI.

Each checks its input, changes rows in one transaction, and records an event.
A refusal is a PalioError. Access is decided before, by `web.access`.
"""
