"""Decides what a participant may read of a log, a failure and a run folder."""
