"""One attempt of an evaluation: its jobs, run folder, inputs, progress and verdict."""
