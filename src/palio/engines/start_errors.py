"""What a container runtime says when it cannot start a program."""


def innermost_cause(error: str) -> str:
    """The end of the runtime's chain of causes, which is the informative part: `exec: "foo": not found`."""
    stripped = error.strip()
    return f"exec: {cause}" if (cause := stripped.rpartition("exec: ")[2]) != stripped else stripped
