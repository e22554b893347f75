"""Bytes changed at random. PALIO_FUZZ_EXAMPLES says how many a test tries; a few hundred unless set."""

import os
import random
from datetime import timedelta
from tarfile import BLOCKSIZE

from hypothesis import HealthCheck, settings

EXAMPLES = int(os.environ.get("PALIO_FUZZ_EXAMPLES", "300"))

# An example that takes longer counts as a hang.
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=timedelta(seconds=10),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    database=None,
)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A few bytes overwritten, and perhaps a piece cut off, left out, or put in twice."""
    data = bytearray(content)
    for _ in range(chance.randint(0, 20)):
        data[chance.randrange(len(data))] = chance.choice((0, 0x30, 0xFF, chance.randrange(256)))
    begin, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    match chance.randrange(6):
        case 0:
            del data[end:]
        case 1:
            del data[begin:end]
        case 2:
            data[begin:begin] = data[begin:end]
    return bytes(data)


def with_mutated_headers(archive: bytes, chance: random.Random) -> bytes:
    """A tar whose headers say something else, with checksums that are right, so that readers believe them."""
    data = bytearray(archive)
    headers = [at for at in range(0, len(data) - BLOCKSIZE, BLOCKSIZE) if data[at + 257 : at + 262] == b"ustar"]
    for at in chance.sample(headers, min(len(headers), chance.randint(1, 3))):
        field, width = chance.choice(((0, 100), (100, 8), (124, 12), (156, 1), (157, 100), (329, 8), (345, 155)))
        values: tuple[bytes, ...] = (
            bytes(width),
            b"7" * width,
            b"\xff" * width,
            b"\x80" + bytes(width - 1),
            b"../" * (width // 3),
            chance.choice(b"0123456789xgLKSVNDM").to_bytes(1, "big") * width,
            chance.randbytes(width),
        )
        value = chance.choice(values)[:width]
        data[at + field : at + field + len(value)] = value
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + BLOCKSIZE])
    return bytes(data)
