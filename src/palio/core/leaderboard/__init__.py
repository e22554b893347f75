"""Scores, ranking, ties and computed columns."""
