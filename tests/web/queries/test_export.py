"""The export: every file in it is named in its README, tables are whole, nothing hidden comes along."""

import csv
import io
import zipfile
from collections.abc import Callable

from django.conf import settings
from django.test import Client
from tests.web.full_challenge import Full

from palio.web.queries.export import ExportParts, entries
from palio.web.storage.downloads import zip_of
from palio.web.storage.files import file_path


def exported(full: Full, parts: ExportParts) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(b"".join(zip_of(entries(full.world.challenge, parts)))))


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def test_export_has_all_tables_and_receipts(full: Full) -> None:
    archive = exported(full, ExportParts())
    assert archive.testzip() is None
    names = archive.namelist()
    tables = [
        "results.csv",
        "attempts.csv",
        "leaderboards/0-practice.csv",
        "leaderboards/1-final.csv",
        "teams.csv",
        "events.csv",
    ]
    assert names[:9] == ["README.md", "challenge.json", *tables, "versions.csv"]
    assert [name for name in names if name.startswith("receipts/")] == [
        f"receipts/{row['submission']}.json" for row in table(archive, "results.csv") if row["counted_attempt"]
    ]
    versions = sorted(name for name in names if name.startswith("versions/"))
    assert versions == sorted(
        f"versions/{number}/{name}"
        for number in (1, 2)
        for name in ("competition.yaml", "logo.png", "overview.md", "terms.md")
    )
    assert len(names) == len(set(names)) == 9 + 3 + 8


def test_export_results_one_line_per_submission(full: Full) -> None:
    rows = table(exported(full, ExportParts()), "results.csv")
    assert [row["state"] for row in rows] == ["scored", "scored", "scored", "failed", "failed", "predict", "queued"]
    best = next(row for row in rows if row["submission"] == full.best.pk)
    expected = {
        "phase": "Final",
        "team": "Blobs",
        "user": "bob",
        "submitted": "2026-03-01T12:05:00+00:00",
        "file": "blobs-5.zip",
        "kind": "context",
        "sha256": full.best.file.sha256,
        "note": "'=40 epochs",  # a spreadsheet would compute it
        "counted_attempt": full.best.counted_id,
        "challenge_version": "2",
        "disqualified": "",
        "score_accuracy": "0.9",
        "score_secret": "0.123456",
        "score_mean_rank": "",
    }
    assert {name: best[name] for name in expected} == expected


def test_export_leaderboard_and_teams(full: Full) -> None:
    archive = exported(full, ExportParts())
    board = table(archive, "leaderboards/1-final.csv")
    assert [(row["rank"], row["team"], row["submission"], row["accuracy"]) for row in board] == [
        ("1", "Blobs", full.best.pk, "0.9"),
        ("2", "Carolingians", full.rival.pk, "0.8"),
    ]
    teams = [(row["team"], row["captain"], row["member"]) for row in table(archive, "teams.csv")]
    assert teams == [("Blobs", "bob", "bob"), ("Blobs", "bob", "bea"), ("Carolingians", "carol", "carol")]


def test_export_everything_files_and_scores(full: Full) -> None:
    place = file_path(settings.FOLDERS, full.best.file.sha256)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"a whole model")
    secret = settings.FOLDERS.root / "secret.txt"
    secret.write_text("nobody's")
    scores = settings.FOLDERS.runs / str(full.best.counted_id) / "scores"
    (scores / "link.txt").symlink_to(secret)
    archive = exported(full, ExportParts(files=True, runs=True))
    assert archive.read(f"submissions/{full.best.file.sha256}/blobs-5.zip") == b"a whole model"
    runs = sorted(name for name in archive.namelist() if name.startswith(f"runs/{full.best.pk}/"))
    kept = ["report.html", "result.json", "scores/cases.csv"]
    assert runs == [f"runs/{full.best.pk}/{name}" for name in kept]
    readme = archive.read("README.md").decode()
    for name in archive.namelist()[1:]:
        assert name in readme or f"`{name.split('/')[0]}/" in readme, name


def test_export_streamed_with_name(full: Full, browser: Callable[..., Client]) -> None:
    answer = browser(full.world.alice).get("/c/mednist/manage/export.zip?runs=1")
    assert answer.streaming
    assert answer["Content-Disposition"].startswith('attachment; filename="mednist-export-')
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    assert f"runs/{full.rival.pk}/result.json" in archive.namelist()
