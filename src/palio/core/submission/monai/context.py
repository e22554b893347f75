"""Turns a MONAI bundle into a build context: the Dockerfile that its author does not have to write.

The image has the bundle in /opt/algorithm and the programs of `in_image` in /opt/palio. `check_packages.py` runs before
the bundle's code, in a job of its own, so that a base image without MONAI is not the participant's fault.
"""

import json
import shlex
from pathlib import Path

from palio.core.files.archive import unpack
from palio.core.submission.kinds import SubmissionFile
from palio.core.submission.monai.bundle import MonaiBundle

ROOT, PROGRAMS = "/opt/algorithm", "/opt/palio"
RUN_PROGRAM, CHECK_PROGRAM, INSTALL_PROGRAM = "run_bundle.py", "check_packages.py", "install_packages.py"
_IN_IMAGE = Path(__file__).parent / "in_image"


def write_monai_context(
    submission: SubmissionFile,
    bundle: MonaiBundle,
    destination: Path,
    *,
    image: str,
    inputs: str,
    output: str,
    network: bool,
    max_bytes: int,
) -> None:
    """Writes the build context of a MONAI bundle to the new folder `destination`.

    `image` is the base image, `inputs` and `output` are the folders that the bundle is told. With `network`, packages
    that metadata.json requires and the base image lacks are installed. Raises the errors of files.archive.
    """
    unpack(submission.path, destination / "bundle", submission.name, max_bytes, inner=True)
    programs = destination / "palio"
    programs.mkdir()
    for name in (RUN_PROGRAM, CHECK_PROGRAM, INSTALL_PROGRAM):
        (programs / name).write_text((_IN_IMAGE / name).read_text())
        (programs / name).chmod(0o644)
    (destination / "Dockerfile").write_text(dockerfile(bundle, image, inputs, output, network=network))


def dockerfile(bundle: MonaiBundle, image: str, inputs: str, output: str, *, network: bool) -> str:
    paths = {"bundle_root": ROOT, "dataset_dir": inputs, "output_dir": output}
    arguments = ["--run_id", bundle.run_id] if bundle.run_id != "run" else []
    arguments += ["--config_file", bundle.configs[0] if len(bundle.configs) == 1 else str([*bundle.configs])]
    arguments += [word for key in bundle.keys for word in (f"--{key}", paths[key])]
    install = ["python", f"{PROGRAMS}/{INSTALL_PROGRAM}", *bundle.packages]
    lines = [
        "# Written by Palio for a MONAI bundle.",
        f"ARG BASE={image}",
        "FROM ${BASE}",
        f"COPY palio/ {PROGRAMS}/",
        *([f"RUN {json.dumps(install)}"] if network and bundle.packages else []),
        f"COPY bundle/ {ROOT}/",
        f"WORKDIR {ROOT}",
        "ENTRYPOINT []",
        f"# Runs: {shlex.join(['python', '-m', 'monai.bundle', 'run', *arguments])}",
        f"CMD {json.dumps(['python', f'{PROGRAMS}/{RUN_PROGRAM}', *arguments])}",
    ]
    return "\n".join([*lines, ""])


def check_command(bundle: MonaiBundle) -> tuple[str, ...]:
    """Prints the modules that the image lacks, each on a line. Runs nothing of the bundle."""
    return ("python", f"{PROGRAMS}/{CHECK_PROGRAM}", *bundle.modules)
