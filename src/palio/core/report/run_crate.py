"""A run folder as a Workflow Run RO-Crate (https://w3id.org/ro/wfrun/process/0.5 on RO-Crate 1.1).

Written into the folder as ro-crate-metadata.json; nothing else is changed. The run is one action: the submission was
its instrument, the data its object, predictions and scores its results. Data is named by digest, never included. Each
stage is an action of its own with the container image that it ran in, if that is known.
"""

import json
import mimetypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import palio
from palio.core.attempt.run_folder import RunFolder
from palio.core.errors import PalioError
from palio.core.files.staging import staged

NAME = "ro-crate-metadata.json"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_WORDS = {"scored": "Completed", "failed": "Failed", "cancelled": "Failed"}
_FILES = {
    "config.json": "what was asked",
    "lock.json": "what it resolved to: digests, limits, versions",
    "result.json": "verdict, scores, times and resources of each stage",
    "receipt.json": "the signed receipt",
    "report.html": "the report of the scoring program",
    "build.log": "log of the build",
    "sample.log": "log of the public cases",
    "predict.log": "log of the predictions",
    "score.log": "log of the scoring",
}
_FOLDERS = {"predictions": "the collected predictions", "scores": "the output of the scoring program"}


def write_run_crate(folder: Path) -> Path:
    """Writes the metadata and returns its path. Raises PalioError "usage" for what is no run folder, or unfinished."""
    path = folder / NAME
    content = run_crate(folder)
    with staged(path) as (file,):
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def run_crate(folder: Path) -> dict[str, Any]:
    """The metadata as JSON-LD."""
    config, lock, result = (_read(folder, name) for name in ("config.json", "lock.json", "result.json"))
    if not result.get("verdict") or not config:
        raise PalioError(
            "usage",
            problem=f"{folder} is no run folder of a finished run.",
            next_step="Name a run folder with config.json, lock.json and result.json, as `palio run` writes them.",
        )
    bundle = lock.get("bundle", {})
    title = bundle.get("title") or config.get("challenge", "")
    files = [*_files(folder)]
    parts = [{"@id": each["@id"]} for each in files]
    instrument = _instrument(config, lock)
    data = [*_data(lock)]
    scores = [
        {"@type": "PropertyValue", "@id": f"#score-{key}", "name": key, "value": value}
        for key, value in (result.get("scores") or {}).items()
    ]
    stages = [*_stages(result, lock)]
    outputs = [each for each in files if each["@type"] == "Dataset" or each["@id"] == "report.html"]
    failure = result.get("failure") or {}
    action: dict[str, Any] = {
        "@id": f"#{config.get('identity', 'run')}",
        "@type": "CreateAction",
        "name": f"Evaluation of {config.get('label', 'a submission')} in {title}, phase {config.get('phase', '')}",
        "startTime": result["started"],
        "endTime": result["finished"],
        "actionStatus": {"@id": f"http://schema.org/{_WORDS[result['verdict']]}ActionStatus"},
        "instrument": {"@id": instrument["@id"]},
        "object": [{"@id": each["@id"]} for each in data],
        "result": [{"@id": each["@id"]} for each in (*outputs, *scores)],
    }
    team = [*_team(config)]
    if team:
        action["agent"] = {"@id": team[0]["@id"]}
    if failure:
        action["error"] = f"{failure.get('code')}: {failure.get('message')}"
    root: dict[str, Any] = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"Run of {config.get('label', 'a submission')} in {title}",
        "description": f"Everything about one evaluation by Palio: {result['verdict']}.",
        "datePublished": result["finished"],
        "license": "Not stated: the rights of the submission and of the challenge apply.",
        "conformsTo": {"@id": PROFILE},
        "hasPart": parts,
        "mentions": [{"@id": each["@id"]} for each in (action, *stages)],
    }
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    return {
        "@context": ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"],
        "@graph": [
            descriptor,
            root,
            {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
            action,
            *stages,
            instrument,
            _PALIO,
            *team,
            *data,
            *scores,
            *files,
            *_images(result),
        ],
    }


_PALIO = {
    "@id": "#palio",
    "@type": "SoftwareApplication",
    "name": "Palio",
    "softwareVersion": palio.__version__,
    "url": "https://pypi.org/project/palio/",
}


def _read(folder: Path, name: str) -> dict[str, Any]:
    try:
        found = RunFolder(folder).read_json(name)
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _team(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Who submitted, if that was said: without it, the label of a run is the name of its file."""
    label = config.get("label")
    if label and label != Path(str(config.get("submission", ""))).name:
        yield {"@id": "#team", "@type": "Organization", "name": label}


def _files(folder: Path) -> Iterator[dict[str, Any]]:
    for name, text in _FILES.items():
        path = folder / name
        if path.is_file() and not path.is_symlink():
            yield {
                "@id": name,
                "@type": "File",
                "name": text,
                "contentSize": str(path.stat().st_size),
                "encodingFormat": mimetypes.guess_type(name)[0] or "text/plain",
            }
    for name, text in _FOLDERS.items():
        if (folder / name).is_dir() and not (folder / name).is_symlink():
            yield {"@id": f"{name}/", "@type": "Dataset", "name": text}


def _instrument(config: Mapping[str, Any], lock: Mapping[str, Any]) -> dict[str, Any]:
    submission = lock.get("submission") or {}
    digest = submission.get("digest") or submission.get("sha256") or ""
    return {
        "@id": f"urn:sha256:{digest}" if digest else "#submission",
        "@type": "SoftwareApplication",
        "name": str(config.get("label", "submission")),
        "version": digest or "unknown",
        "url": f"urn:sha256:{digest}" if digest else "#submission",
    }


def _data(lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The bundle and its data, each by digest. They are no parts of the crate, so they are no data entities."""
    bundle = lock.get("bundle") or {}
    named = {bundle.get("digest"): f"Challenge {bundle.get('title', '')}"}
    for task in (lock, *(lock.get("tasks") or ())):
        for name, words in (("input_data", "Input data"), ("reference_data", "Reference data")):
            named.setdefault((task.get(name) or {}).get("digest"), words)
    for digest, words in named.items():
        if digest:
            identity = f"urn:sha256:{digest}"
            yield {"@id": identity, "@type": "CreativeWork", "name": words, "identifier": f"sha256:{digest}"}


def _stages(result: Mapping[str, Any], lock: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    submission = _instrument({}, lock)
    for name, record in (result.get("stages") or {}).items():
        failed = (result.get("failure") or {}).get("stage") == name
        stage: dict[str, Any] = {
            "@id": f"#stage-{name}",
            "@type": "CreateAction",
            "name": f"Stage {name}",
            "startTime": record["started"],
            "endTime": record["finished"],
            "actionStatus": {"@id": f"http://schema.org/{'Failed' if failed else 'Completed'}ActionStatus"},
            "instrument": {"@id": "#palio" if name == "score" else submission["@id"]},
        }
        if record.get("image"):
            stage["containerImage"] = {"@id": f"#image-{name}"}
        yield {key: value for key, value in stage.items() if value is not None}


def _images(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, record in (result.get("stages") or {}).items():
        if record.get("image"):
            yield {"@id": f"#image-{name}", "@type": "ContainerImage", "name": str(record["image"])}
