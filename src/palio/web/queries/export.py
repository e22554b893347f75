"""Export of a challenge as one zip, generated while it is sent, with a README that describes every file.

Covered: all submissions and attempts with scores, failures and times, leaderboards, teams, terms, receipts, versions,
events; optionally the submitted files and the output of the scoring program. Not covered: hidden data, which the
organizer has and which the digest of its bundle identifies; e-mail addresses.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.text import slugify

from palio import __version__
from palio.core.bundle.leaderboards import leaderboards_of, score_columns
from palio.core.bundle.model import Bundle, Phase
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile, files_below
from palio.core.files.untrusted import UnreadableFileError, open_untrusted
from palio.core.leaderboard.ranking import Row
from palio.core.receipt.key import machine_public_key
from palio.core.report.facts import NAME as FACTS
from palio.core.report.facts import facts_of
from palio.core.submission.fact_sheet import answer_text
from palio.web.http.csv_cells import csv_blocks
from palio.web.leaderboard.formats import interval_ends, interval_names, keys_with_intervals
from palio.web.leaderboard.leaderboard import read_leaderboard
from palio.web.leaderboard.robustness import Robustness
from palio.web.leaderboard.statistics import read_details, read_statistics
from palio.web.leaderboard.visibility import Visibility
from palio.web.models import Attempt, Challenge, Membership, RoleKind
from palio.web.queries.dashboard_submissions import latest_attempts
from palio.web.reading.markdown import is_public
from palio.web.storage.bundles import bundle_of, current_bundle
from palio.web.storage.downloads import blocks_of
from palio.web.storage.files import current_store

Entry = tuple[str, Iterable[bytes], int]
_BLOCK_BYTES = 1 << 20
_RUN_FILES = ("lock.json", "result.json", "report.html")
_AT_A_TIME = 500  # rows per database fetch


@dataclass(frozen=True)
class ExportParts:
    """Optional parts of the export."""

    files: bool = False  # submitted files
    runs: bool = False  # scores, cases and records of the attempts that count
    address: str = ""  # of the challenge's page


def export_name(challenge: Challenge) -> str:
    return f"{challenge.slug}-export-{timezone.now():%Y-%m-%d}.zip"


def entries(challenge: Challenge, parts: ExportParts) -> Iterator[Entry]:
    """The files of the zip, in order. What has been deleted in the meantime is left out."""
    bundle = current_bundle(challenge)
    yield "README.md", [_readme(challenge, bundle, parts).encode()], 0
    yield FACTS, [json.dumps(_facts(challenge, bundle, parts), ensure_ascii=False, indent=1).encode()], 0
    columns = _score_keys(challenge, bundle)
    asked = [question.key for question in bundle.fact_sheet]
    header = [*_RESULTS, *(f"score_{key}" for key in columns), *(f"answer_{key}" for key in asked)]
    yield "results.csv", csv_blocks(header, _results(challenge, columns, asked)), 0
    yield (
        "attempts.csv",
        csv_blocks([*_ATTEMPTS, *(f"score_{key}" for key in columns)], _attempts(challenge, columns)),
        0,
    )
    for phase in bundle.phases:
        for place, board in enumerate(leaderboards_of(bundle, phase)):
            name = _leaderboard_name(bundle, phase, place)
            leaderboard, _ = read_leaderboard(challenge, phase, board, Visibility.ALL)
            keys = [column.key for column in leaderboard.columns]
            statistics = read_statistics(challenge, phase, board, leaderboard.rows)
            measured = keys_with_intervals(leaderboard, statistics)
            answers = [question.key for question in leaderboard.questions]
            header = [*_LEADERBOARD, *keys, *(f"rank_{key}" for key in keys), *(f"answer_{key}" for key in answers)]
            header += ["rank_first", "rank_last", *interval_names(measured)]
            rows = (
                _leaderboard_row(row, keys)
                + [leaderboard.answers.get(row.entry.label, {}).get(key) for key in answers]
                + [*statistics.ranges.get(row.entry.attempt, (None, None)), *interval_ends(row, statistics, measured)]
                for row in leaderboard.rows
            )
            yield f"{name}.csv", csv_blocks(header, rows), 0
            if details := read_details(challenge, phase, board, leaderboard.rows):
                yield f"{name}-statistics.csv", [Robustness.of(leaderboard, details, statistics).csv()], 0
    yield "teams.csv", csv_blocks(_TEAMS, _teams(challenge)), 0
    yield "events.csv", csv_blocks(_EVENTS, _events(challenge)), 0
    yield "versions.csv", csv_blocks(_VERSIONS, _versions(challenge)), 0
    for version in challenge.versions.order_by("number"):
        yield from _public_files(bundle_of(version), f"versions/{version.number}")
    yield from _of_counted(challenge, parts)
    if parts.files:
        yield from _submitted_files(challenge)


def _leaderboard_name(bundle: Bundle, phase: Phase, place: int) -> str:
    """The file of a phase's leaderboard, by its place among them, without suffix."""
    boards = leaderboards_of(bundle, phase)
    name = f"leaderboards/{phase.index}-{slugify(phase.name) or 'phase'}"
    return f"{name}-{place}-{slugify(boards[place].key) or 'leaderboard'}" if len(boards) > 1 else name


