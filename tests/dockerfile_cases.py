"""All readers of Dockerfiles on one input: each comes to a result, or refuses it with a sentence."""

import shutil
from contextlib import suppress
from pathlib import Path

from palio.core.dockerfile.dockerignore import ignored_by
from palio.core.dockerfile.read import DockerfileError, decoded, parse
from palio.core.dockerfile.resolve import Resolved, resolve
from palio.core.dockerfile.sources import copied_files
from palio.core.files.globs import PatternError, glob
from palio.core.plain_words import PlainName, PlainWord
from palio.engines.bubblewrap.image import ImageTooLargeError, build_image
from palio.engines.bubblewrap.interpreter import Interpreter

CUT = b"\0\n"  # between the Dockerfile, the .dockerignore and a pattern
PYTHON = Interpreter("/usr/bin/python3", "3.11.7", (), ())
NAMES = ("a", "b c", "d/e.txt", "d/f/g", "[x]", "é", "*")
SEEDS = (
    b'FROM python:3.11-slim AS a\nRUN x \\\n # y\n && z\nCOPY --from=a --chown=1:1 a [a-c]* /b/\nCMD ["a", "b"]\n',
    b"ARG A=b\nARG http_proxy\nFROM ${A:-c}:${http_proxy:+1}\nENV A=$A B='c d'\nENV F g h\nWORKDIR ${A}/x\n"
    + CUT
    + b"*\n!d\n",
    b'# escape=\\\nFROM scratch\nADD a b\nHEALTHCHECK --interval=1s CMD ["a"]\nONBUILD COPY a b\n'
    + CUT
    + b"**/x\n"
    + CUT
    + b"[^a-z]*?",
    b'FROM x\nSHELL ["a"]\nVOLUME ["/a"]\nEXPOSE 80\nUSER x\nLABEL a="b"\nSTOPSIGNAL 9\nENTRYPOINT a\nRUN <<E\n',
)


def check(data: bytes, folder: Path) -> Resolved | None:
    """All readers, given `data`. `folder` is for the files that a build needs."""
    dockerfile, ignore, pattern, *_ = [*data.split(CUT), b"", b""]
    resolved = _resolve(dockerfile)
    with suppress(DockerfileError):
        copied_files(decoded(dockerfile), NAMES, [])
    with suppress(DockerfileError):
        ignored = ignored_by(decoded(ignore))
        for name in NAMES:
            ignored(name)
    with suppress(PatternError):
        glob(pattern.decode(errors="surrogateescape")).match("aaaaaaaa/b")
    if resolved:  # else the build ends where this did
        _build(dockerfile, ignore, folder)
    return resolved


def _resolve(dockerfile: bytes) -> Resolved | None:
    """What an engine would be given; which is what comes out of reading that again, so that there is one reading."""
    try:
        resolved = resolve(decoded(dockerfile), {"http_proxy": "x"})
    except DockerfileError as error:
        assert 10 < len(PlainWord(str(error))) < 1000
        return None
    again = resolve(resolved.text, {"http_proxy": "x"})
    assert again.text == resolved.text
    assert list(again.images) == list(resolved.images)
    assert [each.line for each in parse(resolved.text)] == [each.line for each in resolved.instructions]
    assert all("/" in str(name) and (":" in str(name)) for name in resolved.images)
    return resolved


def _build(dockerfile: bytes, ignore: bytes, folder: Path) -> None:
    """As bubblewrap does it, with real files."""
    context, root = folder / "context", folder / "root"
    if not context.exists():
        for name in NAMES:
            (context / name).parent.mkdir(parents=True, exist_ok=True)
            (context / name).write_text("x")
    (context / "Dockerfile").write_bytes(dockerfile)
    (context / ".dockerignore").write_bytes(ignore)
    root.mkdir()
    try:
        image, _ = build_image(
            context, "Dockerfile", {}, interpreter=PYTHON, root=root, size_bytes=1000, say=lambda text: None
        )
    except (DockerfileError, ImageTooLargeError):
        return
    finally:
        shutil.rmtree(root)
    assert all(type(name) is PlainName for name in image.environment)
    words = [*image.environment.values(), image.workdir, *image.entrypoint, *image.command]
    assert all(type(word) is PlainWord for word in words)
