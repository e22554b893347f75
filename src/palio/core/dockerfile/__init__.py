"""Dockerfiles from strangers: read, checked and resolved without building anything."""
