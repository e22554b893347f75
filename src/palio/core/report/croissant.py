"""Croissant 1.1 metadata (https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html) of a bundle's public data.

Only what participants can download appears: `public_data` and `starting_kit` of each phase, and the public cases that
run first. A folder becomes a zip beside the metadata, of which the digest is known; its files are sets by format, and
tables in it are record sets. Hidden data has no entry.
"""

import csv
import hashlib
import io
import json
import mimetypes
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from palio.core.bundle.model import Bundle
from palio.core.errors import PalioError
from palio.core.files.digest import UnfitFile, digest_file
from palio.core.files.staging import reading, staged
from palio.core.files.tree import entries_to_copy
from palio.core.report.facts import long_suffix

NAME = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "value": "cr:value",
}
_TABLE_BYTES = 16 << 20  # of a table that becomes a record set
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip
_MOST_TABLES = 50
_TYPES = {".nii.gz": "application/gzip", ".dcm": "application/dicom", ".npy": "application/octet-stream"}


def write_croissant(bundle: Bundle, facts: Mapping[str, Any], target: Path, license_text: str = "") -> dict[str, Any]:
    """Writes the metadata and its zips into the folder `target`, which appears completely or not at all, and returns
    the metadata. Raises PalioError "usage" for a bundle without public data, "target-not-empty", "folder-unreadable".

    `license_text` is the license as an address or SPDX identifier, which no bundle states; without it, the key is left
    out, which validators warn of.
    """
    target = target.absolute()
    if target.exists() and (target.is_file() or any(target.iterdir())):
        raise PalioError("target-not-empty", path=target)
    public = dict(_public(bundle))
    if not public:
        raise PalioError(
            "usage",
            problem=f"{bundle.root.name} has no public data to describe.",
            next_step="Name public data in a phase with `public_data`, `starting_kit` or `palio.sample`.",
        )
    with staged(target) as (folder,):
        folder.mkdir()
        described = [_described(bundle, name, path, folder) for name, path in public.items()]
        content = _metadata(bundle, facts, described, license_text)
        (folder / NAME).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return content


def _metadata(
    bundle: Bundle,
    facts: Mapping[str, Any],
    described: list[tuple[list[dict[str, Any]], list[dict[str, Any]]]],
    license_text: str,
) -> dict[str, Any]:
    start = min(datetime.fromisoformat(phase["start"]) for phase in facts["phases"])
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": bundle.title,
        "description": bundle.description or f"Public data of the challenge {bundle.title}.",
        "url": facts.get("url") or f"urn:sha256:{bundle.digest}",
        "version": f"{facts.get('version') or 1}.0.0",
        "datePublished": f"{start:%Y-%m-%d}",
        "creator": [{"@type": "Organization", "name": name} for name in facts.get("organizers") or [bundle.title]],
        "citeAs": f"{bundle.title}, sha256:{bundle.digest[:16]}",
        **({"license": license_text} if license_text else {}),
        "distribution": [each for files, _ in described for each in files],
        "recordSet": [each for _, records in described for each in records],
    }


def _public(bundle: Bundle) -> Iterator[tuple[str, Path]]:
    for phase in bundle.phases:
        sample = phase.rules.sample
        cases = (sample.input, sample.expect) if sample else ()
        for path in (phase.public_data, phase.starting_kit, *cases):
            if path is not None and path.exists():
                yield path.relative_to(bundle.root).as_posix(), path


def _described(
    bundle: Bundle, name: str, path: Path, folder: Path
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Puts a folder as a zip, or a file, into `folder`; returns its file objects, sets of files and record sets."""
    plain = _identifier(name)
    if path.is_dir():
        plain += ".zip"
        _write_zip(bundle, path, folder / plain)
    else:
        with reading(path):
            shutil.copyfile(path, folder / plain)
    files = [_file(plain, plain, _type(plain), digest_file(folder / plain))]
    if not zipfile.is_zipfile(folder / plain):
        return files, []
    records: list[dict[str, Any]] = []
    with zipfile.ZipFile(folder / plain) as archive:
        names = [each.filename for each in archive.infolist() if not each.is_dir()]
        files += [_file_set(name, plain, suffix, names) for suffix in sorted({long_suffix(each) for each in names})]
        for table in [each for each in names if each.lower().endswith(".csv")][:_MOST_TABLES]:
            if archive.getinfo(table).file_size <= _TABLE_BYTES and (
                found := _table(plain, table, archive.read(table))
            ):
                files.append(found[0])
                records.append(found[1])
    return files, records


def _file_set(name: str, archive: str, suffix: str, names: list[str]) -> dict[str, Any]:
    """All files of one format."""
    return {
        "@type": "cr:FileSet",
        "@id": f"{archive}{suffix or '-other'}-files",
        "name": _identifier(f"{name} {suffix}"),
        "containedIn": {"@id": archive},
        "encodingFormat": _type(f"a{suffix}"),
        "includes": f"**/*{suffix}" if any("/" in each for each in names) else f"*{suffix}",
    }


def _write_zip(bundle: Bundle, path: Path, target: Path) -> None:
    """The same bytes for the same files on every machine, without compression."""
    try:
        entries = [*entries_to_copy(path, executable=False, within=bundle.root)]
    except (UnfitFile, OSError) as fault:
        raise PalioError("folder-unreadable", path=path, reason=str(fault), evidence=[]) from fault
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_folder:
                continue
            info = zipfile.ZipInfo(entry.name, _TIME)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            info.file_size = entry.path.stat().st_size
            with reading(entry.path), entry.path.open("rb") as source, archive.open(info, "w") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def _file(identity: str, url: str, encoding: str, digest: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": identity,
        "name": _identifier(identity),
        "contentUrl": url,
        "encodingFormat": encoding,
        "sha256": digest,
    }


def _table(archive: str, table: str, content: bytes) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The file object of a CSV file with a header, and its record set; None for what is no such table."""
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    except (csv.Error, UnicodeDecodeError):
        return None
    header = rows[0] if rows else []
    if not header or len({*header}) < len(header) or not all(header):
        return None
    identity = f"{archive}/{table}"
    file = _file(identity, table, "text/csv", hashlib.sha256(content).hexdigest()) | {"containedIn": {"@id": archive}}
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{identity}/rows/{column}",
            "name": column,
            "dataType": _data_type([row[number] for row in rows[1:] if number < len(row)]),
            "source": {"fileObject": {"@id": identity}, "extract": {"column": column}},
        }
        for number, column in enumerate(header)
    ]
    return file, {"@type": "cr:RecordSet", "@id": f"{identity}/rows", "name": _identifier(table), "field": fields}


def _data_type(cells: list[str]) -> str:
    given = [cell for cell in cells if cell]
    if given and all(re.fullmatch(r"[+-]?\d+", cell) for cell in given):
        return "sc:Integer"
    if given and all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", cell, re.IGNORECASE) for cell in given):
        return "sc:Float"
    return "sc:Text"


def _type(name: str) -> str:
    return _TYPES.get(long_suffix(name)) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _identifier(text: str) -> str:
    """A name as Croissant wants it: without characters that file systems and addresses refuse."""
    return re.sub(r"[^A-Za-z0-9_.\-]+", "-", text).strip("-") or "data"
