"""What can be done on the platform: one module per verb, for pages, API and command line alike.

Each checks what is asked, changes rows in one transaction, and leaves an event. They raise PalioError where they
refuse; who may ask at all is decided before, by `web.access`.
"""
