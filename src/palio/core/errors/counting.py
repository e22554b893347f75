"""Counts of things in the sentences of errors."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `3 files`, `1,000 entries`: a count as it reads in a sentence."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
