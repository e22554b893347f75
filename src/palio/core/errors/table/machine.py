"""What the operator of a machine can mend: engines, disk, network, settings."""

from palio.core.errors.kinds import Cause, FailureKind

_S = Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
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
    "evaluation-killed": FailureKind(
        _S,
        "The process that evaluates this submission was killed {count} in this stage.",
        "Find what killed it in the system log; most often the machine has run out of memory. Nobody is charged.",
        retried=True,
    ),
    "isolation-unenforced": FailureKind(
        _S,
        "The engine `{engine}` on this machine does not enforce {properties}, so this platform runs no programs of "
        "participants. {user} is not an operator.",
        "Use Docker, or give the engine what it lacks, which `palio doctor` lists. Then run the submission again.",
        participant="This platform does not run participants' programs yet: its engine does not enforce all of their "
        "limits. The platform's operator has to set that up first.",
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
}
