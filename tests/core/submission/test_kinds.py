import gzip
import io
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzzing import fuzzed, mutated
from tests.images import Members, classic, entry, oci, tar, write

from palio.core.bundle.model import SubmissionKind
from palio.core.errors import PalioError
from palio.core.submission.kinds import (
    SubmissionFile,
    check_submission,
    read_submission,
    unpack_context,
    unpack_results,
)

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
    whole = gzip.compress(tar(classic([tar({"zeros": bytes(20_000_000)})])), mtime=0)
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
    assert "not an image from `docker save`" in message


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


CONTEXT, IMAGE, RESULTS, CODE, MONAI = (
    SubmissionKind.CONTEXT,
    SubmissionKind.IMAGE,
    SubmissionKind.RESULTS,
    SubmissionKind.CODE,
    SubmissionKind.MONAI,
)
NATIVE = (CONTEXT, IMAGE, RESULTS)


@pytest.mark.parametrize(
    ("names", "accepted", "kind"),
    [
        *[([f"case/{name}", f"{name}"], NATIVE, RESULTS) for name in ("a.npy", "a.nii.gz", "a.png", "a.json", "a.txt")],
        (["out\\a.npy", "out\\b.npy"], NATIVE, RESULTS),
        (["a.npz"], NATIVE, RESULTS),
        (["answer.txt"], (RESULTS,), RESULTS),
        (["answer.csv", "how.py"], (RESULTS,), RESULTS),  # nothing else is possible
        (["metadata", "answer.csv"], (CONTEXT, RESULTS), RESULTS),
        (["answer.csv", "a/Dockerfile"], NATIVE, RESULTS),
        (["dockerfile", "answer.csv"], (RESULTS,), RESULTS),
        (["Dockerfile", "answer.csv"], (RESULTS,), CONTEXT),  # which is refused as such
        (["Dockerfile", "model.py"], (CODE, RESULTS), CODE),
        (["model.py"], (CODE, RESULTS), CODE),
        (["model.pt"], (CODE, RESULTS), CODE),
        (["s/model.py", "s/metadata.yaml", "__MACOSX/s/._model.py"], (CODE, RESULTS), CODE),
        (["answer.txt"], (CODE, RESULTS), RESULTS),
        (["table.txt"], (CODE,), CODE),  # a data set, which the ingestion program reads
        (["configs/metadata.json", "models/model.pt"], (MONAI, CONTEXT), MONAI),
        (["configs/metadata.json", "models/model.pt"], (RESULTS,), MONAI),
        (["dockerfile", "a.py"], NATIVE, CONTEXT),
        (["Dockerfile.txt", "a.py"], NATIVE, CONTEXT),
    ],
)
def test_read_submission_by_what_the_phase_takes(
    tmp_path: Path, names: list[str], accepted: tuple[SubmissionKind, ...], kind: SubmissionKind
) -> None:
    assert read_submission(zipped(tmp_path / "s.zip", *names), accepted=accepted).kind is kind


@pytest.mark.parametrize(
    ("names", "accepted", "reasons"),
    [
        (
            ["program.py", "answers.csv"],
            NATIVE,
            {
                CONTEXT: "it has no Dockerfile at its root",
                RESULTS: "program.py is a program, not a prediction",
                IMAGE: "it is a zip, not a .tar or .tar.gz from `docker save`",
            },
        ),
        (
            ["a/Dockerfile", "model.onnx"],
            (CONTEXT, RESULTS),
            {CONTEXT: "a/Dockerfile is not at its root", RESULTS: "model.onnx is a model, not a prediction"},
        ),
        (
            ["dockerfile", "Containerfile", "a.py"],
            (CONTEXT, MONAI),
            {
                CONTEXT: "Containerfile and dockerfile could be the Dockerfile; rename one of them",
                MONAI: "it has no configs/metadata.json",
            },
        ),
    ],
)
def test_read_submission_that_fits_none(
    tmp_path: Path, names: list[str], accepted: tuple[SubmissionKind, ...], reasons: dict[SubmissionKind, str]
) -> None:
    with pytest.raises(PalioError) as refused:
        read_submission(zipped(tmp_path / "s.zip", *names), accepted=accepted)
    assert refused.value.failure.code == "submission-fits-none"
    assert dict(line.split(": ", 1) for line in refused.value.failure.evidence) == reasons


@pytest.mark.parametrize(
    ("names", "hint"), [(["a/Dockerfile", "b.py"], " In this zip, a/Dockerfile is not at its root."), (["b.py"], "")]
)
def test_read_submission_no_dockerfile(tmp_path: Path, names: list[str], hint: str) -> None:
    with pytest.raises(PalioError) as refused:
        read_submission(zipped(tmp_path / "s.zip", *names), accepted=(CONTEXT, IMAGE))
    assert refused.value.failure.code == "dockerfile-missing"
    assert refused.value.failure.next_step.endswith(f"not inside a folder.{hint}")
    assert refusal(zipped(tmp_path / "s.zip", *names), CONTEXT)[0] == "dockerfile-missing"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("answers.json", b"{}", RESULTS),
        ("mask.nii.gz", gzip.compress(b"x", mtime=0), RESULTS),
        ("answers.npz", b"PK\3\4", RESULTS),
        ("answers.csv", b"", RESULTS),
    ],
)
def test_read_submission_single_file(tmp_path: Path, name: str, content: bytes, kind: SubmissionKind) -> None:
    (tmp_path / name).write_bytes(content)
    submission = read_submission(tmp_path / name, accepted=(RESULTS,))
    assert submission.kind is kind
    unpack_results(submission, tmp_path / "out", 1000)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("s.zip", b"", "archive-invalid"),
        ("s.zip", b"7z\xbc\xaf\x27\x1c", "archive-invalid"),
        ("s.zip", b"PK\5\6" + bytes(18), "archive-empty"),
        ("s.zip", gzip.compress(tar({"a.csv": b"1"}), mtime=0), "submission-unknown"),
        ("s.bin", b"\x7fELF", "submission-unknown"),
        ("s.bin", b"", "submission-unknown"),
        ("Dockerfile", b"FROM x", "submission-unknown"),
        ("Dockerfile.txt", b"FROM x", "submission-unknown"),
        ("predict.py", b"print()", "submission-unknown"),
        ("s.tar", tar({"bin/": entry("bin/", tarfile.DIRTYPE), "etc/passwd": b"x", "app/a.py": b""}), "image-exported"),
        ("s.tar", tar({".dockerenv": b"", "app/a.py": b""}), "image-exported"),
    ],
)
def test_read_submission_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert refusal(tmp_path / name)[0] == code