def _facts(challenge: Challenge, bundle: Bundle, parts: ExportParts) -> dict[str, Any]:
    """The design of the challenge, for `palio report`."""
    facts, version = facts_of(bundle, timezone.now()), challenge.current
    for phase, own in zip(bundle.phases, facts["phases"], strict=True):
        for place, board in enumerate(own["leaderboards"]):
            board["file"] = f"{_leaderboard_name(bundle, phase, place)}.csv"
    organizers = challenge.roles.filter(kind=RoleKind.ORGANIZER).select_related("user").order_by("user__username")
    return facts | {
        "slug": challenge.slug,
        "url": parts.address,
        "version": version.number if version else None,
        "joining": challenge.joining,
        "organizers": [role.user.get_full_name() or role.user.username for role in organizers],
        "platform": __version__,
        "exported": timezone.now().isoformat(),
    }


def _score_keys(challenge: Challenge, bundle: Bundle) -> list[str]:
    """Columns of the current leaderboard first, then those of earlier versions."""
    bundles = [bundle, *(bundle_of(each) for each in challenge.versions.order_by("-number"))]
    return [*dict.fromkeys(column.key for each in bundles for column in score_columns(each, None))]


def _leaderboard_row(row: Row, keys: Sequence[str]) -> list[object]:
    return [
        row.rank,
        row.name,
        row.entry.label,
        row.entry.attempt,
        _iso(row.entry.submitted),
        row.entries,
        row.entry.baseline,
        row.entry.disqualified,
        *(row.values.get(key) for key in keys),
        *(row.ranks.get(key) for key in keys),
    ]


_RESULTS = (
    "submission", "phase", "team", "team_id", "user", "submitted", "file", "kind", "size_bytes", "sha256", "note",
    "state", "counted_attempt", "challenge_version", "engine", "started", "finished", "failure_cause",
    "failure_code", "charged", "hidden", "withdrawn", "disqualified", "baseline",
    "put_on_leaderboard",
)  # fmt: skip
_ATTEMPTS = (
    "attempt", "submission", "number", "purpose", "state", "challenge_version", "engine", "created", "started",
    "finished", "failure_cause", "failure_code", "failure_stage", "failure_message", "predictions_of", "rescore",
    "rescore_state", "counts",
)  # fmt: skip
_LEADERBOARD = ("rank", "team", "submission", "attempt", "submitted", "entries", "baseline", "disqualified")
_TEAMS = ("team_id", "team", "captain", "member", "member_since", "registered", "terms_sha256", "terms_accepted")
_EVENTS = ("time", "who", "what", "submission", "attempt", "detail")
_VERSIONS = ("number", "digest", "title", "published", "published_by", "note", "changes")


