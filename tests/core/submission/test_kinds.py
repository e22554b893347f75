import gzip
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.images import Members, classic, entry, oci, tar, write

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.submission.kinds import SubmissionFile, read_submission, unpack_results

LAYERS = [tar({"a": b"1"})]


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


def refusal(path: Path, kind: SubmissionKind | None = None) -> tuple[str, str, str]:
    with pytest.raises(PalioError) as refused:
        read_submission(path, kind)
    failure = refused.value.failure
    return failure.code, failure.message, failure.next_step


@pytest.mark.parametrize("name", ["s.tar", "s.tar.gz", "renamed.zip"])
@pytest.mark.parametrize("layout", [classic, oci])
def test_read_submission_saved_image(tmp_path: Path, name: str, layout: Callable[[list[bytes]], Members]) -> None:
    assert read_submission(write(tmp_path / name, layout(LAYERS))).kind is SubmissionKind.IMAGE


@pytest.mark.parametrize(
    "first",
    [
        f"sha256:{'0a' * 32}",  # crane
        f"{'0a' * 32}.tar",  # podman, skopeo
        f"{'0a' * 32}/",
        "blobs/",
        "oci-layout",
        "manifest.json",
    ],
)
def test_read_submission_saved_by_others(tmp_path: Path, first: str) -> None:
    members: Members = {"./": entry("./", tarfile.DIRTYPE), first: b"x"}
    assert read_submission(write(tmp_path / "s.tar", members)).kind is SubmissionKind.IMAGE


def test_read_submission_looks_at_the_beginning_only(tmp_path: Path) -> None:
    """Whatever comes after is looked at when it is loaded, in a stage with a limit."""
    whole = gzip.compress(tar(classic([tar({"zeros": bytes(20_000_000)})])))
    (tmp_path / "s.tar.gz").write_bytes(whole[: len(whole) // 2])
    assert read_submission(tmp_path / "s.tar.gz").kind is SubmissionKind.IMAGE


@pytest.mark.parametrize(
    "content",
    [tar({"Dockerfile": b"FROM x", "app.py": b"", "c": b""}), gzip.compress(b"file,answer\n", mtime=0), b"\x1f\x8bx"],
)
def test_read_submission_other_tar(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.tar.gz").write_bytes(content)
    code, message, _ = refusal(tmp_path / "s.tar.gz")
    assert code == "submission-unknown"
    assert message.endswith("Palio knows: a tar or gzip file, but not an image from `docker save`.")


def test_read_submission_kind_is_given(tmp_path: Path) -> None:
    path = write(tmp_path / "s.tar", {"odd": b"x"})
    assert read_submission(path, SubmissionKind.IMAGE).kind is SubmissionKind.IMAGE
    path = write(tmp_path / "s.tar", classic(LAYERS))
    assert refusal(path, SubmissionKind.RESULTS)[1] == (
        "s.tar is not a submission of a kind that Palio knows: a saved image, but its kind was given as `results`."
    )


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["answers.csv"], SubmissionKind.RESULTS),
        (["mine/answers.csv", "mine/notes.txt", "__MACOSX/mine/._answers.csv"], SubmissionKind.RESULTS),
        (["Dockerfile", "answers.csv"], SubmissionKind.CONTEXT),
        (["metadata", "program.py"], SubmissionKind.CODE),
        (["configs/metadata.json", "models/model.pt"], SubmissionKind.MONAI),
    ],
)
def test_read_submission_zip(tmp_path: Path, names: list[str], kind: SubmissionKind) -> None:
    assert read_submission(zipped(tmp_path / "s.zip", *names)).kind is kind


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["a/Dockerfile", "b.py"], " The zip has a/Dockerfile, which is not at its root."),
        (["program.py", "answers.csv"], ""),
        (
            ["answers.txt"],
            " Predictions need no Dockerfile, but must include a .csv file; otherwise set the kind to `results`.",
        ),
    ],
)
def test_read_submission_no_dockerfile(tmp_path: Path, names: list[str], hint: str) -> None:
    assert refusal(zipped(tmp_path / "s.zip", *names)) == (
        "dockerfile-missing",
        "s.zip has no Dockerfile at its root.",
        f"Put a file named exactly `Dockerfile` at the top level of the zip, not inside a folder.{hint}",
    )


def test_unpack_results_broken_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "s.zip", "../answers.csv")
    with pytest.raises(PalioError) as refused:
        unpack_results(SubmissionFile(path, SubmissionKind.RESULTS, "0"), tmp_path / "out", 1000)
    assert refused.value.failure.code == "archive-unsafe"
