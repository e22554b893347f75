"""Palio timed against named baselines, side by side in one run; `make bench` runs all of it."""
