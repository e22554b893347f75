"""The functions that child processes run for `bounded`, with JSON arguments and results.

Nothing here imports Django. A path is written as {"path": …}, relative to the bundle.
"""

import base64
import json
import secrets
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from palio.core.bundle.check import check_bundle
from palio.core.bundle.model import Bundle, SubmissionKind
from palio.core.bundle.pictures import picture_fault
from palio.core.bundle.read import bundle_invalid, read_bundle
from palio.core.files.archive import unpack
from palio.core.submission.kinds import check_submission, read_submission
from palio.core.submission.recognized import recognized
from palio.web.reading.markdown import is_picture, render_file, render_text
from palio.web.reading.samples import sample_pictures

PICTURE, PAGE = "/f/", "/p/"  # after the token: before the path of a picture, the index of a page


def read_submitted(
    path: str, called: str, kind: str | None, digest: str, accepted: list[str], classes: list[str]
) -> list[Any]:
    """The kind of a submission, notes on it, and what was recognized in it.

    Raises PalioError for problems found without a container. `accepted` and `classes` are the kinds and the classes of
    MONAI bundles that its phase takes.
    """
    wanted, kinds = SubmissionKind(kind) if kind else None, tuple(map(SubmissionKind, accepted))
    submission = read_submission(Path(path), wanted, digest, accepted=kinds, called=called)
    submission = check_submission(submission, tuple(classes))
    return [submission.kind.value, list(submission.notes), [list(fact) for fact in recognized(submission)]]


def unpack_bundle(archive: str, folder: str, name: str, max_bytes: int) -> None:
    unpack(Path(archive), Path(folder), name, max_bytes=max_bytes, lenient=True)


def read_whole(folder: str, checked: bool) -> dict[str, Any]:
    """A bundle with its pages as HTML, in which URLs start with `token`: see `bundles.Reading`.

    With `check`, raises PalioError "bundle-invalid" listing all problems; otherwise raises what `read_bundle` raises.
    """
    bundle = read_bundle(Path(folder))
    warnings = bundle.warnings
    pictured = False
    if checked:
        from palio.data.audit.listing import has_images

        pictured = has_images(bundle)
        errors, more = check_bundle(bundle)
        if errors:
            raise bundle_invalid(Path(folder), (*errors, *warnings, *more))
        warnings = (*warnings, *more)
    token = f"/-{secrets.token_hex(16)}"  # no page can contain it, because it is drawn after the page was written
    pictures = {
        file.relative_to(bundle.root).as_posix()
        for file in (bundle.logo, bundle.presentation.cover)
        if file and is_picture(bundle, file) and picture_fault(file) is None
    }

    def picture(name: str) -> str:
        pictures.add(name)
        return f"{token}{PICTURE}{quote(name)}"

    shown = [*(page.file for page in bundle.pages), *([bundle.terms] if bundle.terms else [])]
    rendered = [render_file(bundle, file, picture, lambda index: f"{token}{PAGE}{index}") for file in shown]
    return {
        "root": str(bundle.root),
        "bundle": _plain(bundle),
        "token": token,
        "pages": rendered[: len(bundle.pages)],
        "terms": rendered[-1] if bundle.terms else "",
        "pictures": sorted(pictures),
        "samples": [base64.b64encode(each).decode() for each in sample_pictures(bundle)],
        "warnings": [str(problem) for problem in warnings],
        "has_images": pictured,
    }


def audit_images(folder: str, time_s: float) -> list[list[str]]:
    """The serious findings of the data audit and its warnings, as sentences. Reads files for at most `time_s`."""
    from palio.data.audit.findings import Severity
    from palio.data.audit.run import audit_bundle

    report = audit_bundle(read_bundle(Path(folder)), time_s=time_s)
    warnings = [f"Data audit: {found}" for found in report.findings if found.severity is Severity.WARNING]
    warnings += [f"Data audit: {found}" for found in report.findings if found.code == "partly-audited"]
    return [[f"{found} {' '.join(found.values[:1])}".strip() for found in report.serious], warnings]


def render_texts(texts: list[str]) -> list[str]:
    return [render_text(text) for text in texts]


def _plain(bundle: Bundle) -> Any:
    def plain(value: object) -> object:
        if isinstance(value, Path):
            return {"path": value.relative_to(bundle.root).as_posix()}
        assert isinstance(value, datetime)  # noqa: S101 - nothing else in a bundle is no JSON by itself
        return value.isoformat()

    return json.loads(json.dumps(asdict(bundle), default=plain))
