"""MONAI bundles: recognized, checked before anything runs, packed, and turned into a build context."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.monai_bundles import CLASSES, INFERENCE, metadata, monai_files, with_classes, write_files, zip_files

from palio.core.bundle.model import SubmissionKind
from palio.core.dockerfile.resolve import resolve
from palio.core.errors import Failure, PalioError
from palio.core.submission.kinds import check_submission, monai_bundle, read_submission
from palio.core.submission.monai.context import write_monai_context
from palio.core.submission.pack import pack

MONAI, CONTEXT, RESULTS = SubmissionKind.MONAI, SubmissionKind.CONTEXT, SubmissionKind.RESULTS


def failure(path: Path, classes: tuple[str, ...] = ()) -> Failure:
    with pytest.raises(PalioError) as refused:
        check_submission(read_submission(path, MONAI), classes)
    return refused.value.failure


def problems(tmp_path: Path, files: Mapping[str, str]) -> list[str]:
    found = failure(zip_files(tmp_path / "b.zip", files))
    assert found.code == "monai-bundle-unfit"
    folder = write_files(tmp_path / "folder", files)
    with pytest.raises(PalioError) as refused:
        pack(folder, tmp_path / "packed.zip")
    assert refused.value.failure.code == "folder-unfit"
    assert refused.value.failure.evidence == found.evidence  # `palio pack` runs the same checks
    return list(found.evidence)


@pytest.mark.parametrize("accepted", [(CONTEXT, MONAI, RESULTS), (MONAI,)])
def test_monai_bundle_zipped_on_desktop(tmp_path: Path, accepted: tuple[SubmissionKind, ...]) -> None:
    files = {f"Vowels/{name}": content for name, content in monai_files().items()}
    files["__MACOSX/Vowels/._model.pt"] = files["Vowels/.DS_Store"] = "x"
    submission = read_submission(zip_files(tmp_path / "b.zip", files), accepted=accepted)
    assert submission.kind is MONAI
    assert any("Vowels" in note for note in submission.notes)
    assert check_submission(submission, CLASSES) == submission


def test_monai_folder_packed(tmp_path: Path) -> None:
    files = monai_files()
    folder = write_files(tmp_path / "folder", {**files, ".git/HEAD": "x", "scripts/__pycache__/a.pyc": "x"})
    packed = pack(folder, folder / "s.zip")
    assert packed.files == tuple(sorted(files))
    assert packed.notes == ("left out: .git, __pycache__",)
    assert pack(folder, folder / "s.zip") == packed  # it does not pack itself
    assert read_submission(packed.path).kind is MONAI


def test_monai_folder_with_dockerfile(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "folder", {**monai_files(), "Dockerfile": "FROM python:3.11-slim\nCOPY . /opt\n"})
    assert read_submission(pack(folder, tmp_path / "s.zip").path).kind is CONTEXT


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (monai_files(metadata="{"), ["configs/metadata.json, line 1"]),
        (monai_files(metadata="[" * 100_000), ["configs/metadata.json"]),
        (monai_files(metadata="[]"), ["configs/metadata.json"]),
        (monai_files(metadata=json.dumps(metadata(task=None, authors=None))), ["`task`, `authors`"]),
        (monai_files(metadata=json.dumps(metadata(required_packages_version=None))), ["required_packages_version"]),
        (monai_files(metadata=json.dumps(metadata(network_data_format={}))), ["`inputs`", "`outputs`"]),
        (
            monai_files(metadata=json.dumps(metadata(required_packages_version={"--index-url": "x", "a": 1}))),
            ["'--index-url': 'x'", "'a': 1"],
        ),
        (monai_files(inference=None), ["configs/inference.json"]),
        (monai_files(inference="{'run': 1}"), ["configs/inference.json, line 1"]),
        (monai_files(inference="x" * 2_000_000), ["1.00 MiB"]),
        (monai_files(inference=json.dumps({"output_dir": "x"})), ["`run`"]),
        (monai_files(inference="{}"), ["`run`"]),
        ({**monai_files(), "configs/inference.yaml": "run: []"}, ["configs/inference.yaml"]),
        ({**monai_files(inference=None), "configs/evaluate.yaml": "run: []"}, ["configs/evaluate.yaml"]),
        ({**monai_files(inference=None), "configs/inference.yaml": "run: [\n"}, ["configs/inference.yaml, line 2"]),
        (
            {**monai_files(inference=None), "configs/inference.yaml": "a: &a [*a]\nrun: []\n"},
            ["inference.yaml, line 1"],
        ),
        (
            {
                **monai_files(model=None),
                "large_files.yml": "large_files:\n- {path: models/model.pt, url: 'https://x'}\n",
            },
            ["'models/model.pt' is only named in large_files.yml", "models/"],
        ),
        (monai_files(model=None), ["models/"]),
        (monai_files(metadata="{", inference="{"), ["metadata.json", "inference.json"]),
    ],
)
def test_monai_problems_listed(tmp_path: Path, files: dict[str, str], said: list[str]) -> None:
    found = problems(tmp_path, files)
    assert len(found) == len(said)
    for problem, words in zip(found, said, strict=True):
        assert words in problem


def test_monai_weights_lfs_pointers(tmp_path: Path) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1234567\n"
    with pytest.raises(PalioError) as refused:
        read_submission(zip_files(tmp_path / "b.zip", monai_files(model=pointer)))
    assert refused.value.failure.code == "lfs-pointers"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (with_classes("yes", "no"), "the same classes in another order"),
        (with_classes("no", "maybe"), "other classes"),
        (with_classes("no", "yes", "maybe"), "3 instead of 2"),
        (with_classes(), "does not name"),
    ],
)
def test_monai_classes_differ(tmp_path: Path, named: dict[str, object], said: str) -> None:
    path = zip_files(tmp_path / "b.zip", monai_files(metadata=json.dumps(named)))
    found = failure(path, CLASSES)
    assert found.code == "monai-classes-differ"
    assert said in found.message
    assert "0: no, 1: yes" in found.next_step
    check_submission(read_submission(path))  # a challenge that names no classes takes any


def test_monai_note_on_unknown(tmp_path: Path) -> None:
    config = json.dumps({"+output_dir": "/mnt/out", "run": ["$print()"]})
    path = zip_files(tmp_path / "b.zip", monai_files(inference=config))
    notes = check_submission(read_submission(path)).notes
    assert len(notes) == 1
    assert "`dataset_dir`" in notes[0]


def context(path: Path, folder: Path, *, network: bool = True) -> list[str]:
    submission = read_submission(path)
    places = {"image": "example.org/monai:1", "inputs": "/mnt/in", "output": "/mnt/out"}
    bundle = monai_bundle(submission)
    write_monai_context(submission, bundle, folder, **places, network=network, max_bytes=10_000_000)
    text = (folder / "Dockerfile").read_text()
    return [str(each) for each in resolve(text, {}).instructions] + [text]


def test_monai_context_configuration(tmp_path: Path) -> None:
    old = "bundle_root: .\ndataset_dir: x\nevaluating: ['$print()']\n"
    packages = {"nibabel": "5.2.1"}
    files = monai_files(inference=None, metadata=json.dumps(metadata(required_packages_version=packages)))
    path = zip_files(tmp_path / "b.zip", {**files, "configs/inference.yaml": old})
    *_, text = context(path, tmp_path / "context")
    told = "--run_id evaluating --config_file configs/inference.yaml --bundle_root /opt/algorithm --dataset_dir /mnt/in"
    assert f"python -m monai.bundle run {told}\n" in text
    assert '"nibabel==5.2.1"]\n' in text
    assert "ARG BASE=example.org/monai:1\n" in text
    assert (tmp_path / "context/bundle/configs/inference.yaml").read_text() == old
    assert monai_bundle(read_submission(path)).modules == ("monai", "torch", "yaml")
    *_, offline = context(path, tmp_path / "offline", network=False)
    assert "nibabel" not in offline


def test_monai_configuration_in_two_files(tmp_path: Path) -> None:
    shared = {key: INFERENCE[key] for key in ("bundle_root", "dataset_dir")}
    rest = {key: value for key, value in INFERENCE.items() if key not in shared}
    files = {**monai_files(inference=json.dumps(rest)), "configs/common.json": json.dumps(shared)}
    path = zip_files(tmp_path / "b.zip", files)
    *_, text = context(path, tmp_path / "context")
    assert "\"--config_file\", \"['configs/common.json', 'configs/inference.json']\"" in text
    assert monai_bundle(read_submission(path)).keys == ("bundle_root", "dataset_dir", "output_dir")


def test_monai_dockerfile_ignored(tmp_path: Path) -> None:
    files = {**monai_files(), "docs/Dockerfile": "FROM x", "palio/run_bundle.py": "x"}
    context(zip_files(tmp_path / "b.zip", files), tmp_path / "context")
    assert (tmp_path / "context/palio/run_bundle.py").read_text() != "x"
    assert (tmp_path / "context/bundle/palio/run_bundle.py").read_text() == "x"


@pytest.mark.parametrize(
    ("target", "needed"),
    [
        ("SupervisedEvaluator", True),
        ("monai.handlers.CheckpointLoader", True),
        ("scripts.evaluator.Evaluator", False),
    ],
)
def test_monai_configuration_modules(tmp_path: Path, target: str, needed: bool) -> None:
    config = json.dumps({**INFERENCE, "evaluator": {"_target_": target}})
    bundle = monai_bundle(read_submission(zip_files(tmp_path / "b.zip", monai_files(inference=config))))
    assert ("ignite" in bundle.modules) is needed
