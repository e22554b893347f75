"""Scores, ranking, ties and computed columns; leaderboards of run folders. For CLI, web and `core.evaluate`."""
