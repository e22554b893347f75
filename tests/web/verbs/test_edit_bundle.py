"""Edits of a challenge become versions that differ in nothing else, and say whom they would harm."""

from datetime import timedelta

import pytest
from django.conf import settings
from tests.web.full_challenge import Full
from tests.web.scored_submissions import NOON, add_submission, scores
from tests.web.world import World

from palio.core.bundle.difference import Change
from palio.core.bundle.edit import Edit, texts_of
from palio.core.errors import PalioError
from palio.core.files.tree import digest_tree
from palio.web.models import Challenge
from palio.web.queries.export import ExportParts, entries
from palio.web.storage.bundles import bundle_of, current_bundle
from palio.web.storage.files import bundle_path
from palio.web.verbs.edit_bundle import apply, review


def code(world: World, edit: Edit, *, base: int = 2, reason: str = "Why", confirm: bool = False) -> str:
    with pytest.raises(PalioError) as caught:
        apply(world.challenge, edit, base=base, reason=reason, confirm=confirm, actor=world.alice)
    return caught.value.failure.code


def left_over() -> list[str]:
    return [path.name for path in settings.FOLDERS.bundles.iterdir() if path.name.startswith(".edit-")]


def test_edit_makes_version(full: Full) -> None:
    world = full.world
    before = world.challenge.current
    assert before is not None
    edit = Edit({"Final": {"max_submissions": "50"}})
    done = apply(world.challenge, edit, base=2, reason="More\0 time.", confirm=False, actor=world.alice)
    version = done.version
    assert (version.number, version.note, version.published_by, done.is_new) == (3, "More time.", world.alice, True)
    assert version.changes == [{"what": "phase “Final”: submissions in total", "old": "100", "new": "50"}]
    old, new = (bundle_path(settings.FOLDERS, each.digest) for each in (before, version))
    assert (digest_tree(old), digest_tree(new)) == (before.digest, version.digest)
    names = {path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file()}
    same = {name for name in names if (old / name).read_bytes() == (new / name).read_bytes()}
    assert names - same == {"competition.yaml"}
    assert not any((old / name).samefile(new / name) for name in names)
    assert bundle_of(version).phases[1].max_submissions == 50
    assert left_over() == []


def test_edit_in_export(full: Full) -> None:
    world = full.world
    edit = Edit({"Final": {"max_submissions": "50"}})
    apply(world.challenge, edit, base=2, reason="More time.", confirm=False, actor=world.alice)
    world.challenge.refresh_from_db()
    parts = ExportParts(files=False, runs=False, address="https://palio.example.org/c/mednist/")
    written = {name: b"".join(blocks) for name, blocks, _ in entries(world.challenge, parts) if "versions" in name}
    assert b"max_submissions: 50" in written["versions/3/competition.yaml"]
    assert b"max_submissions: 50" not in written["versions/2/competition.yaml"]
    assert b"More time." in written["versions.csv"]


def test_edit_of_text(full: Full) -> None:
    world = full.world
    file = next(iter(texts_of(current_bundle(world.challenge))))
    found = review(world.challenge, Edit(texts={file: "# Hello\nNew"}), actor=world.alice)
    assert (found.base, found.changes[0].new, found.harms) == (2, "# Hello\nNew", ())
    apply(world.challenge, Edit(texts={file: "# Hello\nNew"}), base=2, reason="x", confirm=False, actor=world.alice)
    world.challenge.refresh_from_db()
    assert current_bundle(world.challenge).pages[0].file.read_text() == "# Hello\nNew\n"


def test_edit_refused(full: Full) -> None:
    world, edit = full.world, Edit({"Final": {"max_submissions": "50"}})
    assert code(world, edit, reason=" \0") == "edit-reason-missing"
    assert code(world, edit, reason="x" * 5001) == "reason-too-long"
    assert code(world, edit, base=1) == "edit-outdated"
    assert code(world, Edit()) == "edit-empty"
    assert code(world, Edit({"Final": {"start": "never"}})) == "edit-invalid"
    world.challenge.visibility = Challenge.Visibility.ARCHIVED
    world.challenge.save()
    assert code(world, edit) == "publish-archived"
    assert world.challenge.versions.count() == 2
    assert left_over() == []


def test_edit_harm_needs_confirmation(full: Full) -> None:
    """A deadline in the past while two attempts are not finished."""
    world, edit = full.world, Edit({"Final": {"end": "2026-02-01 12:00 UTC"}})
    found = review(world.challenge, edit, actor=world.alice, now=NOON)
    assert found.changes == (Change("phase “Final”: closes", "–", "2026-02-01 12:00 UTC"),)
    assert found.harms == (
        "“Final” closes at once: its end, 2026-02-01 12:00 UTC, is in the past. 2 submissions to it are still being "
        "evaluated.",
    )
    assert code(world, edit) == "edit-unconfirmed"
    assert apply(world.challenge, edit, base=2, reason="Over.", confirm=True, actor=world.alice).version.number == 3


def test_edit_harms_of_limits(full: Full) -> None:
    world = full.world
    for minute in (30, 31, 32):
        add_submission(world.team, scores=scores(0.5), minute=minute, charged=True)
    edit = Edit({"Final": {"max_submissions": "2", "max_submissions_per_day": "2", "predict_time": "1 s"}})
    total, today, stages = review(world.challenge, edit, actor=world.alice, now=NOON + timedelta(hours=1)).harms
    assert total == (
        "1 team made more than 2 submissions to “Final” in total, up to 4. What they made stays, but they cannot "
        "submit again."
    )
    assert today == total.replace("in total", "today").replace("again.", "again today.")
    assert stages.startswith("“Final” has 10 submissions under the limits so far. Lower ones of predict time can fail")
    later = review(world.challenge, edit, actor=world.alice, now=NOON + timedelta(days=1)).harms
    assert [sentence.split(" ")[0] for sentence in later] == ["1", "“Final”"]


def test_edit_harms_of_dates_and_terms(full: Full) -> None:
    world = full.world
    edit = Edit({"Final": {"start": "2026-05-01"}})
    assert review(world.challenge, edit, actor=world.alice, now=NOON).harms == (
        "“Final” is open, with 7 submissions, and closes until 2026-05-01 00:00 UTC.",
    )
    edit = Edit({"Final": {"end": "2026-05-01 00:00 UTC"}})
    assert review(world.challenge, edit, actor=world.alice, now=NOON).harms == (
        "“Final” closes earlier: at 2026-05-01 00:00 UTC and had no end.",
    )
    assert review(world.challenge, Edit({"Final": {"max_submissions": ""}}), actor=world.alice, now=NOON).harms == ()
    bundle = current_bundle(world.challenge)
    assert bundle.terms is not None
    found = review(world.challenge, Edit(texts={"terms": "Be kind to everyone."}), actor=world.alice, now=NOON)
    assert found.harms == ("The terms change: 3 participants must accept them before submitting again.",)