def _results(challenge: Challenge, columns: Sequence[str], asked: Sequence[str]) -> Iterator[list[object]]:
    rows = latest_attempts(challenge).select_related(
        "submission__team", "submission__user", "submission__file", "submission__counted__version", "version"
    )
    for last in rows.order_by("submission__created", "submission_id").iterator(chunk_size=_AT_A_TIME):
        submission = last.submission
        standing = submission.counted or last
        scores = submission.counted.scores or {} if submission.counted else {}
        yield [
            submission.pk,
            submission.phase,
            submission.team.name,
            submission.team_id,
            submission.user.username,
            _iso(submission.created),
            submission.file.name,
            submission.file.kind,
            submission.file.size_bytes,
            submission.file.sha256,
            submission.note,
            last.state,
            submission.counted_id,
            standing.version.number,
            standing.engine,
            _iso(standing.started),
            _iso(standing.finished),
            last.failure_cause,
            last.failure_code,
            submission.charged,
            _iso(submission.hidden),
            _iso(submission.withdrawn),
            submission.disqualified,
            submission.baseline,
            _iso(submission.chosen),
            *(scores.get(key) for key in columns),
            *(answer_text(submission.answers.get(key)) for key in asked),
        ]


def _attempts(challenge: Challenge, columns: Sequence[str]) -> Iterator[list[object]]:
    rows = Attempt.objects.filter(submission__challenge=challenge).select_related("submission", "version", "rescore")
    for row in rows.order_by("submission__created", "submission_id", "number").iterator(chunk_size=_AT_A_TIME):
        failure, scores = row.failure or {}, row.scores or {}
        yield [
            row.identity,
            row.submission_id,
            row.number,
            row.purpose,
            row.state,
            row.version.number,
            row.engine,
            _iso(row.created),
            _iso(row.started),
            _iso(row.finished),
            row.failure_cause,
            row.failure_code,
            failure.get("stage"),
            failure.get("message"),
            row.source_id,
            row.rescore_id,
            row.rescore.state if row.rescore else None,
            row.identity == row.submission.counted_id,
            *(scores.get(key) for key in columns),
        ]


def _teams(challenge: Challenge) -> Iterator[list[object]]:
    registrations = {each.user_id: each for each in challenge.registrations.all()}
    members = Membership.objects.filter(challenge=challenge).select_related("team__captain", "user")
    for each in members.order_by("team__created", "team_id", "joined"):
        registration = registrations.get(each.user_id)
        yield [
            each.team_id,
            each.team.name,
            each.team.captain.username,
            each.user.username,
            _iso(each.joined),
            _iso(registration.created) if registration else None,
            registration.terms_digest if registration else None,
            _iso(registration.terms_accepted) if registration else None,
        ]


def _events(challenge: Challenge) -> Iterator[list[object]]:
    rows = challenge.events.select_related("actor").order_by("id")
    for row in rows.iterator(chunk_size=_AT_A_TIME):
        who = row.actor.username if row.actor else ""
        yield [
            _iso(row.time),
            who,
            row.kind,
            row.submission_id,
            row.attempt,
            json.dumps(row.detail, ensure_ascii=False),
        ]


def _versions(challenge: Challenge) -> Iterator[list[object]]:
    for each in challenge.versions.select_related("published_by").order_by("number"):
        by = each.published_by.username if each.published_by else ""
        changes = json.dumps(each.changes, ensure_ascii=False)
        yield [each.number, each.digest, each.title, _iso(each.published), by, each.note, changes]


def _public_files(bundle: Bundle, folder: str) -> Iterator[Entry]:
    """Files of a version, except the data that submissions are run on or scored with."""
    try:
        below = list(files_below(bundle.root))
    except UnfitFile:
        return
    for name, path in below:
        if is_public(bundle, path):
            yield f"{folder}/{name}", blocks_of(path), path.stat().st_size


def _of_counted(challenge: Challenge, parts: ExportParts) -> Iterator[Entry]:
    counted = challenge.submissions.exclude(counted=None).order_by("created", "id")
    for submission, identity in counted.values_list("id", "counted_id").iterator(chunk_size=_AT_A_TIME):
        folder = settings.FOLDERS.runs / str(identity)
        yield from _untrusted(folder / "receipt.json", f"receipts/{submission}.json")
        if parts.runs:
            for name in _RUN_FILES:
                yield from _untrusted(folder / name, f"runs/{submission}/{name}")
            for path in _below(folder / "scores"):
                yield from _untrusted(
                    path, f"runs/{submission}/scores/{path.relative_to(folder / 'scores').as_posix()}"
                )


