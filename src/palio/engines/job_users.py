"""The users that jobs run as. Each running job has its own, so that nothing the kernel counts by user is shared."""

import os
import re

from palio.core.engine import JOB_UIDS
from palio.core.errors import PalioError

VARIABLE = "PALIO_JOB_UIDS"
_LEAST, _MOST = 1000, 2**31


def job_uids() -> range:
    """The uids for jobs, each with the gid of the same number. Raises PalioError "usage"."""
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return JOB_UIDS
    match = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", text)
    if not match or not _LEAST <= int(match[1]) <= int(match[2]) < _MOST:
        raise PalioError(
            "usage",
            problem=f"{VARIABLE} is {text!r}, which is not a range of user ids of at least {_LEAST}.",
            next_step=f"Write the first and last uid of a range that no account of this machine uses, such as "
            f"{JOB_UIDS.start}-{JOB_UIDS.stop - 1}.",
        )
    return range(int(match[1]), int(match[2]) + 1)
