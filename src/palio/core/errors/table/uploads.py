"""Files on their way to a platform: uploads, their chunks, and the team's stored files."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM

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
        "Send what `sha256sum FILE` prints, as `sha256` in the header `Upload-Metadata`.",
    ),
    "tus-version": FailureKind(
        Cause.USAGE,
        "The request does not use tus {version}.",
        "Send the header `Tus-Resumable: {version}`.",
        status=412,
    ),
    "metadata-invalid": FailureKind(
        Cause.USAGE,
        "The header `Upload-Metadata` is not a list of keys with values in Base64.",
        "Send `filename` and `sha256`, as in `filename bW9kZWwuemlw,sha256 ZTNi…`.",
    ),
    "chunk-type": FailureKind(
        Cause.USAGE,
        "The content type of the chunk is not {type}.",
        "Send `Content-Type: {type}`.",
        status=415,
    ),
    "checksum-invalid": FailureKind(
        Cause.USAGE,
        "The header `Upload-Checksum` is not an algorithm ({algorithms}) and a digest in Base64.",
        "Correct the header, or send the chunk without it.",
    ),
    "checksum-differs": FailureKind(
        _P,
        "The chunk does not have the checksum that was sent with it, so nothing of it was kept.",
        "Send the chunk again.",
        status=460,
    ),
    "offset-differs": FailureKind(
        _P,
        "The chunk starts at byte {offset}, but {arrived} bytes of the upload have arrived.",
        "Get the offset with HEAD and continue there.",
        status=409,
    ),
    "upload-exceeded": FailureKind(
        _P,
        "The chunk ends at byte {end}, but the upload was announced with {size} bytes.",
        "The file was changed after the upload began. Delete this upload and start again.",
        status=413,
    ),
    "upload-incomplete": FailureKind(
        _P,
        "Only {arrived} of {size} bytes have arrived.",
        "Send the rest, then complete the upload again.",
        status=409,
    ),
    "upload-damaged": FailureKind(
        _P,
        "The content of {name} does not have the announced SHA-256, so nothing was kept.",
        "The file was probably changed during the upload. Submit it again.",
    ),
    "upload-locked": FailureKind(
        _P,
        "Another request is sending or checking this upload.",
        "Repeat the request in a few seconds.",
        status=423,
    ),
    "uploads-unfinished": FailureKind(
        _P,
        "Your team has {count}; no more can be started.",
        "Finish or delete some of them. Unfinished uploads are removed after a day.",
        status=429,
    ),
    "uploads-busy": FailureKind(
        _S,
        "The platform is already receiving or checking as many files as it can.",
        "Try again in a few seconds.",
    ),
}