def _submitted_files(challenge: Challenge) -> Iterator[Entry]:
    """Each submitted file once."""
    of_file = ("file__sha256", "file__name", "file__size_bytes")
    files = challenge.submissions.order_by("file__sha256").values_list(*of_file).distinct()
    last, store = "", current_store()
    for sha256, name, size_bytes in files.iterator(chunk_size=_AT_A_TIME):
        if sha256 != last and store.has(sha256):
            last = sha256
            plain = name.replace("/", "_").replace("\\", "_").lstrip(".") or "file"
            yield f"submissions/{sha256}/{plain}", store.blocks(sha256), size_bytes


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(root) / name for name in sorted(files))


def _untrusted(path: Path, name: str) -> Iterator[Entry]:
    """A file of a run folder, which untrusted programs have written to; links are not followed."""
    try:
        with open_untrusted(path) as file:
            yield name, iter(lambda: file.read(_BLOCK_BYTES), b""), os.fstat(file.fileno()).st_size
    except (OSError, UnreadableFileError):
        return


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _key() -> str:
    """The option that names this platform's key, to check that receipts are its own."""
    with suppress(PalioError):  # unreadable; the controller reports that
        if key := machine_public_key():
            return f" --key {key}"
    return ""


def _readme(challenge: Challenge, bundle: Bundle, parts: ExportParts) -> str:
    version = challenge.current
    lines = [
        f"# {bundle.title}",
        "",
        f"Exported from Palio {__version__} on {timezone.now():%Y-%m-%d at %H:%M} UTC: the challenge "
        f"`{challenge.slug}`, version {version.number if version else 0}, with the bundle of the digest "
        f"`{version.digest if version else ''}`.",
        "Times are UTC. Scores are not rounded. A text that a spreadsheet would take for a formula starts with '.",
        "",
        "| file | content |",
        "|---|---|",
        f"| `{FACTS}` | the design of the challenge: phases, limits, data by format and class, metrics, ranking; "
        "`palio report FOLDER` reads it |",
        "| `results.csv` | one line per submission: phase, team, file, latest state, the attempt that counts, scores, "
        "answers to the challenge's questions |",
        "| `attempts.csv` | one line per attempt, including those that do not count: purpose, times, engine, result |",
        "| `leaderboards/*.csv` | each phase's leaderboard as organizers see it; disqualified entries have no rank |",
        "| `teams.csv` | one line per member: team, captain, member since, accepted terms |",
        "| `events.csv` | the audit log: who did what, when and why; without a name it was the platform |",
        "| `versions.csv` | every published version, with the digest of its files and its changes |",
        "| `versions/NUMBER/` | its files, without hidden data and scoring programs |",
        "| `receipts/SUBMISSION.json` | the signed receipt of the attempt that counts; verify it with "
        f"`palio verify FILE{_key()}` |",
    ]
    if parts.runs:
        lines.append(
            "| `runs/SUBMISSION/` | the attempt that counts: digests and limits "
            "(`lock.json`), stages and times (`result.json`), the report, and in `scores/` the output of the scoring "
            "program, including single cases |"
        )
    if parts.files:
        lines.append(
            "| `submissions/SHA256/` | each submitted file that was not deleted; digests as in `results.csv` |"
        )
    phases = ", ".join(f"“{phase.name}”" for phase in bundle.phases)
    columns = "; ".join(
        f"`score_{column.key}`: {column.title}, {'higher' if column.descending else 'lower'} is better"
        + (", computed, so only on leaderboards" if column.computation else "")
        + (", not shown to participants" if column.hidden else "")
        for column in score_columns(bundle, None)
    )
    lines += ["", f"Phases: {phases}.", "", f"Columns: {columns}.", ""]
    return "\n".join(lines)
