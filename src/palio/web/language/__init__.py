"""Pages in the reader's language: which one it is, sentences of `palio.core`, numbers, and words for states."""
