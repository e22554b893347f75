"""Files on their way to a platform: uploads, their chunks, and the team's stored files."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM
_NOTHING_KEPT = "Send it again. Nothing of it was kept; all other chunks are unchanged."

KINDS: dict[str, FailureKind] = {
    "file-missing": FailureKind(_P, "The form was sent without a file.", "Choose a file and send the form again."),
    "file-unknown": FailureKind(
        _P,
        "Your team has no such file.",
        "Upload the file first, or choose one of your team's files.",
        status=404,
    ),
    "file-empty": FailureKind(_P, "{name} is empty.", "Check how the file was made, then submit it again."),
    "file-too-large": FailureKind(
        _P,
        "{name} is {size}; at most {limit} is allowed.",
        "Leave out what is not needed to run it. For a saved image, use a smaller base image.",
        status=413,
    ),
    "file-incomplete": FailureKind(
        _P,
        "Only {received} of {announced} arrived.",
        "Send the file again; nothing of it was kept.",
    ),
    "file-in-use": FailureKind(
        _P,
        "{name} is being evaluated.",
        "Wait until that submission finishes, or cancel it; then delete the file.",
        status=409,
    ),
    "file-deleted": FailureKind(
        _P,
        "{name} was deleted from your team's files.",
        "Upload the file again.",
        status=409,
    ),
    "file-kind-differs": FailureKind(
        _P,
        "Your team already has this file, as a submission of kind `{kind}`.",
        "Delete it from your team's files, then submit it again as `{wanted}`.",
        status=409,
    ),
    "digest-invalid": FailureKind(
        _P,
        "The digest is not a SHA-256: 64 hexadecimal digits in lower case.",
        "Send what `sha256sum FILE` prints.",
    ),
    "chunk-unknown": FailureKind(
        _P,
        "There is no chunk {index}: this upload has {count}, numbered from 0.",
        "Get the upload first; it lists the size of its chunks and which of them have arrived.",
    ),
    "chunk-incomplete": FailureKind(_P, "Chunk {index} has {size}, but {received} arrived.", _NOTHING_KEPT),
    "chunk-interrupted": FailureKind(
        _P,
        "The connection was closed in the middle of a chunk.",
        _NOTHING_KEPT,
        status=400,
    ),
    "chunk-damaged": FailureKind(
        _P,
        "Chunk {index} was damaged on its way: its SHA-256 differs from the announced one.",
        _NOTHING_KEPT,
    ),
    "chunk-differs": FailureKind(
        _P,
        "Chunk {index} has already arrived, with different content.",
        "The file was changed after the upload began. Abandon this upload and start again.",
        status=409,
    ),
    "upload-incomplete": FailureKind(
        _P,
        "The upload lacks {count}.",
        "Send the missing chunks, then complete the upload again.",
        status=409,
    ),
    "upload-damaged": FailureKind(
        _P,
        "The content of {name} does not have the announced SHA-256, so nothing was kept.",
        "The file was probably changed during the upload. Submit it again.",
    ),
    "upload-being-checked": FailureKind(
        _P,
        "The file is complete and is being checked.",
        "Ask again in a few seconds.",
        status=409,
    ),
    "uploads-unfinished": FailureKind(
        _P,
        "Your team has {count}; no more can be started.",
        "Finish or abandon some of them. Unfinished uploads are removed after a day.",
        status=429,
    ),
    "uploads-busy": FailureKind(
        _S,
        "The platform is already receiving or checking as many files as it can.",
        "Try again in a few seconds.",
    ),
}
