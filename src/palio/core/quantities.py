"""Formats sizes and durations for people."""

KIB, MIB, GIB = 1024, 1024**2, 1024**3


def size_text(size_bytes: float) -> str:
    """`512 B`, `64.0 MiB`, `4.00 GiB`: three significant digits."""
    if size_bytes < KIB:
        return f"{size_bytes:.0f} B"
    for unit, name in ((KIB, "KiB"), (MIB, "MiB"), (GIB, "GiB")):
        value = size_bytes / unit
        if value < KIB or unit == GIB:
            return f"{value:.2f} {name}" if value < 10 else f"{value:.1f} {name}"
    raise AssertionError


def duration_text(seconds: float) -> str:
    """`0.8 s`, `83 s`, `8 min 20 s`, `2 h 05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 120:
        return f"{minutes} min {rest:02d} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
