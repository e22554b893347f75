"""Submissions that the platform fetches: images in registries, and files at a tag of a Git repository."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _S = Cause.PARTICIPANT, Cause.PLATFORM
_PUSH = "Build the image again and push it: `docker push {image}`. Then submit the new digest."
_FAILED = "Your image could not be pulled from its registry."
_LATER = "The platform retries this automatically. This does not count toward your limit."

KINDS: dict[str, FailureKind] = {
    "source-missing": FailureKind(
        _P,
        "The form was sent without an image or a tag.",
        "Enter an image such as `ghcr.io/lab/model:v1`, or a tag such as `https://github.com/lab/model@v1.2`.",
    ),
    "reference-invalid": FailureKind(
        _P,
        "The name `{reference}` is not that of an image: {reason}.",
        "Write it like `ghcr.io/lab/model:v1` or `ghcr.io/lab/model@sha256:…`, in lower case.",
    ),
    "source-refused": FailureKind(
        _P,
        "The platform does not connect to {host}: {reason}.",
        "Use a public server with https. If this one belongs to you or your institution, ask the operator of the "
        "platform to add it to `PALIO_SUBMISSION_HOSTS`.",
    ),
    "source-unreachable": FailureKind(
        _P,
        "The platform cannot reach {host}: {reason}.",
        "Check the name of the server, and that it is reachable from the internet with https. Then try again.",
    ),
    "source-failing": FailureKind(
        _S,
        "The server {host} did not deliver what a submission needs: {reason}.",
        "Check the connection of this machine: `curl -I https://{host}/`. If the server works again, start the attempt "
        "again. This does not count toward anyone's limit.",
        participant=_FAILED,
        participant_next=_LATER,
        retried=True,
    ),
    "registry-limit": FailureKind(
        _S,
        "The registry {host} limits how often this platform may pull: {reason}.",
        "Wait until the limit is reset, or add an account for {host} to the file that "
        "`PALIO_REGISTRY_CREDENTIALS` names. This does not count toward anyone's limit.",
        participant="The registry limits how often this platform may pull at the moment.",
        participant_next="Try again later, or push the image to another registry. This does not count toward your "
        "limit.",
        retried=True,
    ),
    "registry-unauthorized": FailureKind(
        _P,
        "The registry does not let this platform pull `{image}`: it does not exist, or it is private.",
        "Check the name. Make the image public, add or renew your team's account at this registry on the team page, or "
        "ask the operator of the platform to let its account pull the image.",
    ),
    "reference-not-found": FailureKind(
        _P,
        "The registry has no image `{image}`.",
        "Check name and tag: `docker manifest inspect {image}`. If you have deleted it, push it again.",
    ),
    "reference-incomplete": FailureKind(
        _P,
        "The registry has `{image}`, but not all of its parts: {reason}.",
        _PUSH,
    ),
    "reference-digest-differs": FailureKind(
        _P,
        "The registry sent something else than `{image}`: {reason}.",
        _PUSH,
    ),
    "reference-platform": FailureKind(
        _P,
        "The image `{image}` is for {found}, but this platform runs {platform}.",
        "Build it with `docker build --platform {platform}` and push it again.",
    ),
    "reference-unfit": FailureKind(
        _P,
        "The image `{image}` cannot be used: {reason}.",
        "Build the image with `docker build --platform {platform}` and push it again.",
    ),
    "reference-too-large": FailureKind(
        _P,
        "The image `{image}` is {size} compressed; at most {limit} is allowed.",
        "Use a smaller base image, and clear package caches in the step that fills them.",
        status=413,
    ),
    "git-source-invalid": FailureKind(
        _P,
        "The address `{source}` is not a tag of a Git repository: {reason}.",
        "Write it like `https://github.com/lab/model@v1.2`: an https address, and the tag after the last `@`.",
    ),
    "git-unreadable": FailureKind(
        _P,
        "The repository {repository} does not exist, or it is private.",
        "Check the address. Make the repository public, or submit a zip: `git archive --format=zip TAG > model.zip`.",
    ),
    "git-tag-missing": FailureKind(
        _P,
        "The repository {repository} has no tag `{tag}`.",
        "Create it and push it: `git tag {tag}`, then `git push origin {tag}`.",
    ),
    "git-too-large": FailureKind(
        _P,
        "Fetching {repository} at `{tag}` exceeded a limit: {reason}.",
        "Remove large files from that commit, or submit a zip or an image instead.",
        status=413,
    ),
    "git-missing": FailureKind(
        _S,
        "This machine has no `git`, which fetches submissions from repositories.",
        "Install it: `sudo apt-get install git`.",
        participant="This platform cannot fetch submissions from Git repositories at the moment.",
        participant_next="Submit a zip: `git archive --format=zip TAG > model.zip`. This does not count toward your "
        "limit.",
    ),
}
