"""Participants' and organizers' files and texts, read in child processes within limits."""
