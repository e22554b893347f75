"""Joining a challenge: join requests, invitations, terms and teams."""

from palio.core.errors.kinds import Cause, FailureKind

_P, _O = Cause.PARTICIPANT, Cause.ORGANIZER

KINDS: dict[str, FailureKind] = {
    "challenge-archived": FailureKind(
        _P,
        "This challenge is archived (read-only): nobody can join it or submit to it.",
        "You can still read its pages and its leaderboard.",
        status=409,
    ),
    "challenge-draft": FailureKind(
        _O,
        "This challenge is still a draft.",
        "It can be joined once an organizer has published it.",
        status=409,
    ),
    "challenge-empty": FailureKind(
        _O,
        "This challenge has no version yet.",
        "An organizer has to publish a bundle first.",
        status=409,
    ),
    "invitation-needed": FailureKind(
        _P,
        "This challenge can be joined by invitation only.",
        "Ask its organizers for an invitation.",
        status=403,
    ),
    "invitation-invalid": FailureKind(
        _P,
        "This invitation is unknown, used, revoked or expired.",
        "Ask the person who sent it for a new one.",
        status=404,
    ),
    "invitation-for-account": FailureKind(
        _P,
        "This invitation is for creating an account, and you already have one.",
        "Continue to the challenges.",
        status=409,
    ),
    "invitations-too-many": FailureKind(
        _P,
        "You have {limit} open invitations, the most that are allowed.",
        "Revoke some of them first.",
        status=429,
    ),
    "already-joined": FailureKind(
        _P,
        "You are already a participant of this challenge.",
        "You do not need to do anything.",
        status=409,
    ),
    "join-request-pending": FailureKind(
        _O,
        "You have already asked to join this challenge.",
        "Wait until an organizer decides on your join request.",
        status=409,
    ),
    "join-request-refused": FailureKind(
        _P,
        "Your join request was refused.",
        "Ask the organizers of the challenge.",
        status=403,
    ),
    "join-request-withdrawn": FailureKind(
        _O,
        "{user} has withdrawn from the challenge.",
        "Wait until they join again, or send them an invitation.",
        status=409,
    ),
    "participant-has-submissions": FailureKind(
        _O,
        "{user} has submissions, which nobody would see any more.",
        "Disqualify the submissions instead, and give a reason.",
        status=409,
    ),
    "not-a-participant": FailureKind(
        _P,
        "You are not a participant of this challenge.",
        "Join the challenge first, then try again.",
        status=409,
    ),
    "terms-not-accepted": FailureKind(
        _P,
        "You have not accepted the terms of this challenge.",
        "Read and accept the terms first.",
    ),
    "terms-changed": FailureKind(
        _P,
        "The terms have changed since you read them.",
        "Read and accept the new terms on the challenge's page, then try again.",
        status=409,
    ),
    "team-missing": FailureKind(
        _P,
        "You are not in a team of this challenge.",
        "Join the challenge again on its page: you get your own team, and other teams can invite you.",
        status=409,
    ),
    "team-name-invalid": FailureKind(
        _P,
        "A team's name must have 2 to {limit} visible characters.",
        "Choose another name.",
    ),
    "registry-name-invalid": FailureKind(
        _P,
        "No registry is named `{registry}`.",
        "Enter the part of the image's name before the first slash, such as ghcr.io or registry.lab.example:5000; for "
        "Docker Hub, docker.io.",
        status=422,
    ),
    "registry-account-invalid": FailureKind(
        _P,
        "The account needs a username of at most {name_limit} characters without a colon, and a token or password "
        "of at most {limit} characters, each on one line.",
        "Create a token at the registry that may only pull, and enter it with the username that belongs to it.",
        status=422,
    ),
    "registry-accounts-too-many": FailureKind(
        _P,
        "The team has accounts at {limit} registries already, the most that are allowed.",
        "Delete one first.",
        status=409,
    ),
    "team-profile-invalid": FailureKind(
        _P,
        "The {field} {reason}.",
        "Change the {field}, or leave it empty.",
        status=422,
    ),
    "merge-not-captain": FailureKind(
        _P,
        "Only the captain of “{team}” can merge it with another team.",
        "Ask the captain to open the invitation link, or join the other team by yourself.",
        status=403,
    ),
    "teams-not-mergeable": FailureKind(
        _P,
        "Team “{team}” has already submitted, so it cannot merge with another team.",
        "Members who have not submitted can still change teams one by one, each with an invitation link.",
        status=409,
    ),
    "team-name-taken": FailureKind(
        _P,
        "Another team is already named “{name}”.",
        "Choose another name.",
        status=409,
    ),
    "already-in-team": FailureKind(
        _P,
        "You are already in “{team}”.",
        "You do not need to do anything.",
        status=409,
    ),
    "team-of-one": FailureKind(
        _P,
        "You are the only member of your team, so you cannot leave it.",
        "To leave the challenge, withdraw from it.",
        status=409,
    ),
    "team-member-unknown": FailureKind(
        _P,
        "This team has no member “{user}”.",
        "Choose one of its members.",
    ),
    "captain-cannot-leave": FailureKind(
        _P,
        "You are the captain of “{team}”, and it has other members.",
        "Make one of them the captain first.",
        status=409,
    ),
    "team-fixed": FailureKind(
        _P,
        "You have submitted for “{team}”, so you cannot change teams: each team has its own submission limit.",
        "Invite the others into your team instead. Anyone who has not submitted can join it.",
        status=409,
    ),
}
