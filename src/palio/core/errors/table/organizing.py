"""Organizing a challenge: publishing, settings, roles, announcements, messages, disqualifying and re-scoring."""

from palio.core.errors.kinds import Cause, FailureKind

_U, _O, _S = Cause.USAGE, Cause.ORGANIZER, Cause.PLATFORM

KINDS: dict[str, FailureKind] = {
    "slug-invalid": FailureKind(
        _O,
        "The name “{name}” cannot be part of an address.",
        "Name the challenge with --slug: letters from a to z, digits and hyphens, at most {limit} characters.",
    ),
    "engine-unnamed": FailureKind(
        _O,
        "The phase “{phase}” asks for the engine `{name}`, which this platform does not have. {names}",
        "Change or remove `palio.engine` in competition.yaml, or ask the operator to add [engines.{name}] to "
        "palio.toml.",
    ),
    "slug-taken": FailureKind(
        _O,
        "A challenge named “{slug}” already exists.",
        "Choose another name with --slug, or ask its organizers to add you as an organizer.",
        status=409,
    ),
    "report-too-large": FailureKind(
        _O,
        "The report of “{slug}” was not finished: {reason}.",
        "Make it on your own machine, where no limits apply: palio report {slug}",
        status=409,
    ),
    "publish-reason-missing": FailureKind(
        _O,
        "The challenge “{slug}” has submissions, so a new version needs a reason, which its change register shows.",
        "Say what changed and why: palio publish BUNDLE --note TEXT, or in the form.",
        status=422,
    ),
    "edit-invalid": FailureKind(
        _O,
        "The edit has {count} that cannot be used.",
        "Fix what is listed. Nothing was changed.",
        status=422,
    ),
    "edit-impossible": FailureKind(
        _O,
        "Field `{field}` of competition.yaml cannot be edited here: {reason}.",
        "Edit the file yourself and publish it as a new version.",
        status=409,
    ),
    "edit-outdated": FailureKind(
        _O,
        "Version {number} was published while you edited version {base}.",
        "Load the page again, and make your edit in the new version.",
        status=409,
    ),
    "edit-reason-missing": FailureKind(
        _O,
        "The edit has no reason, which participants read beside the version that it makes.",
        "Write what you changed and why, such as: the deadline moves because the server was down.",
        status=422,
    ),
    "edit-empty": FailureKind(
        _O,
        "The edit changes nothing.",
        "Change a date, a limit or a text first.",
        status=422,
    ),
    "edit-unconfirmed": FailureKind(
        _O,
        "The edit has {count} that somebody could be harmed by.",
        "Read what is listed. If you want it nevertheless, confirm it: with the box on the page, or `confirm` in the "
        "API.",
        status=409,
    ),
    "data-findings": FailureKind(
        _O,
        "The data audit has {count}, which nobody has accepted yet.",
        "Fix what is listed; `palio data audit BUNDLE --html FILE` shows examples. If it is acceptable, publish again "
        "and say why: in the field on the page, or with --accept-findings. The reason is recorded in the audit log.",
        status=409,
    ),
    "publish-not-allowed": FailureKind(
        _O,
        "You may not create challenges on {url}.",
        "To publish a new version of a challenge that you organize, name it: `--slug NAME`. To create one, ask "
        "the operator for the right to publish.",
        status=403,
    ),
    "publish-archived": FailureKind(
        _O,
        "The challenge “{slug}” is archived (read-only), so it takes no new version.",
        "Set its visibility to published first.",
        status=409,
    ),
    "publish-not-draft": FailureKind(
        _O,
        "The challenge “{slug}” is already published, so a new version cannot be kept as a draft.",
        "Publish the new version, or publish it as a draft under another name with --slug.",
        status=409,
    ),
    "phase-in-use": FailureKind(
        _O,
        "The new version lacks {phases}, which already has submissions.",
        "Keep the phase under the same name. To close it, set its end date.",
        status=409,
    ),
    "challenge-in-use": FailureKind(
        _O,
        "The challenge has submissions, so it cannot become a draft: its participants could not see it any more.",
        "Archive it instead: everyone can still read it, but nobody can submit.",
        status=409,
    ),
    "last-organizer": FailureKind(
        _O,
        "{user} is the only organizer of this challenge.",
        "Make someone else an organizer first.",
        status=409,
    ),
    "role-missing": FailureKind(
        _O,
        "The account “{user}” has no role in this challenge.",
        "You do not need to do anything.",
        status=404,
    ),
    "account-unknown": FailureKind(
        _O,
        "There is no account named “{user}”.",
        "Check the name. Anyone without an account has to create one first.",
    ),
    "announcement-incomplete": FailureKind(
        _O,
        "An announcement needs a title and a text.",
        "Write both.",
    ),
    "announcement-too-long": FailureKind(
        _O,
        "The {field} has {count} characters; at most {limit} are allowed.",
        "Shorten the {field}.",
    ),
    "announcement-too-complex": FailureKind(
        _O,
        "The text nests emphasis, links or quotes too deeply to be rendered.",
        "Write it with simpler formatting.",
    ),
    "message-incomplete": FailureKind(
        _O,
        "A message needs a title and a text.",
        "Write both.",
    ),
    "message-audience-unknown": FailureKind(
        _O,
        "No receivers are named `{audience}`.",
        "Use one of {allowed}.",
    ),
    "message-team-unknown": FailureKind(
        _O,
        "The challenge has no team “{team}”.",
        "Name a team as the leaderboard or the list of participants shows it.",
    ),
    "message-without-receivers": FailureKind(
        _O,
        "Nobody would get the message: {reason}.",
        "Choose other receivers.",
        status=409,
    ),
    "messages-too-many": FailureKind(
        _O,
        "The limit is reached: {limit} within 24 hours.",
        "Send it after {time}.",
        status=429,
    ),
    "webhook-url-refused": FailureKind(
        _U,
        "The URL `{url}` {reason}.",
        "Enter the URL of a program that receives events at a public address, such as https://ci.example.org/palio.",
        status=422,
    ),
    "webhook-without-events": FailureKind(
        _U,
        "The webhook has no events.",
        "Choose at least one event, or delete the webhook.",
        status=422,
    ),
    "webhooks-too-many": FailureKind(
        _U,
        "There are {limit} webhooks already, the most that are allowed.",
        "Delete one first.",
        status=409,
    ),
    "webhook-test-waiting": FailureKind(
        _U,
        "A test event for this webhook is still waiting to be sent.",
        "Reload the page in a few seconds.",
        status=409,
    ),
    "reason-missing": FailureKind(
        _O,
        "A submission can only be disqualified with a reason.",
        "Write a reason; the team reads it.",
    ),
    "reason-too-long": FailureKind(
        _O,
        "The reason has {count} characters; at most {limit} are allowed.",
        "Shorten the reason.",
    ),
    "rescore-open": FailureKind(
        _O,
        "The phase “{phase}” already has an open re-score.",
        "Apply or discard that one first.",
        status=409,
    ),
    "rescore-empty": FailureKind(
        _O,
        "No submission in the phase “{phase}” has predictions to score.",
        "Wait until a submission has reached the scoring stage.",
        status=409,
    ),
    "rescore-running": FailureKind(
        _O,
        "The re-score is still running.",
        "Wait until it is ready.",
        status=409,
    ),
    "rescore-decided": FailureKind(
        _O,
        "The re-score was already {state}.",
        "To change the scores, start a new re-score.",
        status=409,
    ),
    "rescore-incomplete": FailureKind(
        _S,
        "{count} could not be scored because of a platform error.",
        "Discard this re-score. Start a new one once the operator has fixed the platform.",
        status=409,
    ),
    "rescore-failed": FailureKind(
        _O,
        "No submission has a new score, because the challenge's own programs failed. Applying this re-score would "
        "remove every score from the leaderboard.",
        "Discard this re-score, fix the scoring program, publish a new version, then re-score the phase again.",
        status=409,
    ),
}
