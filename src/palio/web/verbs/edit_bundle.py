"""Edits dates, limits and texts of a challenge: each edit is a new version, which differs in nothing else.

What an edit would do to participants is said before it is confirmed. Hidden data is never read; unchanged files are
links to those of the version before until the new version has its own copy.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from palio.core.attempt.states import ENDS
from palio.core.bundle.difference import Change, differences
from palio.core.bundle.edit import Edit, edited_files
from palio.core.bundle.model import Bundle, Phase
from palio.core.errors import PalioError, counted
from palio.core.files.staging import writing
from palio.web.language.numbers import number
from palio.web.language.times import minute
from palio.web.language.words import word
from palio.web.models import Attempt, Challenge, User
from palio.web.reading.bounded import BUNDLES, without_folder
from palio.web.storage.bundles import current_bundle, read_new, reading_at
from palio.web.verbs.publish import Publication, publish_bundle

NOTE_CHARACTERS = 5000


@dataclass(frozen=True)
class Review:
    """What an edit would change, and the sentences on whom it would harm. `base`: the version that it is made in."""

    base: int
    changes: tuple[Change, ...]
    harms: tuple[str, ...]


def review(challenge: Challenge, edit: Edit, *, actor: User, now: datetime | None = None) -> Review:
    """Raises PalioError "edit-empty", "edit-invalid", "edit-impossible", or "bundle-invalid" listing all problems."""
    with _edited(challenge, edit, actor) as folder:
        return _review(challenge, folder, now or timezone.now())


def apply(challenge: Challenge, edit: Edit, *, base: int, reason: str, confirm: bool, actor: User) -> Publication:
    """Publish the edit as the next version, for a `reason` that its participants read.

    `base` is the number of the version that was edited. Raises what `review` raises, "edit-outdated",
    "edit-reason-missing", "reason-too-long", and without `confirm` "edit-unconfirmed" if it would harm somebody.
    """
    reason = reason.replace("\0", "").strip()
    if not reason:
        raise PalioError("edit-reason-missing")
    if len(reason) > NOTE_CHARACTERS:
        raise PalioError("reason-too-long", count=f"{len(reason):,}", limit=f"{NOTE_CHARACTERS:,}")
    with _edited(challenge, edit, actor) as folder:
        found = _review(challenge, folder, timezone.now())
        if found.harms and not confirm:
            raise PalioError("edit-unconfirmed", count=counted(len(found.harms), "effect"), evidence=[*found.harms])
        return publish_bundle(
            folder,
            actor=actor,
            slug=challenge.slug,
            draft=challenge.visibility == Challenge.Visibility.DRAFT,
            note=reason,
            same_data=True,
            base=base,
        )


@contextmanager
def _edited(challenge: Challenge, edit: Edit, actor: User) -> Iterator[Path]:
    """A folder with the edited bundle. Problems name files in it, not the folder."""
    bundle = current_bundle(challenge)
    work: Path = settings.FOLDERS.bundles / f".edit-{secrets.token_hex(8)}"
    with BUNDLES.taken_by(actor.username), writing(settings.FOLDERS.bundles):
        try:
            files = edited_files(bundle, edit)
            if not files:
                raise PalioError("edit-empty")
            folder = work / challenge.slug
            shutil.copytree(bundle.root, folder, symlinks=True, copy_function=os.link)
            for name, content in files.items():
                path = folder / name
                path.unlink()  # the link only
                path.write_bytes(content)
                path.chmod((bundle.root / name).stat().st_mode)
            yield folder
        except PalioError as error:
            raise without_folder(error, work) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _review(challenge: Challenge, folder: Path, now: datetime) -> Review:
    content = read_new(folder)
    old, new = current_bundle(challenge), reading_at(content, Path(content["root"])).bundle
    base = challenge.current.number if challenge.current else 0
    return Review(base, differences(old, new), tuple(_harms(challenge, old, new, now)))


def _harms(challenge: Challenge, old: Bundle, new: Bundle, now: datetime) -> Iterator[str]:
    before = {phase.name: phase for phase in old.phases}
    for phase in new.phases:
        if phase.name in before:
            yield from _dates(challenge, before[phase.name], phase, now)
            yield from _submission_limits(challenge, before[phase.name], phase, now)
            yield from _stage_limits(challenge, before[phase.name], phase)
    if new.terms and (not old.terms or old.terms.read_bytes() != new.terms.read_bytes()):
        participants = challenge.registrations.filter(state="approved").count()
        if participants:
            form = ngettext(
                "The terms change: %(count)s participant must accept them before submitting again.",
                "The terms change: %(count)s participants must accept them before submitting again.",
                participants,
            )
            yield form % {"count": number(participants, ",")}


def _dates(challenge: Challenge, old: Phase, new: Phase, now: datetime) -> Iterator[str]:
    if new.end is not None and new.end <= now and (old.end is None or old.end > now):
        unfinished = Attempt.objects.filter(submission__challenge=challenge, submission__phase=new.name)
        count = unfinished.exclude(state__in=[*ENDS]).values("submission").distinct().count()
        closes = gettext("“%(phase)s” closes at once: its end, %(end)s, is in the past.")
        running = ngettext(
            "%(count)s submission to it is still being evaluated.",
            "%(count)s submissions to it are still being evaluated.",
            count,
        )
        said = closes % {"phase": new.name, "end": _time(new.end)}
        yield f"{said} {running % {'count': number(count, ',')}}" if count else said
    elif old.start <= now < new.start:
        count = challenge.submissions.filter(phase=new.name).count()
        form = ngettext(
            "“%(phase)s” is open, with %(count)s submission, and closes until %(start)s.",
            "“%(phase)s” is open, with %(count)s submissions, and closes until %(start)s.",
            count,
        )
        yield form % {"phase": new.name, "count": number(count, ","), "start": _time(new.start)}
    elif new.end is not None and new.end > now and (old.end is None or new.end < old.end):
        facts = {"phase": new.name, "end": _time(new.end)}
        if old.end:
            form = gettext("“%(phase)s” closes earlier: at %(end)s instead of %(before)s.")
            yield form % (facts | {"before": _time(old.end)})
        else:
            yield gettext("“%(phase)s” closes earlier: at %(end)s and had no end.") % facts


def _submission_limits(challenge: Challenge, old: Phase, new: Phase, now: datetime) -> Iterator[str]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    limits = (
        (old.max_submissions, new.max_submissions, None),
        (old.max_submissions_per_day, new.max_submissions_per_day, midnight),
    )
    for was, most, since in limits:
        if most is None or (was is not None and was <= most):
            continue
        used = _used(challenge, new.name, since)
        above = [count for count in used if count > most]
        if above:
            made = ngettext("%(count)s submission", "%(count)s submissions", most) % {"count": number(most, ",")}
            facts = {"teams": number(len(above), ","), "limit": made, "phase": new.name, "most": max(above)}
            yield (_above_today if since else _above)(len(above)) % facts


def _above(teams: int) -> str:
    return ngettext(
        "%(teams)s team made more than %(limit)s to “%(phase)s” in total, up to %(most)s. What they made stays, but "
        "they cannot submit again.",
        "%(teams)s teams made more than %(limit)s to “%(phase)s” in total, up to %(most)s. What they made stays, but "
        "they cannot submit again.",
        teams,
    )


def _above_today(teams: int) -> str:
    return ngettext(
        "%(teams)s team made more than %(limit)s to “%(phase)s” today, up to %(most)s. What they made stays, but they "
        "cannot submit again today.",
        "%(teams)s teams made more than %(limit)s to “%(phase)s” today, up to %(most)s. What they made stays, but they "
        "cannot submit again today.",
        teams,
    )


def _used(challenge: Challenge, phase: str, since: datetime | None) -> list[int]:
    """How many submissions of each team count toward its limits, as `submission_limits.counting` has it."""
    running = Attempt.objects.filter(submission=OuterRef("pk"), rescore=None).exclude(state__in=[*ENDS])
    made = challenge.submissions.filter(Q(charged=True) | Exists(running), phase=phase, migrated_from=None)
    if since is not None:
        made = made.filter(created__gte=since)
    return list(made.order_by().values("team").annotate(count=Count("pk")).values_list("count", flat=True))


def _stage_limits(challenge: Challenge, old: Phase, new: Phase) -> Iterator[str]:
    limits = ((gettext("time"), "time_s"), (gettext("memory"), "memory_bytes"), ("CPUs", "cpus"))
    lowered = [
        f"{word(stage)} {name}"
        for stage in ("build", "predict", "score")
        for name, field in limits
        if getattr(getattr(new.rules, stage), field, 0) < getattr(getattr(old.rules, stage), field, 0)
    ]
    count = challenge.submissions.filter(phase=new.name).count()
    if lowered and count:
        form = ngettext(
            "“%(phase)s” has %(count)s submission under the limits so far. Lower ones of %(limits)s can fail "
            "submissions that passed, if they are evaluated again.",
            "“%(phase)s” has %(count)s submissions under the limits so far. Lower ones of %(limits)s can fail "
            "submissions that passed, if they are evaluated again.",
            count,
        )
        yield form % {"phase": new.name, "count": number(count, ","), "limits": ", ".join(lowered)}


def _time(time: datetime) -> str:
    return f"{minute(time)} UTC"
