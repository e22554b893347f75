"""What an organizer has made: the bundle, its data, its programs."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "bundle-missing": FailureKind(
        _O,
        "{path} is not a challenge: {reason}.",
        "Name the folder that has competition.yaml at its top level.",
    ),
    "bundle-invalid": FailureKind(
        _O,
        "{path} has {count}.",
        "Mend what is listed, then run `palio check {folder}` again.",
    ),
    "bundle-unreadable": FailureKind(
        _O,
        "{name} could not be read: {reason}.",
        "Shorten or simplify competition.yaml and the pages and terms that it names; large tables belong in files to "
        "download.",
    ),
    "challenge-over-limits": FailureKind(
        _O,
        "Reading the challenge's own files failed twice: {reason}.",
        "Look for a file that is very large, deeply nested, or unpacks to far more than its size, in competition.yaml, "
        "the data and the scoring program. Make it smaller and publish the challenge again.",
        participant="The challenge's own files could not be read.",
    ),
    "phase-unknown": FailureKind(
        _U,
        "The challenge has no phase named “{phase}”; it has {phases}.",
        "Choose one of these; on the command line, with --phase.",
        status=422,
    ),
    "tasks-several": FailureKind(
        _S,
        "The phase “{phase}” has {count} tasks, and this version of Palio evaluates phases with exactly one.",
        "The organizer has to give each task its own phase in competition.yaml.",
        status=409,
    ),
    "data-missing": FailureKind(
        _O,
        "{path}, which competition.yaml names as {field}, is not there or is empty.",
        "{next_step}",
        participant="Data of the challenge is missing, so that nothing could be evaluated.",
    ),
    "folder-unreadable": FailureKind(
        _O,
        "{path} cannot be taken as it is: {reason}.",
        "Let it hold only files and folders of its own.",
    ),
    "data-mismatch": FailureKind(
        _O,
        "The images in {source} are not the ones in {manifest}: {count}.",
        "Take the data from its original source, or leave out --from to have it downloaded.",
    ),
    "split-impossible": FailureKind(
        _O,
        "{source} cannot be split as asked: {reason}.",
        "{next_step}",
    ),
    "program-command-missing": FailureKind(
        _O,
        "{program} does not say how it is started: {reason}.",
        "Add a metadata.yaml with a line such as `command: python $program/score.py $input $output`.",
        participant="The scoring program of the challenge could not be started.",
    ),
    "score-image-failed": FailureKind(
        _O,
        "The image for the scoring program did not build: {step} failed{reason}.",
        "Try the same with `docker build {program}`; the whole log is score.log in the run folder.",
        participant="The scoring program of the challenge could not be started.",
    ),
    "score-exit": FailureKind(
        _O,
        "The scoring program ended with exit code {exit_code}.",
        "The end of its log shows why; `palio score` repeats this stage alone.",
    ),
    "score-not-started": FailureKind(
        _O,
        "The scoring program could not be started: {reason}.",
        "{next_step}",
        participant="The scoring program of the challenge could not be started.",
    ),
    "score-time-limit": FailureKind(
        _O,
        "The scoring program ran longer than its limit of {limit} and was stopped.",
        "Make it faster, or raise palio.limits.score.time in competition.yaml.",
        participant="The scoring program of the challenge took longer than it may.",
    ),
    "score-memory-limit": FailureKind(
        _O,
        "The scoring program used more memory than its limit of {limit} and was stopped.",
        "Make it leaner, or raise palio.limits.score.memory in competition.yaml.",
        participant="The scoring program of the challenge used more memory than it may.",
    ),
    "score-output-refused": FailureKind(
        _O,
        "The scoring program's output cannot be taken: {reason}.",
        "Let it write ordinary files within palio.limits.score.output and .files of competition.yaml.",
        participant="The scoring program of the challenge gave no usable scores.",
    ),
    "scores-missing": FailureKind(
        _O,
        "The scoring program ended with exit code 0 but wrote neither scores.json nor scores.txt.",
        "Let it write one of them to its output folder.",
        participant="The scoring program of the challenge gave no scores.",
    ),
    "scores-invalid": FailureKind(
        _O,
        "{file}, which the scoring program wrote, cannot be used: {count}.",
        "Let the scoring program write one finite number for each column of the leaderboard, and each case once.",
        participant="The scoring program of the challenge gave no usable scores.",
    ),
    "training-failed": FailureKind(
        _O,
        "The training container ended with exit code {exit_code}, and nothing was written to {target}.",
        "Its output above says why.",
    ),
    "training-stopped": FailureKind(
        _O,
        "The training container was stopped: {reason}. Nothing was written to {target}.",
        "Give it more with --time or --memory, or train for less.",
    ),
}
