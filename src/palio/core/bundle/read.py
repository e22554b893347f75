"""Reads a bundle from its folder, in either dialect, and reports all problems at once."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from palio.core.bundle.codabench import read_codabench
from palio.core.bundle.codalab import read_codalab
from palio.core.bundle.model import Bundle, Problem, Severity
from palio.core.bundle.readers import text
from palio.core.bundle.values import Findings, Section, Value
from palio.core.bundle.yaml_source import read_yaml
from palio.core.errors import PalioError, counted
from palio.core.files.digest import IGNORED_NAMES, UnfitFile
from palio.core.files.tree import Entry, digest_of, entries_to_copy, file_entry

NAME = "competition.yaml"
TASK_NAME = "task.yaml"  # what Codabench's page “Resources” takes
SHOWN_PROBLEMS = 500  # a file of nothing but mistakes has thousands
OLDER_VERSIONS = ("1", "1.0", "1.5", "1.8")
NEWER_VERSIONS = ("2", "2.0")


def read_bundle(path: Path) -> Bundle:
    """Reads the bundle in a folder. `path` is the folder or its competition.yaml.

    Hidden and public data may be absent; `check_bundle` checks them. Raises PalioError "bundle-missing",
    "bundle-invalid" with one line per problem, "source-unreadable", and "usage" for an archive.
    """
    findings = Findings(NAME)
    try:
        root = _locate(path, findings)
        document = read_yaml(root / NAME, findings)
        bundle = _read_document(document, root) if document else None
        if bundle is None or findings.errors:
            raise bundle_invalid(path, findings.all)
        digest = named_digest(bundle)
    except UnfitFile as fault:
        findings.add(None, "", f"names a program that cannot be used: {fault}")
        raise bundle_invalid(path, findings.all) from None
    except OSError as error:
        raise PalioError("source-unreadable", path=error.filename, reason=error.strerror or error) from error
    return replace(bundle, digest=digest, warnings=findings.warnings)


def named_digest(bundle: Bundle) -> str:
    """The current digest of competition.yaml and the files it names, except data."""
    return digest_of(_named_entries(bundle))


def _read_document(document: Value, root: Path) -> Bundle | None:
    top = document.section()
    if not isinstance(document.content, dict):  # reported already; listing every key as missing would only confuse
        return None
    bundle = (read_codabench if _is_codabench(top) else read_codalab)(top, root)
    top.finish()
    return bundle


def _is_codabench(top: Section) -> bool:
    """Detects the dialect: by the version, or by the file's shape if the version is unknown."""
    version = top.read("version", text, "")
    html, phases, tasks = top.take("html"), top.take("phases"), top.take("tasks")
    older = tasks is None and (html is not None or (phases is not None and isinstance(phases.content, dict)))
    if not version:
        if not older:
            top.value.findings.add(
                top.value.line,
                "version",
                "is missing, so 2 is assumed; add version: 2, because Codabench assumes 1.5",
                Severity.WARNING,
            )
        return not older
    value = top.take("version")
    if version in OLDER_VERSIONS:
        return False
    if value and version not in NEWER_VERSIONS:
        value.error(f"{value.found}; write 2, or 1.5 for a challenge in CodaLab's format")
        return not older
    if value and version != "2":
        value.warn(f"{value.found}, which is read as 2; write 2, the only spelling that Codabench accepts")
    return True


def _locate(path: Path, findings: Findings) -> Path:
    """The bundle's folder, absolute and free of links."""
    if path.name == NAME and path.is_file():
        return path.resolve().parent
    if path.is_file():
        raise PalioError(
            "usage",
            problem=f"{path} is a file, but a challenge is a folder.",
            next_step="If it is an archive, unpack it. Name the folder that has competition.yaml.",
        )
    if not path.is_dir():
        raise PalioError("bundle-missing", path=path, reason="there is no such folder")
    root = path.resolve()
    if (root / NAME).is_file():
        return root
    folders = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and not _is_junk(entry.name)]
    holding = [folder for folder in folders if (folder / NAME).is_file() and not folder.is_symlink()]
    if holding and len(folders) == 1:
        message = f"is in the subfolder {holding[0].name}; Codabench requires it at the top level of a bundle"
        findings.add(None, "", message, Severity.WARNING)
        return holding[0]
    reason = f"it has no {NAME}"
    if (root / TASK_NAME).is_file():
        reason = f"it is one task for Codabench ({TASK_NAME}); name its files under `tasks` of a {NAME}"
    if holding:
        reason += f" at its top level, only {' and '.join(f'{folder.name}/{NAME}' for folder in holding)}"
    raise PalioError("bundle-missing", path=path, reason=reason)


def _is_junk(name: str) -> bool:
    """Whether zip tools and editors leave such a folder next to the real one."""
    return name in IGNORED_NAMES or name.startswith(".")


def named_paths(bundle: Bundle) -> Mapping[str, Path]:
    """competition.yaml and the files and folders it names, except data, by their path in the bundle."""
    named = [bundle.root / NAME, *(page.file for page in bundle.pages)]
    named += [path for path in (bundle.logo, bundle.presentation.cover, bundle.terms) if path]
    for task in bundle.tasks:
        named += [path for path in (task.scoring_program, task.ingestion_program) if path]
    return {path.relative_to(bundle.root).as_posix(): path for path in named}


def _named_entries(bundle: Bundle) -> Iterable[Entry]:
    entries: dict[str, Entry] = {}  # by name, because a named folder may contain another one
    for name, path in named_paths(bundle).items():
        if not path.is_dir():
            entries[name] = replace(file_entry(path), name=name)
            continue
        try:
            for entry in entries_to_copy(path, executable=True, within=bundle.root):
                below = f"{name}/{entry.name}"
                entries[below] = replace(entry, name=below)
        except UnfitFile as fault:  # which names the file in its folder
            raise UnfitFile(f"{name}/{fault}") from None
    return entries.values()


def bundle_invalid(path: Path, problems: Iterable[Problem]) -> PalioError:
    """The error for a bundle with errors among its problems. Its evidence is each problem, warnings marked as such."""
    listed = list(problems)
    evidence = [str(each) if each.is_error else f"warning: {each}" for each in listed]
    if len(evidence) > SHOWN_PROBLEMS:
        evidence[SHOWN_PROBLEMS:] = [f"and {len(evidence) - SHOWN_PROBLEMS:,} more"]
    return PalioError(
        "bundle-invalid",
        path=path,
        count=counted(sum(problem.is_error for problem in listed), "problem"),
        folder=path.parent if path.name == NAME else path,
        evidence=evidence,
    )
