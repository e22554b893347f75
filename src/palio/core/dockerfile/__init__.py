"""Untrusted Dockerfiles: read, checked and resolved without building anything."""