def test_read_submission_saved_image_in_a_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("image.tar", tar(oci(LAYERS)))
    assert refusal(tmp_path / "s.zip")[0] == "image-zipped"
    assert read_submission(tmp_path / "s.zip", accepted=(RESULTS,)).kind is RESULTS


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ("command: ./run $input $output\n", CODE),
        ("{'command': 'run'}", CODE),
        ("description: examples for the algorithm\n", CODE),
        ("", CODE),
        ("elapsedTime: 3\nexitCode: 0\n", RESULTS),
        ("{exitCode: 0}\n", RESULTS),
    ],
)
def test_read_submission_with_metadata_and_no_program(tmp_path: Path, metadata: str, kind: SubmissionKind) -> None:
    """Platforms write a file `metadata` into predictions, which a participant may submit again."""
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("metadata", metadata)
        archive.writestr("run", "x")
    assert read_submission(tmp_path / "s.zip", accepted=(CODE, RESULTS)).kind is kind
    assert read_submission(tmp_path / "s.zip", accepted=(RESULTS,)).kind is RESULTS


def pointer(size: int = 12345) -> bytes:
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize {size}\n".encode()


@pytest.mark.parametrize("wrapped", [False, True])
def test_read_submission_with_lfs_pointers(tmp_path: Path, wrapped: bool) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("s/Dockerfile", "FROM x\n" * 30)
        archive.writestr("s/model/best.pth", pointer())
    if wrapped:
        with zipfile.ZipFile(tmp_path / "outer.zip", "w") as archive:
            archive.write(tmp_path / "s.zip", "s.zip")
    with pytest.raises(PalioError) as refused:
        read_submission(tmp_path / ("outer.zip" if wrapped else "s.zip"))
    assert (refused.value.failure.code, refused.value.failure.evidence) == ("lfs-pointers", ("model/best.pth",))


def test_unpack_context_dockerfile_of_other_name(tmp_path: Path) -> None:
    submission = read_submission(zipped(tmp_path / "s.zip", "s/dockerfile", "s/a.py"))
    assert (submission.kind, len(submission.notes)) == (CONTEXT, 2)
    unpack_context(submission, tmp_path / "out", 1000)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Dockerfile", "a.py", "dockerfile"]


def test_check_submission_dockerfile_of_other_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("Dockerfile.txt", "FROM python:3.11-slim\nCOPY lost.py /\n")
    with pytest.raises(PalioError) as refused:
        check_submission(read_submission(tmp_path / "s.zip"))
    assert refused.value.failure.code == "dockerfile-unfit"


@fuzzed
@given(seed=st.integers(0, 2**64))
def test_read_submission_any_bytes(tmp_path: Path, seed: int) -> None:
    """Any bytes under any name are a submission of some kind, or are refused with a sentence."""
    chance = random.Random(seed)
    name = chance.choice(["s.zip", "s.tar", "s.tar.gz", "s.csv", "s.npz", "s", "Dockerfile", "s.nii.gz"])
    content = mutated(chance.choice(SEEDS), chance) if chance.random() < 0.9 else chance.randbytes(1000)
    (tmp_path / name).write_bytes(content)
    try:
        submission = read_submission(
            tmp_path / name, accepted=chance.sample(list(SubmissionKind), chance.randint(1, 5))
        )
        check_submission(submission)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        unpack_results(submission, tmp_path / "out", 100_000)
    except PalioError as refused:
        str(refused.failure.as_json()).encode()


def _seeds() -> list[bytes]:
    zips: list[bytes] = []
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        for names in (["Dockerfile", "a.py", "._a.py"], ["out\\a.csv", "häll.csv"], ["i.zip"], ["image.tar"]):
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", method) as archive:
                for name in names:
                    content = {"i.zip": zips[-1] if zips else b"x", "image.tar": tar(oci(LAYERS))}.get(name, pointer())
                    archive.writestr(name, content)
            zips.append(file.getvalue())
    return [*zips, tar(oci(LAYERS)), gzip.compress(tar(classic(LAYERS)), mtime=0), b"file,answer\n", pointer()]


SEEDS = _seeds()


def test_unpack_results_broken_zip(tmp_path: Path) -> None:
    path = zipped(tmp_path / "s.zip", "../answers.csv")
    with pytest.raises(PalioError) as refused:
        unpack_results(SubmissionFile(path, SubmissionKind.RESULTS, "0"), tmp_path / "out", 1000)
    assert refused.value.failure.code == "archive-unsafe"
