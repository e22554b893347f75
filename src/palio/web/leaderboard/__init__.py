"""The ranked rows of a phase with their statistics."""
