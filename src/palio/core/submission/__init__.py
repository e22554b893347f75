"""Submissions: their kind, saved images, and packing one from a folder."""
