"""Images on disk: built once for each digest and interpreter, in a folder that appears whole or not at all."""

import json
import os
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from palio.core.dockerfile import DockerfileError
from palio.core.job import Build, End, JobResult
from palio.core.log import LogWriter
from palio.core.words import PlainName, PlainWord
from palio.engines.bubblewrap.image import Image, ImageTooLargeError, build_image
from palio.engines.bubblewrap.interpreter import Interpreter, this_interpreter

_ROOT, _DESCRIPTION = "root", "image.json"


def build(work: Build, images: Path, made: Path) -> JobResult:
    """The result of the build, done before this returns: it only copies files.

    `made` is a folder beside which nothing else is made; what a process that was killed has left there is removed.
    """
    interpreter = this_interpreter()
    identity = json.dumps([work.digest, asdict(interpreter)])
    name = sha256(identity.encode()).hexdigest()[:40]
    begin = JobResult(End.EXITED, 0, datetime.now(UTC), datetime.now(UTC), image=name)
    with LogWriter(work.log) as log:

        def say(text: str) -> None:
            log.write(f"{text}\n".encode())

        if (images / name).is_dir():
            say(f"This image was built before and is used again: {name}")
            return begin
        images.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(mode=0o700)
        try:
            (made / _ROOT).mkdir()
            image = build_image(
                work.context,
                work.dockerfile,
                work.arguments,
                interpreter=interpreter,
                root=made / _ROOT,
                size_bytes=work.limits.size_bytes,
                say=say,
            )
            (made / _DESCRIPTION).write_text(json.dumps(asdict(image)))
            _put(made, images / name)
            result = begin
        except DockerfileError as error:
            say(str(error))
            result = replace(begin, exit_code=1, image=None, detail=f"{error.where}\n{error.reason}")
        except ImageTooLargeError as error:
            say(f"the image would be {error.size_bytes:,} bytes, of {work.limits.size_bytes:,}")
            result = replace(begin, end=End.IMAGE_SIZE, exit_code=None, image=None, detail=str(error.size_bytes))
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return replace(result, finished=datetime.now(UTC))


def load_image(images: Path, name: str) -> tuple[Image, Path]:
    """The image of that name and the folder with its files. Raises FileNotFoundError."""
    content = json.loads((images / name / _DESCRIPTION).read_text())
    python = content.pop("interpreter")
    python |= {"places": tuple(python["places"]), "links": tuple(python["links"])}
    image = Image(
        Interpreter(**python),
        environment={PlainName(key): PlainWord(text) for key, text in content["environment"].items()},
        workdir=PlainWord(content["workdir"]),
        entrypoint=[PlainWord(word) for word in content["entrypoint"]],
        command=[PlainWord(word) for word in content["command"]],
    )
    return image, images / name / _ROOT


def _put(made: Path, target: Path) -> None:
    """Another process may have been faster; its image is the same."""
    made.chmod(0o755)
    try:
        os.rename(made, target)  # noqa: PTH104
    except OSError:
        if not target.is_dir():
            raise
