"""The machine that Palio runs on: engines, disk, network and installed programs."""

from palio.core.errors.kinds import Cause, FailureKind

_S = Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "engine-missing": FailureKind(_S, "No engine can run containers on this machine: {reason}.", "{next_step}"),
    "engine-fault": FailureKind(
        _S,
        "The engine `{engine}` failed while {action}: {reason}.",
        "Run `palio doctor`, then run the same command again. This does not count toward anyone's limit.",
        retried=True,
    ),
    "engine-removed": FailureKind(
        _S,
        "The phase asks for the engine `{name}`, which palio.toml no longer has.",
        "Add the table [engines.{name}] to palio.toml again, or have the organizer publish the challenge with another "
        "`palio.engine`; restart the platform, and run the attempt again.",
    ),
    "cluster-unreachable": FailureKind(
        _S,
        "The Kubernetes API server does not respond: {reason}.",
        "{next_step}",
        retried=True,
    ),
    "cluster-refused": FailureKind(_S, "The Kubernetes cluster cannot be used: {reason}.", "{next_step}"),
    "cluster-job-blocked": FailureKind(
        _S,
        "The Kubernetes cluster could not run {job}: {reason}.",
        "{next_step}",
    ),
    "cluster-node-pressure": FailureKind(
        _S,
        "The node {node} ran out of a resource and ended {job}: {reason}.",
        "See what used it: `{kubectl} describe node {node}`. Palio retries the attempt once, because a submission that "
        "starts too many processes or fills the node's disk may be the cause. This does not count toward anyone's "
        "limit.",
        retried=True,
        retried_once=True,
    ),
    "disk-full": FailureKind(
        _S,
        "The disk that holds {path} is full ({free} free).",
        "Free some space there, then run the same command again. Nothing that was there before was changed.",
        retried=True,
    ),
    "target-unwritable": FailureKind(
        _S,
        "{path} cannot be written to: {reason}.",
        "Name another folder, or give this user permission to write there.",
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
        "The download from {url} is not what was expected: {reason}.",
        "Run the same command again; the broken file was removed.",
    ),
    "package-missing": FailureKind(
        _S,
        "{what} needs the Python package `{package}`, which is not installed.",
        "Install it with: {command}",
    ),
}
