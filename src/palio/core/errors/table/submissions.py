"""What a participant hands in, from its file to its predictions."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "submission-unknown": FailureKind(
        _P,
        "{name} is none of the kinds of submission that Palio knows: {reason}.",
        "Hand in a zip with a Dockerfile at its root (make one with `palio pack FOLDER`), or predictions as a "
        ".csv or a zip of it.",
    ),
    "submission-unreadable": FailureKind(
        _P,
        "{name} could not be checked: {reason}.",
        "Make it simpler: fewer files, shorter patterns in .dockerignore and COPY, a shorter Dockerfile. Then submit "
        "it again.",
    ),
    "submission-kind-refused": FailureKind(
        _P,
        "{name} is a submission of kind `{kind}`, and the phase “{phase}” takes {allowed}.",
        "Hand in one of the kinds named above.",
    ),
    "submission-kind-unsupported": FailureKind(
        _S,
        "Submissions of kind `{kind}` cannot be evaluated by this version of Palio on the engine `{engine}`.",
        "{next_step}",
        participant="Submissions of this kind cannot be evaluated here yet.",
        participant_next="Hand in another of the kinds that the challenge takes, such as a zip with a Dockerfile at "
        "its root. Nothing was charged.",
    ),
    "archive-invalid": FailureKind(
        _P,
        "{name} cannot be read as a zip archive: {reason}.",
        "Make it again with `palio pack FOLDER`, and compare its size with the original if it was copied.",
    ),
    "archive-unsafe": FailureKind(
        _P,
        "{name} was refused before anything was unpacked, because of {count}.",
        "Make it again from a plain folder with `palio pack FOLDER`.",
    ),
    "image-invalid": FailureKind(
        _P,
        "{name} cannot be used as a saved image: {reason}.",
        "Save one image again with `docker save IMAGE | gzip > image.tar.gz`, and compare sizes if it was copied.",
    ),
    "image-unsafe": FailureKind(
        _P,
        "{name} was refused before anything of it was loaded: it has {count}.",
        "Build the image with a Dockerfile and save it with `docker save IMAGE | gzip > image.tar.gz`.",
    ),
    "image-load-failed": FailureKind(
        _P,
        "The saved image could not be loaded: {reason}.",
        "Try `docker load` with it on your own machine, and build it again if that fails too.",
    ),
    "image-load-time-limit": FailureKind(
        _P,
        "Looking through the saved image and loading it took longer than the limit of {limit}.",
        "Make the image smaller: a smaller base image, and caches cleaned in the step that fills them.",
    ),
    "dockerfile-missing": FailureKind(
        _P,
        "{name} holds no Dockerfile at its root.",
        "Put a file named exactly `Dockerfile` at the top level of the zip, not inside a folder. {hint}",
    ),
    "dockerfile-unfit": FailureKind(
        _P,
        "The Dockerfile in {name} cannot be built from what lies beside it: {count} found.",
        "Mend what is listed; `palio pack FOLDER` checks the same before anything is sent.",
    ),
    "folder-unfit": FailureKind(
        _P,
        "{path} is not ready to be packed: {count} found.",
        "Mend what is listed, then run `palio pack` again.",
    ),
    "build-failed": FailureKind(
        _P,
        "The Dockerfile did not build: {step} failed{reason}.",
        "Mend that line; `docker build .` in the unpacked folder shows the same. The whole log is build.log in the "
        "run folder.",
        participant_next="Mend that line; `docker build .` in the unpacked folder shows the same. The whole log of "
        "the build is yours to read.",
    ),
    "base-image-missing": FailureKind(
        _P,
        "The Dockerfile takes from the image `{image}`, which is not here and could not be pulled.",
        "Check the name and tag; if they are right, the operator can `docker pull {image}` on this machine.",
        participant_next="Check the name and tag; if they are right, ask the organizer to have that image made "
        "available.",
        engines_words=True,
    ),
    "build-time-limit": FailureKind(
        _P,
        "Building the image took longer than its limit of {limit}.",
        "Move slow steps into the base image, or fetch less while building.",
    ),
    "build-memory-limit": FailureKind(
        _P,
        "A step of the build used more memory than its limit of {limit}.",
        "Build with less in memory at once, for example by compiling with fewer processes.",
    ),
    "build-image-size": FailureKind(
        _P,
        "The built image is {size}, more than the limit of {limit}.",
        "Start from a smaller base image and clean package caches in the step that fills them.",
    ),
    "submission-over-limits": FailureKind(
        _P,
        "Reading the files of this submission failed twice: {reason}.",
        "Look for a file that unpacks to far more than its size, is deeply nested, or has very long lines, in what you "
        "submitted and in what your container writes; and for patterns with many wildcards in .dockerignore or COPY. "
        "Make it simpler and submit again.",
        charged=True,
    ),
    "predict-exit": FailureKind(
        _P,
        "The container ended with exit code {exit_code}, so its predictions were not taken.",
        "Read the last lines of its log, and try the same on your own machine with `palio run`.",
        charged=True,
        participant_next="Try the same on your own machine with `palio run`, where its whole log is yours to read.",
    ),
    "predict-time-limit": FailureKind(
        _P,
        "The container ran longer than its limit of {limit} and was stopped.",
        "Make it faster or process images in batches; it had {cpus} CPU(s).",
        charged=True,
    ),
    "predict-memory-limit": FailureKind(
        _P,
        "The container used more memory than its limit of {limit} and was stopped.",
        "Use smaller batches; shared memory and files in /tmp count as memory too.",
        charged=True,
    ),
    "predict-pids-limit": FailureKind(
        _P,
        "The container reached its limit of {limit} processes and threads, and ended with exit code {exit_code}.",
        "Start fewer workers or threads.",
        charged=True,
    ),
    "predict-output-size": FailureKind(
        _P,
        "The container filled its output folder, which holds at most {limit}.",
        "Write only the predictions to /mnt/out; scratch files belong in /tmp.",
        charged=True,
    ),
    "predict-output-files": FailureKind(
        _P,
        "The container filled its output folder, which holds at most {limit} files.",
        "Write only the predictions to /mnt/out; scratch files belong in /tmp.",
        charged=True,
    ),
    "predict-output-refused": FailureKind(
        _P,
        "The output folder holds {count} that cannot be taken: only regular files with plain names are.",
        "Write the predictions as ordinary files, without links, devices or pipes.",
        charged=True,
    ),
    "predict-no-output": FailureKind(
        _P,
        "The container ended with exit code 0 but left no file in its output folder, /mnt/out.",
        "Write the predictions to /mnt/out, not to the working directory.",
        charged=True,
    ),
    "predict-not-started": FailureKind(
        _P,
        "The container could not be started: {reason}.",
        "{next_step}",
    ),
    "predictions-too-large": FailureKind(
        _P,
        "{name} unpacks to {size}, and predictions may take {limit}.",
        "Hand in the predictions alone.",
    ),
    "predictions-missing": FailureKind(
        _P,
        "The predictions lack the file {file}, which this challenge asks for; {found}.",
        "Write the predictions to a file of exactly that name.",
        charged=True,
    ),
    "predictions-unmapped": FailureKind(
        _P,
        "{file} could not be read as predictions: {count}.",
        "Name each input as it was named in the input folder, in the column `{column}`.",
        charged=True,
    ),
    "predictions-invalid": FailureKind(
        _P,
        "The scoring program refused the predictions: {count}.",
        "Mend what is listed and hand in again.",
        charged=True,
    ),
}
