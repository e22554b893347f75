"""Reads a MONAI bundle and lists everything that keeps it from running. Nothing of it is imported or run.

Covered: keys that every metadata.json has, configurations that are no JSON or YAML, a configuration without a workflow,
weights that are only named in large_files.yml, the classes of the network and their order. Bounded: files larger than
1 MiB are refused, and so are YAML files beyond the limits of core.bundle.yaml_source. Not covered: whether the
components that the configuration names exist, and what the network really outputs.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from palio.core.bundle.values import Findings, Scalar, Value
from palio.core.bundle.yaml_source import parse_bytes
from palio.core.errors import PalioError, counted
from palio.core.quantities import MIB, size_text

METADATA = "configs/metadata.json"
CONFIGS = ("configs/inference.json", "configs/inference.yaml", "configs/inference.yml")
COMMON = tuple(name.replace("inference", "common") for name in CONFIGS)  # what several configurations share
MOST_BYTES = MIB
REQUIRED = (
    *("version", "monai_version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"),
    "network_data_format",
)
# The second is the name in bundles made before MONAI 1.4; what it lists is not installed.
PACKAGES = ("required_packages_version", "optional_packages_version")
RUN_IDS = ("run", "evaluating")  # the second in bundles made before MONAI 1.0
PATHS = ("bundle_root", "dataset_dir", "output_dir")  # what a bundle is told, if its configuration has the key
_LARGE_FILES = ("large_files.yml", "large_files.yaml", "large_files.json")
_DOWNLOAD = "`python -m monai.bundle download_large_files --bundle_path FOLDER`"
_IGNITE = re.compile(  # what MONAI builds on PyTorch Ignite
    rb"\b(?:ignite|monai\.(?:engines|handlers)|(?:Supervised|Ensemble)Evaluator|SupervisedTrainer|CheckpointLoader|"
    rb"StatsHandler|ClassificationSaver)\b"
)
_WEIGHTS = re.compile(rb"models/")
_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,49}")
_SHOWN = 20

Reader = Callable[[str, int], bytes]  # the first bytes of a file of the bundle


@dataclass(frozen=True)
class MonaiBundle:
    """What Palio needs of a bundle in order to run it."""

    configs: tuple[str, ...]  # one of COMMON, if it is there, then one of CONFIGS, which wins
    run_id: str  # RUN_IDS
    keys: tuple[str, ...]  # the keys among PATHS that the configuration has
    output: str  # the name of the network's output in metadata.json
    classes: tuple[str, ...] | None  # in the order of the output's channels; None if channel_def does not number them
    modules: tuple[str, ...]  # that Python must find for it to run
    packages: tuple[str, ...]  # as `name==version`, from metadata.json

    @property
    def notes(self) -> tuple[str, ...]:
        told = {"dataset_dir": "its inputs are in /mnt/in", "output_dir": "it must write to /mnt/out"}
        return tuple(
            f"{self.configs[-1]} has no key `{key}`, by which Palio could tell the bundle that {what}"
            for key, what in told.items()
            if key not in self.keys
        )


def read_monai_bundle(name: str, files: Collection[str], read: Reader) -> MonaiBundle:
    """Reads the bundle with these `files`. Raises PalioError "monai-bundle-unfit" with all problems."""
    bundle, problems = find_problems(files, read)
    if bundle is None:
        shown = problems[:_SHOWN] + ([f"and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else [])
        count = counted(len(problems), "problem was", "problems were")
        raise PalioError("monai-bundle-unfit", name=name, count=count, evidence=shown)
    return bundle


def find_problems(files: Collection[str], read: Reader) -> tuple[MonaiBundle | None, list[str]]:
    """The bundle, or None and why it cannot be run."""
    reading = _Reading(frozenset(files), read)
    bundle = reading.bundle()
    return (None if reading.problems else bundle), reading.problems


def refuse_other_classes(name: str, bundle: MonaiBundle, wanted: tuple[str, ...]) -> None:
    """Raises PalioError "monai-classes-differ" unless the network has the challenge's classes, in the same order."""
    if not wanted or bundle.classes == wanted:
        return
    where = f"channel_def of network_data_format.outputs.{bundle.output} in {METADATA}"
    facts = {"name": name, "classes": _numbered(wanted)}
    found = bundle.classes
    if found is None:
        raise PalioError("monai-classes-differ", **facts, fault=f"{where} does not name the classes by 0, 1, ...")
    differences = [
        f"channel {number} is `{has}`; the challenge has `{wants}` there"
        for number, (has, wants) in enumerate(zip(found, wanted, strict=False))
        if has != wants
    ]
    if len(found) != len(wanted):
        counts = f"{len(found)} instead of {len(wanted)}"
        raise PalioError("monai-classes-differ", **facts, fault=f"{where} has {counts}", evidence=differences[:_SHOWN])
    what = "the same classes in another order" if sorted(found) == sorted(wanted) else "other classes"
    raise PalioError("monai-classes-differ", **facts, fault=f"{where} has {what}", evidence=differences[:_SHOWN])


