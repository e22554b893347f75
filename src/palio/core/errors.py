"""Every failure Palio can report: its code, whose turn it is, what it says and what to do next. One table.

Raise `PalioError("code", fact=..., evidence=[...])`; the sentence, the next step and the exit code come from the
table. What is not in the table and reaches the user is a bug in Palio (exit code 1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self


class Cause(StrEnum):
    """Whose turn it is."""

    USAGE = "usage"  # the command line was not understood or cannot be obeyed
    PARTICIPANT = "participant"
    ORGANIZER = "organizer"
    PLATFORM = "platform"  # the operator of this machine


EXIT_CODES = {Cause.USAGE: 2, Cause.PARTICIPANT: 10, Cause.ORGANIZER: 11, Cause.PLATFORM: 12}
TURNS = {
    Cause.USAGE: "the command line",
    Cause.PARTICIPANT: "the participant's turn",
    Cause.ORGANIZER: "the organizer's turn",
    Cause.PLATFORM: "this machine's operator's turn",
}
EXIT_CANCELLED = 130  # what shells expect of a command ended by Ctrl-C


@dataclass(frozen=True)
class FailureKind:
    """One row of the table. `message` and `next_step` are format strings over the facts given when it is raised.

    `charged`: it counts against a participant's number of tries, as hidden data was touched and the fault is theirs.
    `retried`: it may go away by itself, so the platform tries again.
    `participant`, `participant_next`: what a participant reads in place of the two sentences; without facts, which may
    be hidden names or paths of the machine. Where they are empty, see core/participant_failure.
    """

    cause: Cause
    message: str
    next_step: str
    charged: bool = False
    retried: bool = False
    participant: str = ""
    participant_next: str = ""


_U, _P, _O, _S = Cause.USAGE, Cause.PARTICIPANT, Cause.ORGANIZER, Cause.PLATFORM

FAILURES: dict[str, FailureKind] = {
    # -- the command line
    "usage": FailureKind(_U, "{problem}", "{next_step}"),
    "target-not-empty": FailureKind(
        _U,
        "{path} already exists and is not empty, and nothing there is overwritten.",
        "Name another folder, or remove this one first.",
    ),
    # -- what a participant hands in
    "submission-unknown": FailureKind(
        _P,
        "{name} is none of the kinds of submission that Palio knows: {reason}.",
        "Hand in a zip with a Dockerfile at its root (make one with `palio pack FOLDER`), or predictions as a "
        ".csv or a zip of it.",
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
        "The Dockerfile starts from `{image}`, and that image is neither here nor could it be pulled{reason}.",
        "Check the name and tag; if they are right, the operator can `docker pull {image}` on this machine.",
        participant_next="Check the name and tag; if they are right, ask the organizer to have that image made "
        "available.",
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
        "The container wrote more than the {limit} it may leave in its output folder and was stopped.",
        "Write only the predictions to /mnt/out; scratch files belong in /tmp.",
        charged=True,
    ),
    "predict-output-files": FailureKind(
        _P,
        "The container wrote more than the {limit} files it may leave in its output folder and was stopped.",
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
        "Check the CMD or ENTRYPOINT of the Dockerfile: it must name a program that is in the image.",
        charged=True,
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
    # -- what an organizer has made
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
    "phase-unknown": FailureKind(
        _U,
        "The challenge has no phase named “{phase}”; it has {phases}.",
        "Name one of these with --phase.",
    ),
    "tasks-several": FailureKind(
        _S,
        "The phase “{phase}” has {count} tasks, and this version of Palio evaluates phases with exactly one.",
        "Give each task a phase of its own in competition.yaml.",
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
        "Check the `command` in its metadata.yaml and the image it runs in.",
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
    # -- receipts
    "receipt-missing": FailureKind(
        _U,
        "{path} holds no receipt.json.",
        "Name a receipt or a run folder; an attempt that was cancelled, or has not ended, has none.",
    ),
    "receipt-invalid": FailureKind(
        _S,
        "{path} cannot be read as a receipt of the form {format}.",
        "Get it again from where it came from: it is damaged, of another version of Palio, or no receipt at all.",
    ),
    "receipt-changed": FailureKind(
        _S,
        "{path}, or what lies beside it, is not what was signed: {count}.",
        "Believe nothing of what is listed; get the run folder again from where it came from.",
    ),
    "receipt-signer-unknown": FailureKind(
        _U,
        "What was signed is unchanged, but nothing says whose key it was signed with: {signer}. Anybody can make a key "
        "and sign with it.",
        "If you have the signer's public key from a source that you trust, compare by naming it with --key.",
    ),
    "receipt-signer-other": FailureKind(
        _S,
        "What was signed is unchanged, but the key that was given has not signed it: it was {signer}.",
        "Ask whoever showed you the receipt whose key that is.",
    ),
    "receipt-challenge-differs": FailureKind(
        _O,
        "{path} is not the challenge that the receipt names: {count}.",
        "Name the challenge as it was when the receipt was written, with the same data.",
    ),
    "receipt-scores-differ": FailureKind(
        _O,
        "The scoring program gives other scores than the receipt states: {count}.",
        "Run `palio check --run`, which shows whether it gives the same scores twice; if so, do not believe these.",
    ),
    "receipt-key-exposed": FailureKind(
        _S,
        "{path}, this machine's key, can be read by other users, so that what it signs could be theirs.",
        "If nobody else can have read it, run `chmod 600 {path}`; otherwise remove it, and a new key is made.",
    ),
    "receipt-key-unusable": FailureKind(
        _S,
        "{path} cannot be used as this machine's key: {reason}.",
        "Name a folder that this user may write, and where the key is kept from now on, in PALIO_HOME.",
    ),
    # -- what the operator of this machine can mend
    "engine-missing": FailureKind(_S, "No engine can run containers on this machine: {reason}.", "{next_step}"),
    "engine-fault": FailureKind(
        _S,
        "The engine `{engine}` failed at {action}: {reason}.",
        "Run `palio doctor`; nobody is charged for this, and the same command can be run again.",
        retried=True,
    ),
    "evaluation-broken": FailureKind(
        _S,
        "The evaluation ended with a fault of Palio itself: {reason}.",
        "The platform's log has the trace at the time of the failure; please report it. Nobody is charged.",
        retried=True,
    ),
    "controller-lost": FailureKind(
        _S,
        "The process that evaluates was killed {count} in this stage, and may be again by whatever this submission "
        "makes it do.",
        "Look in the system's log for what killed it; often it is a lack of memory. Nobody is charged.",
        retried=True,
    ),
    "submitter-untrusted": FailureKind(
        _S,
        "This platform runs programs with `{engine}`, whose sandboxes share this machine's own system, and so only "
        "those of its operators. {user} is none of them.",
        "Install Docker, or set `anyone_on_bubblewrap = true` if everybody who takes part may be trusted that far; "
        "then run the submission again.",
        participant="Programs by participants are not run here yet: the platform's operator has to set it up first.",
    ),
    "configuration-invalid": FailureKind(
        _S,
        "The platform's configuration has {count}.",
        "Mend what is listed; `palio serve --help` and docs/operate.md say what each setting takes.",
    ),
    "serving-unsafe": FailureKind(
        _S,
        "With this configuration the platform can be reached from other machines ({where}), and {count} that this "
        "needs.",
        "Set what is listed, in palio.toml or the environment; docs/operate.md has a whole example. Without --host and "
        "--url it is for this machine alone and needs none of it.",
    ),
    "port-taken": FailureKind(
        _S,
        "The platform cannot listen at {address}: {reason}.",
        "{next_step}",
    ),
    "data-in-use": FailureKind(
        _S,
        "{path} is in use: {what} runs on it already, as process {process}.",
        "Use that one, stop it first, or name another folder with --data.",
    ),
    "database-newer": FailureKind(
        _S,
        "The database {database} was used by a newer version of Palio: it has changes that this one, {version}, does "
        "not know.",
        "Install that version again, or restore a backup from before with `palio restore`.",
    ),
    "database-unusable": FailureKind(
        _S,
        "The database {database} cannot be used: {reason}.",
        "{next_step}",
    ),
    "backup-invalid": FailureKind(
        _S,
        "{path} cannot be restored: {reason}.",
        "Take another backup; nothing was written.",
    ),
    "program-missing": FailureKind(
        _S,
        "{what} needs the program `{program}`, which is not installed.",
        "Install it with: {command}",
    ),
    "stage-overdue": FailureKind(
        _S,
        "The stage did not end within {limit}, although its container's own limit is lower.",
        "Look at the engine with `palio doctor`; the submission is tried again and nobody is charged.",
        retried=True,
    ),
    "limit-unavailable": FailureKind(
        _S,
        "The challenge asks for {setting} = {value}, and {engine} on this machine cannot give it: {reason}.",
        "{next_step}",
        participant="The challenge asks for more than the machine that evaluates can give.",
    ),
    "disk-full": FailureKind(
        _S,
        "The disk that holds {path} is full ({free} free).",
        "Free some space there and run the same command again; nothing that was there before was changed.",
        retried=True,
    ),
    "target-unwritable": FailureKind(
        _S,
        "{path} cannot be written: {reason}.",
        "Name another folder, or give this user the right to write there.",
    ),
    "source-unreadable": FailureKind(
        _S,
        "{path} cannot be read: {reason}.",
        "Check that it exists and that this user may read it.",
    ),
    "network-unavailable": FailureKind(
        _S,
        "{what} could not be downloaded from {url}: {reason}.",
        "{next_step}",
    ),
    "download-corrupt": FailureKind(
        _S,
        "What was downloaded from {url} is not what it should be: {reason}.",
        "Run the same command again; the broken file was removed.",
    ),
    "package-missing": FailureKind(
        _S,
        "{what} needs the Python package `{package}`, which is not installed.",
        "Install it with: {command}",
    ),
    # -- a platform, seen from the command line
    "not-logged-in": FailureKind(
        _U,
        "You are not logged in to a platform: {reason}.",
        "Make a token on the account page there, then run `palio login URL`.",
    ),
    "server-unreachable": FailureKind(
        _S,
        "The platform at {url} cannot be reached: {reason}.",
        "Check the address and your network, then run the same command again; what was sent already is kept.",
    ),
    "server-unreadable": FailureKind(
        _S,
        "{url} does not answer as a platform of Palio's does: {reason}.",
        "Check the address that was given to `palio login`; if it is right, the operator sees more in the log there.",
    ),
}


@dataclass(frozen=True)
class Failure:
    """What went wrong, whose turn it is, and the next step; plain data, the same on terminal, page and API."""

    code: str
    cause: Cause
    stage: str | None
    charged: bool
    message: str
    evidence: tuple[str, ...]
    log: tuple[str, ...]  # the last lines of the stage's own log; kept apart, as not everybody may read them
    next_step: str

    def as_json(self) -> dict[str, object]:
        return asdict(self) | {"evidence": list(self.evidence), "log": list(self.log)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        given = {"log": ()} | {field.name: content[field.name] for field in fields(cls) if field.name in content}
        lines = {name: tuple(given[name]) for name in ("evidence", "log")}
        return cls(**given | lines | {"cause": Cause(given["cause"])})


class PalioError(Exception):
    """A failure on its way to whoever can mend it.

    `code` is a key of FAILURES, `facts` fill its sentences, `evidence` are lines that show it (a limit and its
    value, each problem of a file), `log` is the end of the stage's own log.
    """

    def __init__(
        self,
        code: str,
        *,
        stage: str | None = None,
        evidence: Sequence[str] = (),
        log: Sequence[str] = (),
        **facts: object,
    ) -> None:
        kind = FAILURES[code]
        self.failure = Failure(
            code=code,
            cause=kind.cause,
            stage=stage,
            charged=kind.charged,
            message=kind.message.format(**facts),
            evidence=tuple(evidence),
            log=tuple(log),
            next_step=kind.next_step.format(**facts).strip(),
        )
        super().__init__(self.failure.message)

    @classmethod
    def of(cls, failure: Failure) -> Self:
        """As it was raised elsewhere: by a platform, for its command line."""
        error = cls.__new__(cls)
        Exception.__init__(error, failure.message)
        error.failure = failure
        return error

    def happened_on_sample(self) -> None:
        """Notes that it was the stage `sample`: on public cases, so that nothing is charged."""
        self.failure = replace(self.failure, stage="sample", charged=False)

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.failure.cause]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `3 files`, `1,000 entries`: a count as it reads in a sentence."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
