"""Submitted files: archives, saved images, Dockerfiles and predictions, as they are checked before they are run."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "submission-unknown": FailureKind(
        _P,
        "{name} is not a submission of a kind that Palio knows: {reason}.",
        "Submit a zip with a Dockerfile at its root (create one with `palio pack FOLDER`), or predictions as a .csv or "
        "a zip of them.",
    ),
    "submission-fits-none": FailureKind(
        _P,
        "{name} fits none of the kinds of submission that are accepted: {allowed}.",
        "Change what rules out the kind that you mean, or choose the kind yourself (`--kind` on the command line).",
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
    "archive-empty": FailureKind(
        _P,
        "{name} contains no files.",
        "Put the files of your submission into it.",
    ),
    "archive-encrypted": FailureKind(
        _P,
        "{name} is encrypted: {count} a password.",
        "Create the zip again without a password.",
    ),
    "archive-compression": FailureKind(
        _P,
        "{name} was not unpacked: {count} compressed with {method}.",
        "Create the zip again with the compression method Deflate or none: with `palio pack FOLDER`, with `zip -r`, or "
        "in 7-Zip.",
    ),
    "archive-nested": FailureKind(
        _P,
        "{name} contains only another zip, {inner}, which is too large to be read inside it.",
        "Submit {inner} itself.",
    ),
    "lfs-pointers": FailureKind(
        _P,
        "{name} has {count} instead of the {them}.",
        "Run `git lfs pull` in the repository, then create the file again. Leave out files that you do not need.",
    ),
    "image-zipped": FailureKind(
        _P,
        "{name} contains only {inner}, a saved image.",
        "Submit {inner} itself, without a zip around it.",
    ),
    "image-exported": FailureKind(
        _P,
        "{name} is the file system of a container from `docker export`, not an image.",
        "Submit the image: `docker save IMAGE | gzip > image.tar.gz`. If you only have the container, make an image of "
        "it first with `docker commit CONTAINER IMAGE`.",
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
    "monai-bundle-unfit": FailureKind(
        _P,
        "{name} cannot be run as a MONAI bundle: {count} found.",
        "Fix what is listed. `palio pack FOLDER` runs the same checks before anything is sent.",
    ),
    "monai-classes-differ": FailureKind(
        _P,
        "The network in {name} has other outputs than this challenge: {fault}.",
        "The challenge's classes are {classes}. If the network predicts them in this order, correct `channel_def` in "
        "configs/metadata.json; otherwise train it with this order.",
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