def _numbered(classes: Sequence[str]) -> str:
    shown = [f"{number}: {each}" for number, each in enumerate(classes[:_SHOWN])]
    return ", ".join([*shown, "..."] if len(classes) > _SHOWN else shown)


class _Reading:
    """One pass over a bundle's files, which continues after a problem."""

    def __init__(self, files: frozenset[str], read: Reader) -> None:
        self._files, self._read = files, read
        self.problems: list[str] = []

    def bundle(self) -> MonaiBundle:
        metadata = self._mapping(METADATA)
        output, classes = self._output(metadata) if metadata is not None else ("", None)
        packages = self._packages(metadata or {})
        configs, text, keys = self._config()
        config = configs[-1] if configs else ""
        run_id = next((each for each in RUN_IDS if keys and each in keys), "")
        if keys is not None and not run_id:
            self.problems.append(
                f"{config} has no `run`, which starts the inference, such as "
                '`"run": ["$@evaluator.run()"]`; `evaluating` may stand there instead'
            )
        self._large_files()
        if _WEIGHTS.search(text) and not any(file.startswith("models/") for file in self._files):
            self.problems.append(f"{config} reads weights from models/, but that folder is missing or empty")
        modules = ["monai", "torch"]
        modules += [] if all(config.endswith(".json") for config in configs) else ["yaml"]
        modules += ["ignite"] if _IGNITE.search(text) else []
        return MonaiBundle(
            configs,
            run_id,
            tuple(key for key in PATHS if key in (keys or ())),
            output,
            classes,
            tuple(modules),
            packages,
        )

    def _output(self, metadata: Mapping[str, object]) -> tuple[str, tuple[str, ...] | None]:
        """Checks the keys of metadata.json; returns the network's output and the classes of its channels."""
        missing = [key for key in REQUIRED if key not in metadata]
        if not any(key in metadata for key in PACKAGES):
            missing.append(PACKAGES[0])
        if missing:
            keys = ", ".join(f"`{key}`" for key in missing)
            self.problems.append(f"{METADATA} lacks {keys}, which every MONAI bundle has")
        if "network_data_format" not in metadata:
            return "", None
        formats = metadata["network_data_format"]
        for part in ("inputs", "outputs"):
            if not isinstance(formats, dict) or not isinstance(formats.get(part), dict) or not formats[part]:
                self.problems.append(f"{METADATA}: network_data_format has no `{part}`; describe at least one")
        outputs = formats.get("outputs") if isinstance(formats, dict) else None
        if not isinstance(outputs, dict) or not outputs:
            return "", None
        name = "pred" if "pred" in outputs else next(iter(outputs))
        described = outputs[name]
        channels = described.get("channel_def") if isinstance(described, dict) else None
        return name, _in_order(channels)

    def _packages(self, metadata: Mapping[str, object]) -> tuple[str, ...]:
        key = PACKAGES[0]
        listed = metadata.get(key, {})
        if not isinstance(listed, dict):
            self.problems.append(f"{METADATA}: `{key}` is not a mapping of packages to versions")
            return ()
        found = []
        for package, version in listed.items():
            if _PACKAGE.fullmatch(package) and isinstance(version, str) and _VERSION.fullmatch(version):
                found.append(f"{package}=={version}")
            else:
                self.problems.append(
                    f"{METADATA}: `{key}` has {_shown(package)}: {_shown(version)}; write a package and its version, "
                    'such as "nibabel": "5.2.1"'
                )
        return tuple(found)

    def _config(self) -> tuple[tuple[str, ...], bytes, frozenset[str] | None]:
        """The files of the configuration that runs, their text and keys, which are None if one cannot be read."""
        found = [name for name in CONFIGS if name in self._files]
        if not found:
            others = sorted(file for file in self._files if re.fullmatch(r"configs/[^/]+\.(json|ya?ml)", file))
            others = [file for file in others if file != METADATA][:5]
            hint = f"; {' or '.join(others)} may be meant, so rename it" if others else ""
            self.problems.append(f"{CONFIGS[0]} or {CONFIGS[1]} is missing{hint}")
            return (), b"", None
        if len(found) > 1:
            self.problems.append(f"{' and '.join(found)} are both there; keep the one that is to run")
        configs = (*[name for name in COMMON if name in self._files], found[0])
        contents = [self._mapping(name) for name in configs]
        keys = {key.lstrip("+") for content in contents for key in content or ()}
        text = b"\n".join(map(self._head, configs))
        return configs, text, None if None in contents else frozenset(keys)

    def _large_files(self) -> None:
        listing = next((name for name in _LARGE_FILES if name in self._files), None)
        entries = (self._mapping(listing) or {}).get("large_files") if listing else None
        for entry in entries if isinstance(entries, list) else []:
            path = entry.get("path") if isinstance(entry, dict) else None
            if isinstance(path, str) and path.removeprefix("./") not in self._files:
                self.problems.append(f"{_shown(path)} is only named in {listing}; download it with {_DOWNLOAD}")

    def _mapping(self, name: str) -> dict[str, object] | None:
        """The content of a JSON or YAML file, or None with a problem."""
        if name not in self._files:
            self.problems.append(f"{name} is missing")
            return None
        data = self._head(name)
        if len(data) > MOST_BYTES:
            self.problems.append(f"{name} is larger than {size_text(MOST_BYTES)}")
            return None
        content = self._parsed(name, data)
        if content is not None and not isinstance(content, dict):
            self.problems.append(f"{name} is not a mapping of keys to values")
            return None
        return content

    def _parsed(self, name: str, data: bytes) -> object:
        if name.endswith(".json"):
            try:
                return json.loads(data.decode("utf-8-sig"))
            except UnicodeDecodeError:
                self.problems.append(f"{name} is not UTF-8 text")
            except json.JSONDecodeError as error:
                self.problems.append(f"{name}, line {error.lineno}: is no JSON: {_lowered(error.msg)}")
            except (RecursionError, ValueError):
                self.problems.append(f"{name} is nested too deep or has a number that is too long")
            return None
        findings = Findings(name)
        value = parse_bytes(data, findings)
        self.problems += [f"{problem.file}, line {problem.line}: {problem.message}" for problem in findings.errors]
        return _plain(value) if value is not None and not findings.errors else None

    def _head(self, name: str) -> bytes:
        return self._read(name, MOST_BYTES + 1)


def _in_order(channels: object) -> tuple[str, ...] | None:
    """The names of channels 0, 1, ..., or None if they are not numbered so."""
    if not isinstance(channels, dict) or not channels:
        return None
    names = [channels.get(str(number)) for number in range(len(channels))]
    texts = tuple(name for name in names if isinstance(name, str))
    return texts if len(texts) == len(names) else None


def _plain(value: Value) -> object:
    if isinstance(value.content, dict):
        return {key: _plain(each) for key, each in value.content.items()}
    if isinstance(value.content, tuple):
        return [_plain(each) for each in value.content]
    return value.content.text if isinstance(value.content, Scalar) else None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
