"""Bundles: competition.yaml, the data and files that it names, and training."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "bundle-missing": FailureKind(
        _O,
        "{path} is not a challenge: {reason}.",
        "Name a folder that has competition.yaml at its top level.",
    ),
    "bundle-invalid": FailureKind(
        _O,
        "{path} has {count}.",
        "Fix what is listed, then run `palio check {folder}` again.",
    ),
    "bundle-unreadable": FailureKind(
        _O,
        "{name} could not be read: {reason}.",
        "Shorten or simplify competition.yaml, and the pages and terms that it names. Offer large tables as files to "
        "download.",
    ),
    "challenge-over-limits": FailureKind(
        _O,
        "Reading the challenge's own files failed twice: {reason}.",
        "In competition.yaml, the data and the scoring program, look for a file that is very large, deeply nested, or "
        "unpacks to far more than its size. Make it smaller and publish the challenge again.",
        participant="The challenge's own files could not be read.",
    ),
    "phase-unknown": FailureKind(
        _U,
        "The challenge has no phase named “{phase}”; it has {phases}.",
        "Choose one of these; on the command line, with --phase.",
        status=422,
    ),
    "data-missing": FailureKind(
        _O,
        "{path}, which competition.yaml names as {field}, is missing or empty.",
        "{next_step}",
        participant="Data of the challenge is missing, so nothing could be evaluated.",
    ),
    "blind-unfit": FailureKind(
        _O,
        "The inputs of the challenge cannot be renamed: palio.blind{reason}.",
        "Correct `palio.blind` in competition.yaml; `palio check` shows the same.",
        participant="The challenge's settings do not fit its data, so nothing could be evaluated.",
    ),
    "folder-unreadable": FailureKind(
        _O,
        "{path} cannot be used: {reason}.",
        "Make sure that it contains only regular files and folders.",
    ),
    "data-mismatch": FailureKind(
        _O,
        "The images in {source} are not the ones in {manifest}: {count}.",
        "Get the data from its original source, or omit --from to download it.",
    ),
    "labels-invalid": FailureKind(
        _O,
        "{path} cannot be used as labels: {count}.",
        "Fix the lines that are listed. The file needs a header and one row for each case.",
    ),
    "split-impossible": FailureKind(
        _O,
        "{source} cannot be split as requested: {reason}.",
        "{next_step}",
    ),
    "training-failed": FailureKind(
        _O,
        "The training container exited with code {exit_code}; nothing was written to {target}.",
        "Its output above shows why.",
    ),
    "training-stopped": FailureKind(
        _O,
        "The training container was stopped: {reason}. Nothing was written to {target}.",
        "Raise its limits with --time or --memory, or train for less time.",
    ),
}
