"""Submissions that are not files of this machine: an image in a registry, or a tag of a Git repository."""

from pathlib import Path

GIT_SCHEMES = ("https://", "http://", "ssh://", "git://", "file://", "ext::", "git@")


def is_fetched(given: str) -> bool:
    """Whether the word is an address or an image name rather than a path."""
    if Path(given).exists():
        return False
    if is_git(given):
        return True
    # Imported here to keep `palio --help` fast.
    from palio.core.submission.reference import looks_like_image

    return looks_like_image(given)


def is_git(given: str) -> bool:
    return given.startswith(GIT_SCHEMES) or "://" in given


def fetched(given: str, folder: Path, *, max_bytes: int) -> tuple[Path, list[tuple[str, str]]]:
    """A file in `folder` with what was fetched, the document of a reference or a zip; and facts about its origin.

    Raises the errors of engines.sources.
    """
    if is_git(given):
        from palio.engines.sources.git import fetch_tag

        found = fetch_tag(given, folder, max_bytes=max_bytes)
        return found.archive, [("repository", found.repository), ("tag", found.tag), ("commit", found.commit)]
    from palio.engines.sources.images import pin_image

    reference = pin_image(given, max_bytes=max_bytes)
    path = folder / f"{reference.called.replace(':', '-')}.json"
    path.write_bytes(reference.document())
    return path, []
