"""Attempts: the stages build, predict and score, and the platform that runs them."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _O, _S = Cause.PARTICIPANT, Cause.ORGANIZER, Cause.PLATFORM
_NOT_STARTED = "The challenge's scoring program could not be started."
_UNUSABLE = "The challenge's scoring program wrote no usable scores."

KINDS: dict[str, FailureKind] = {
    "build-failed": FailureKind(
        _P,
        "The Dockerfile did not build: {step} failed{reason}.",
        "Fix that line. `docker build .` in the unpacked folder fails in the same way, unless the message says that "
        "the line is not supported here. The whole log is build.log in the run folder.",
        participant_next="Fix that line. `docker build .` in the unpacked folder fails in the same way, unless the "
        "message says that the line is not supported here. You can read the whole build log.",
    ),
    "base-image-missing": FailureKind(
        _P,
        "The Dockerfile needs the image `{image}`, which is not on this machine and could not be pulled.",
        "Check its name and tag. If they are right, the operator can run `docker pull {image}` on this machine.",
        participant_next="Check its name and tag. If they are right, ask the organizer to have the image made "
        "available.",
        engines_words=True,
    ),
    "package-index-unreachable": FailureKind(
        _S,
        "The Dockerfile installs `{package}`, but pip could not reach an index of packages from this machine.",
        "Connect this machine to the network, or name an index that it reaches: `pip config set global.index-url URL`. "
        "This does not count toward anyone's limit.",
        participant="This platform cannot install Python packages at the moment.",
        retried=True,
    ),
    "build-time-limit": FailureKind(
        _P,
        "Building the image took longer than the limit of {limit}.",
        "Move slow steps into the base image, or download less during the build.",
    ),
    "build-memory-limit": FailureKind(
        _P,
        "A build step used more memory than the limit of {limit}.",
        "Use less memory at a time, for example by compiling with fewer processes.",
    ),
    "build-image-size": FailureKind(
        _P,
        "The built image is {size}; at most {limit} is allowed.",
        "Use a smaller base image, and clear package caches in the step that fills them.",
    ),
    "submission-over-limits": FailureKind(
        _P,
        "Reading the files of this submission failed twice: {reason}.",
        "In your submission and in what your container writes, look for a file that unpacks to far more than its size, "
        "is deeply nested, or has very long lines; in .dockerignore and COPY, for patterns with many wildcards. "
        "Simplify it and submit again.",
        charged=True,
    ),
    "predict-exit": FailureKind(
        _P,
        "The container exited with code {exit_code}, so its predictions were not used.",
        "Read the last lines of its log, and run the same on your own machine with `palio run`.",
        charged=True,
        participant_next="Run the same on your own machine with `palio run`, which shows you the whole log.",
    ),
    "predict-time-limit": FailureKind(
        _P,
        "The container ran longer than its limit of {limit} and was stopped.",
        "Make it faster, or process images in batches. Its limit of CPUs was {cpus}.",
        charged=True,
    ),
    "predict-memory-limit": FailureKind(
        _P,
        "The container used more memory than its limit of {limit} and was stopped.",
        "Use smaller batches. Shared memory and files in /tmp count as memory too.",
        charged=True,
    ),
    "predict-pids-limit": FailureKind(
        _P,
        "The container reached its limit of {limit} processes and threads, and exited with code {exit_code}.",
        "Start fewer workers or threads.",
        charged=True,
    ),
    "predict-output-size": FailureKind(
        _P,
        "The container filled its output folder, which holds at most {limit}.",
        "Write only the predictions to {folder}; put scratch files in /tmp.",
        charged=True,
    ),
    "predict-output-files": FailureKind(
        _P,
        "The container filled its output folder, which holds at most {limit} files.",
        "Write only the predictions to {folder}; put scratch files in /tmp.",
        charged=True,
    ),
    "predict-output-refused": FailureKind(
        _P,
        "The output folder has {count} that cannot be used; only regular files with plain names can.",
        "Write the predictions as ordinary files, without links, devices or pipes.",
        charged=True,
    ),
    "predict-no-output": FailureKind(
        _P,
        "The container exited with code 0 but wrote no file to its output folder, {folder}.",
        "Write the predictions to {folder}, not to the working directory.",
        charged=True,
    ),
    "predict-not-started": FailureKind(
        _P,
        "The container could not be started: {reason}.",
        "{next_step}",
    ),
    "code-command-invalid": FailureKind(
        _P,
        "The submission's `command` cannot be used: {reason}.",
        "Write one command without a shell, such as `command: python $program/predict.py $input $output`, or remove it "
        "if the challenge's ingestion program runs your code.",
    ),
    "code-not-runnable": FailureKind(
        _P,
        "Nothing says how to run this code: the task “{task}” has no ingestion program, and the submission's metadata "
        "has no `command`.",
        "Add a file `metadata.yaml` at the top level of the zip with a line such as "
        "`command: python $program/predict.py $input $output`, or submit predictions.",
    ),
    "ingestion-exit": FailureKind(
        _P,
        "The challenge's ingestion program, which runs your code, exited with code {exit_code}, so the predictions "
        "were not used.",
        "{next_step} `palio run` does the same on your own machine.",
        charged=True,
    ),
    "ingestion-not-started": FailureKind(
        _O,
        "The ingestion program could not be started: {reason}.",
        "{next_step}",
        participant="The challenge's ingestion program could not be started.",
    ),
    "ingestion-image-failed": FailureKind(
        _O,
        "The image for the ingestion program did not build: {step} failed{reason}.",
        "Fix that line of {program}. The whole log is code-image.log in the run folder; `docker build` fails in the "
        "same way, unless the message says that the line is not supported here.",
        participant="The challenge's ingestion program could not be started.",
    ),
    "ingestion-during-scoring": FailureKind(
        _O,
        "The task “{task}” runs its ingestion program during scoring, where participants' code would be able to read "
        "the reference data. Palio does not run it.",
        "Remove `ingestion_only_during_scoring`: the ingestion program then runs before scoring, without the reference "
        "data, and the scoring program finds its output in input/res.",
        participant="The challenge asks for a step that this platform does not run.",
    ),
    "bundle-image-missing": FailureKind(
        _O,
        "The challenge's image `{image}` is not on this machine and could not be pulled.",
        "Check `docker_image` in competition.yaml. The operator can run `docker pull {image}` on this machine, or name "
        "a similar image as its substitute: `palio run --image {image}=python:3.11-slim`, or the table [images] in "
        "palio.toml.",
        participant="The image in which this challenge runs programs is not on this platform.",
        engines_words=True,
    ),
    "substitute-missing": FailureKind(
        _S,
        "The image `{substitute}`, which is used instead of the challenge's `{image}`, is not on this machine and "
        "could not be pulled.",
        "Run `docker pull {substitute}`, or name another image in the table [images] of palio.toml, in PALIO_IMAGES or "
        "with --image.",
        participant="The image in which this challenge runs programs is not on this platform.",
        engines_words=True,
    ),
    "monai-build-failed": FailureKind(
        _P,
        "The image for the MONAI bundle did not build: {step} failed{reason}.",
        "Check the packages and versions in `required_packages_version` of configs/metadata.json; list only those that "
        "the inference needs. The whole log is build.log in the run folder.",
        participant_next="Check the packages and versions in `required_packages_version` of configs/metadata.json; "
        "list only those that the inference needs. You can read the whole build log.",
    ),
    "monai-image-missing": FailureKind(
        _O,
        "The image `{image}`, in which MONAI bundles run, is not on this machine and could not be pulled.",
        "Check `palio.monai.image` in competition.yaml. The operator can run `docker pull {image}` on this machine.",
        participant="The image in which this challenge runs MONAI bundles is not on this platform.",
        engines_words=True,
    ),
    "monai-image-unfit": FailureKind(
        _O,
        "The image `{image}` cannot run this MONAI bundle: {reason}.",
        "Name an image that has MONAI in `palio.monai.image` of competition.yaml, such as projectmonai/monai:latest. "
        "The bundle can add other packages in `required_packages_version` of its metadata.json, if builds may use "
        "the network.",
        participant="The image in which this challenge runs MONAI bundles lacks something that your bundle needs.",
        participant_next="If your bundle needs a package besides MONAI, list it in `required_packages_version` of "
        "configs/metadata.json. Otherwise tell the organizer. This does not count toward your limit.",
    ),
    "monai-not-installed": FailureKind(
        _S,
        "The engine `{engine}` runs MONAI bundles on this machine's Python, which has no package {packages}.",
        "Run `python -m pip install {install}` in the Python that runs Palio, or use the engine `docker`.",
        participant="This platform cannot run MONAI bundles yet.",
    ),
    "monai-output-unfit": FailureKind(
        _P,
        "The MONAI bundle's output could not be turned into {file}: {reason}.",
        "Write to `output_dir` one CSV file, as SaveClassificationd, ClassificationSaver and CSVSaver do (the name of "
        "the input, then what is predicted), or one file for each case, as SaveImaged does.",
        charged=True,
    ),
    "predictions-missing": FailureKind(
        _P,
        "The predictions lack the file {file}, which this challenge requires; {found}.",
        "Write the predictions to a file with exactly that name.",
        charged=True,
    ),
    "predictions-unmapped": FailureKind(
        _P,
        "{file} could not be read as predictions: {count}.",
        "Name each input in the column `{column}` as it is named in the input folder.",
        charged=True,
    ),
    "predictions-collide": FailureKind(
        _P,
        "Two predictions are for the same input: {first} and {second}.",
        "Write one file for each input, or give files of different content different names.",
        charged=True,
    ),
    "predictions-invalid": FailureKind(
        _P,
        "The scoring program refused the predictions: {count}.",
        "Fix what is listed and submit again.",
        charged=True,
    ),
    "program-command-missing": FailureKind(
        _O,
        "{program} does not say how to start it: {reason}.",
        "Add a metadata.yaml with a line such as `command: python $program/score.py $input $output`.",
        participant=_NOT_STARTED,
    ),
    "score-image-failed": FailureKind(
        _O,
        "The image for the scoring program did not build: {step} failed{reason}.",
        "Fix that line of {program}. The whole log is score.log in the run folder; `docker build` fails in the same "
        "way, unless the message says that the line is not supported here.",
        participant=_NOT_STARTED,
    ),
    "score-not-started": FailureKind(
        _O,
        "The scoring program could not be started: {reason}.",
        "{next_step}",
        participant=_NOT_STARTED,
    ),
    "score-exit": FailureKind(
        _O,
        "The scoring program exited with code {exit_code}.",
        "{next_step}",
    ),
    "score-time-limit": FailureKind(
        _O,
        "The scoring program ran longer than its limit of {limit} and was stopped.",
        "Make it faster, or raise palio.limits.score.time in competition.yaml.",
        participant="The challenge's scoring program ran longer than its limit.",
    ),
    "score-memory-limit": FailureKind(
        _O,
        "The scoring program used more memory than its limit of {limit} and was stopped.",
        "Make it use less memory, or raise palio.limits.score.memory in competition.yaml.",
        participant="The challenge's scoring program used more memory than its limit.",
    ),
    "score-output-refused": FailureKind(
        _O,
        "The scoring program's output cannot be used: {reason}.",
        "Make it write ordinary files within palio.limits.score.output and .files of competition.yaml.",
        participant=_UNUSABLE,
    ),
    "scores-missing": FailureKind(
        _O,
        "The scoring program exited with code 0 but wrote neither scores.json nor scores.txt.",
        "Make it write one of them to its output folder.",
        participant="The challenge's scoring program wrote no scores.",
    ),
    "scores-invalid": FailureKind(
        _O,
        "{file}, written by the scoring program, cannot be used: {count}.",
        "Make the scoring program write one finite number for each column of the leaderboard, and each case once.",
        participant=_UNUSABLE,
    ),
    "limit-unavailable": FailureKind(
        _S,
        "The challenge asks for {setting} = {value}, which {engine} cannot provide on this machine: {reason}.",
        "{next_step}",
        participant="The challenge asks for more resources than this platform has.",
    ),
    "isolation-unenforced": FailureKind(
        _S,
        "The engine `{engine}` on this machine does not enforce {properties}, so this platform does not run programs "
        "of participants. {user} is not an operator.",
        "Use Docker, install what the engine lacks, which `palio doctor` lists, or accept it by name in "
        "`accept_unenforced`. Then run the submission again.",
        participant="This platform does not run participants' programs yet, because its engine does not enforce all of "
        "their limits.",
    ),
    "submitter-untrusted": FailureKind(
        _S,
        "This platform runs programs with `{engine}`, whose sandboxes share this machine's own system, so it runs only "
        "its operators' programs. {user} is not an operator.",
        "Install Docker, or set `anyone_on_bubblewrap = true` if you trust every participant that far. Then run the "
        "submission again.",
        participant="This platform does not run participants' programs yet.",
    ),
    "stage-overdue": FailureKind(
        _S,
        "The stage did not finish within {limit}, although its container has a lower limit.",
        "Check the engine with `palio doctor`. The platform retries the submission, and this does not count toward "
        "the team's limit.",
        retried=True,
    ),
    "evaluation-broken": FailureKind(
        _S,
        "A bug in Palio stopped the evaluation: {reason}.",
        "The platform's log has the traceback at the time of the failure; please report it. This does not count "
        "toward the team's limit.",
        retried=True,
    ),
    "evaluation-killed": FailureKind(
        _S,
        "The process that evaluates this submission was killed {count} in this stage.",
        "Look in the system log for what killed it; most often the machine has run out of memory. This does not count "
        "toward the team's limit.",
        retried=True,
    ),
}
