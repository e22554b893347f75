"""Submitted files: archives, saved images, Dockerfiles and predictions, as they are checked before they are run."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "submission-unknown": FailureKind(
        _P,
        "{name} is not a submission of a kind that Palio knows: {reason}.",
        "Submit a zip with a Dockerfile at its root (create one with `palio pack FOLDER`), or predictions as a .csv or "
        "a zip of it.",
    ),
    "submission-unreadable": FailureKind(
        _P,
        "{name} could not be checked: {reason}.",
        "Simplify it: fewer files, shorter patterns in .dockerignore and COPY, a shorter Dockerfile. Then submit it "
        "again.",
    ),
    "submission-kind-refused": FailureKind(
        _P,
        "{name} is a submission of kind `{kind}`; the phase “{phase}” accepts {allowed}.",
        "Submit one of these kinds.",
    ),
    "submission-kind-unsupported": FailureKind(
        _S,
        "This version of Palio cannot evaluate submissions of kind `{kind}` on the engine `{engine}`.",
        "{next_step}",
        participant="Submissions of this kind cannot be evaluated here yet.",
        participant_next="Submit another kind that the challenge accepts, such as a zip with a Dockerfile at its root. "
        "This does not count toward your limit.",
    ),
    "archive-invalid": FailureKind(
        _P,
        "{name} cannot be read as a zip archive: {reason}.",
        "Create it again with `palio pack FOLDER`. If it was copied, compare its size with the original.",
    ),
    "archive-unsafe": FailureKind(
        _P,
        "{name} was not unpacked: {count} could be unsafe.",
        "Create it again from an ordinary folder with `palio pack FOLDER`.",
    ),
    "image-invalid": FailureKind(
        _P,
        "{name} cannot be used as a saved image: {reason}.",
        "Save one image again with `docker save IMAGE | gzip > image.tar.gz`. If the file was copied, compare its size "
        "with the original.",
    ),
    "image-unsafe": FailureKind(
        _P,
        "{name} was not loaded: it has {count}.",
        "Build the image with a Dockerfile and save it with `docker save IMAGE | gzip > image.tar.gz`.",
    ),
    "image-load-failed": FailureKind(
        _P,
        "The saved image could not be loaded: {reason}.",
        "Run `docker load` with it on your own machine. If that fails too, build and save the image again.",
    ),
    "image-load-time-limit": FailureKind(
        _P,
        "Checking and loading the saved image took longer than the limit of {limit}.",
        "Make the image smaller: use a smaller base image, and clear caches in the step that fills them.",
    ),
    "dockerfile-missing": FailureKind(
        _P,
        "{name} has no Dockerfile at its root.",
        "Put a file named exactly `Dockerfile` at the top level of the zip, not inside a folder. {hint}",
    ),
    "dockerfile-unfit": FailureKind(
        _P,
        "The Dockerfile in {name} cannot be built: {count} found.",
        "Fix what is listed. `palio pack FOLDER` runs the same checks before anything is sent.",
    ),
    "folder-unfit": FailureKind(
        _P,
        "{path} cannot be packed: {count} found.",
        "Fix what is listed, then run `palio pack` again.",
    ),
    "predictions-too-large": FailureKind(
        _P,
        "{name} unpacks to {size}; predictions may have at most {limit}.",
        "Submit only the predictions.",
    ),
}
