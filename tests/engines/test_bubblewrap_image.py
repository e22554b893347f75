import os
import tarfile
from pathlib import Path

import pytest

from palio.core.dockerfile.read import MOST_BYTES, DockerfileError
from palio.core.plain_words import PlainName, PlainWord
from palio.engines.bubblewrap.image import Image, ImageTooLargeError, build_image
from palio.engines.bubblewrap.interpreter import Interpreter

PYTHON = Interpreter("/usr/bin/python3", "3.11.7", (), ())


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def _build(context: Path, root: Path, dockerfile: str, size_bytes: int = 10**6, **arguments: str) -> Image:
    (context / "Dockerfile").write_text(dockerfile)
    said: list[str] = []
    return build_image(
        context,
        "Dockerfile",
        arguments,
        interpreter=PYTHON,
        root=root,
        size_bytes=size_bytes,
        say=said.append,
    )[0]


def _tree(root: Path) -> dict[str, str]:
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_text()
    return found


def test_run_settings_of_a_dockerfile(context: Path, root: Path) -> None:
    dockerfile = """
ARG TAG=latest
FROM projectmonai/monai:${TAG} AS base
ARG TAG
ARG EPOCHS=3
ARG GIVEN=no
ENV A=$EPOCHS B="two words" PATH=/opt/bin:$PATH
ENV OLD style with spaces
ENV A=other C=$A
LABEL a=b
EXPOSE 80
USER nobody
RUN useradd somebody && mkdir -p /opt/made
WORKDIR /opt
WORKDIR app/$TAG
SHELL ["/bin/bash", "-c"]
ENTRYPOINT ["python", "-u"]
CMD echo $HOME
"""
    image = _build(context, root, dockerfile, GIVEN="yes")
    assert image == Image(
        PYTHON,
        {
            "PATH": f"/opt/bin:{PYTHON.path}",
            "A": "other",
            "B": "two words",
            "OLD": "style with spaces",
            "C": "3",
        },
        PlainWord("/opt/app/latest"),
        list(map(PlainWord, ("python", "-u"))),
        list(map(PlainWord, ("/bin/bash", "-c", "echo $HOME"))),
    )
    assert (root / "opt/app/latest").is_dir()
    assert (root / "opt/made").is_dir()


@pytest.mark.parametrize(("mode", "fits"), [(0o755, True), (0o644, False)])
def test_execute_bit_required_in_zip(context: Path, root: Path, mode: int, fits: bool) -> None:
    (context / "run.sh").write_text("#!/bin/sh\n")
    (context / "run.sh").chmod(mode)
    dockerfile = "FROM xy\nWORKDIR /opt\nCOPY run.sh .\nRUN chmod +x run.sh\n"
    if fits:
        _build(context, root, dockerfile)
        return
    with pytest.raises(DockerfileError) as raised:
        _build(context, root, dockerfile)
    assert raised.value.where == "line 4 (RUN chmod +x run.sh)"


@pytest.mark.parametrize("command", ["make", "chmod +x /no-such-file", "apt-get install -y no-such-package-of-palio"])
def test_other_commands_refused(context: Path, root: Path, command: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        _build(context, root, f"FROM xy\nRUN {command}\n")
    assert raised.value.where == f"line 2 (RUN {command})"


def test_entry_point_keeps_command(context: Path, root: Path) -> None:
    image = _build(context, root, 'FROM x\nCMD ["a"]\nENTRYPOINT python app.py\n')
    assert (image.entrypoint, image.command) == (["/bin/sh", "-c", "python app.py"], ["a"])


def test_build_argument_needs_declaration(context: Path, root: Path) -> None:
    image = _build(context, root, "FROM x\nENV A=$SECRET\nARG SECRET\nENV B=$SECRET", SECRET="s")
    assert (image.environment["A"], image.environment["B"]) == ("", "s")


@pytest.fixture
def filled(context: Path) -> Path:
    for path in ("app.py", "model.pth", "data/a.csv", "data/deep/b.csv", "data/.hidden", "other/a.csv"):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(path)
    return context


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ("COPY app.py /opt/", {"opt/app.py"}),
        ("COPY app.py /opt", {"opt/app.py"}),  # a folder that every image has
        ("COPY app.py /opt/app", {"opt/app"}),
        ("WORKDIR /opt/app\nCOPY app.py .", {"opt/app/app.py"}),
        ("WORKDIR /opt/app\nCOPY ./app.py ../x.py", {"opt/x.py"}),
        ("COPY data /srv/data", {"srv/data/a.csv", "srv/data/deep/b.csv", "srv/data/.hidden"}),
        ("COPY data/ /srv/", {"srv/a.csv", "srv/deep/b.csv", "srv/.hidden"}),
        ("COPY app.py model.pth /app/", {"app/app.py", "app/model.pth"}),
        ("COPY *.p* /app/", {"app/app.py", "app/model.pth"}),
        ("COPY */a.csv /app/", {"app/a.csv"}),
        ("COPY data/[a-b]*.csv /app/", {"app/a.csv"}),
        ('COPY ["app.py", "/with space/"]', {"with space/app.py"}),
        ("COPY /data/deep /app", {"app/b.csv"}),
        ("ADD app.py /app/", {"app/app.py"}),
        ("ARG F=app.py\nCOPY $F ${T:-/t}/", {"t/app.py"}),
    ],
)
def test_targets_of_copies(filled: Path, root: Path, instructions: str, expected: set[str]) -> None:
    _build(filled, root, f"FROM x\n{instructions}")
    assert set(_tree(root)) == expected


def test_copy_dot_without_ignored(filled: Path, root: Path) -> None:
    (filled / ".dockerignore").write_text("# large\ndata\n!data/deep/b.csv\n**/*.pth\nDockerfile\n.dockerignore\n")
    _build(filled, root, "FROM x\nCOPY . /app")
    assert set(_tree(root)) == {"app/app.py", "app/data/deep/b.csv", "app/other/a.csv"}


def test_copy_modes(filled: Path, root: Path) -> None:
    (filled / "app.py").chmod(0o4755)
    (filled / "model.pth").chmod(0o640)
    _build(filled, root, "FROM x\nCOPY app.py model.pth /a/\nCOPY --chmod=555 --chown=me model.pth /b/")
    modes = [oct((root / path).stat().st_mode & 0o7777) for path in ("a/app.py", "a/model.pth", "b/model.pth")]
    assert modes == ["0o755", "0o640", "0o555"]


def test_copy_keeps_links(filled: Path, root: Path) -> None:
    (filled / "data/link").symlink_to("/etc/passwd")
    _build(filled, root, "FROM x\nCOPY data /d")
    assert _tree(root)["d/link"] == "-> /etc/passwd"


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("COPY missing.pth /opt/", "missing.pth is not in the context"),
        ("COPY *.nii /opt/", "*.nii is not in the context"),
        ("COPY ignored /opt/", "ignored is not in the context"),
        ("COPY ../secret /opt/", "../secret points outside the context"),
        ("COPY data/../../secret /opt/", "data/../../secret points outside the context"),
        ("COPY out /opt/", "out is a link to outside the context"),
        ("COPY dangling /opt/", "dangling is a broken link"),
        ("COPY out/secret /opt/", "out/secret is a link to outside the context"),
        ("COPY pipe /opt/", "pipe is not a regular file"),
        ("COPY --from=other /a /b", "--from needs an engine with other images, such as Docker"),
        ("COPY --chmod=u+x app.py /opt/", "--chmod=u+x is not an octal number such as 755"),
        ("COPY app.py model.pth /opt/app", "with several sources, the target must be a folder and end with /"),
        ("COPY app.py", "a source and a target are needed"),
        (
            "ADD https://example.org/model.pth /opt/",
            "files cannot be fetched from the network; put the file into the context",
        ),
        ("ADD archive.tar /opt/", "ADD would unpack archive.tar; unpack it and COPY it"),
        ("FROM another", "multi-stage builds need an engine that can run them, such as Docker"),
        ("CPOY app.py /opt/", "unknown instruction CPOY"),
        ("ENV A=1 B", "ENV takes words of the form NAME=value"),
        ("SHELL /bin/bash", 'SHELL takes a list such as ["/bin/sh", "-c"]'),
    ],
)
def test_unbuildable_instruction_line(filled: Path, root: Path, tmp_path: Path, instruction: str, reason: str) -> None:
    (tmp_path / "secret").write_text("the labels")
    (filled / "ignored").write_text("x")
    (filled / ".dockerignore").write_text("ignored\n")
    (filled / "out").symlink_to(tmp_path)
    (filled / "dangling").symlink_to("nothing")
    os.mkfifo(filled / "pipe")
    tarfile.open(filled / "archive.tar", "w").close()
    with pytest.raises(DockerfileError) as raised:
        _build(filled, root, f"FROM x\n\n{instruction}")
    assert (str(raised.value.instruction), raised.value.reason) == (f"line 3 ({instruction})", reason)


@pytest.mark.parametrize("path", ["/d/link/x", "/d/link/deeper/x", "/link/x"])
def test_copy_link_not_written_through(filled: Path, root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "outside").mkdir()
    (filled / "data/link").symlink_to(tmp_path / "outside")
    with pytest.raises(DockerfileError, match="through a link"):
        _build(filled, root, f"FROM x\nCOPY data /d\nCOPY data /\nCOPY app.py {path}")
    assert list((tmp_path / "outside").iterdir()) == []


def test_copy_link_replaced_by_file(filled: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("before")
    (filled / "data/app.py").symlink_to(tmp_path / "victim")
    _build(filled, root, "FROM x\nCOPY data /d/\nCOPY app.py /d/")
    assert ((root / "d/app.py").read_text(), (tmp_path / "victim").read_text()) == ("app.py", "before")


def test_copy_size_bounded_before_copying(filled: Path, root: Path) -> None:
    (filled / "large").write_bytes(b"x" * 1000)
    with pytest.raises(ImageTooLargeError) as raised:
        _build(filled, root, "FROM x\nCOPY app.py /a\nCOPY large /b", size_bytes=500)
    assert raised.value.size_bytes == 1006
    assert set(_tree(root)) == {"a"}


@pytest.mark.parametrize(
    ("dockerfile", "reason"),
    [("", "has no FROM"), ("RUN x", "must be FROM"), ("FROM\n", "needs an image")],
)
def test_dockerfile_without_base(context: Path, root: Path, dockerfile: str, reason: str) -> None:
    with pytest.raises(DockerfileError, match=reason):
        _build(context, root, dockerfile)


def test_dockerfile_missing(context: Path, root: Path) -> None:
    with pytest.raises(DockerfileError, match="Dockerfile: the file does not exist"):
        build_image(context, "Dockerfile", {}, interpreter=PYTHON, root=root, size_bytes=1, say=lambda text: None)


@pytest.mark.parametrize(
    ("instruction", "reason"),
    [
        ("ENV =x", "a variable needs a name; write ENV NAME=value"),
        ('CMD ["a\\u0000b"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ("CMD [[[[", "it has nested lists; write one list of strings"),
        ("WORKDIR ${A:+x}", "WORKDIR needs a value"),
        ("WORKDIR /" + "a" * 300, "a name in it has more than 255 bytes"),
        ("ENV A=" + "a" * 300 + "\nWORKDIR /$A", "a path in it cannot be used: File name too long"),
        ("WORKDIR a/" + "a/" * 50 + "\nWORKDIR " + "a/" * 50, "a path in it has more than 64 folders"),
        ("WORKDIR " + "a/" * 100, "a path in it has more than 64 folders"),
        ("COPY . /" + "a" * 300 + "/", "a name in it has more than 255 bytes"),
        ("COPY app.py/x /", "app.py/x is not in the context"),
        ("COPY [a-z /", "the source `[a-z` has a [ that is not closed by ], or nothing between them"),
        ("FROM 770e", "an image name is required, because ids could belong to other submissions"),
        ("COPY loop /", "loop is a link to itself"),
    ],
)
def test_odd_words_refused(filled: Path, root: Path, instruction: str, reason: str) -> None:
    (filled / "loop").symlink_to("loop")
    with pytest.raises(DockerfileError) as raised:
        _build(filled, root, f"FROM x\n{instruction}")
    assert (raised.value.instruction is not None, raised.value.reason) == (True, reason)


def test_words_without_nul(context: Path, root: Path) -> None:
    image = _build(context, root, 'FROM x\nENV A=b\nWORKDIR /w\nENTRYPOINT ["a"]\nCMD b')
    words = [*image.environment.values(), image.workdir, *image.entrypoint, *image.command]
    assert {type(word) for word in words} == {PlainWord}
    assert {type(name) for name in image.environment} == {PlainName}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[", ".dockerignore, line 1: the pattern `[` has a [ that is not closed by ], or nothing between them"),
        ("\n" * (MOST_BYTES + 1), ".dockerignore: it is larger than the limit of 1 MiB"),
        ("a\n" * 1001, ".dockerignore: at most 1,000 patterns are allowed; combine some with * or **"),
    ],
)
def test_patterns_invalid(filled: Path, root: Path, content: str, reason: str) -> None:
    (filled / ".dockerignore").write_text(content)
    with pytest.raises(DockerfileError) as raised:
        _build(filled, root, "FROM x\nCOPY . /")
    assert str(raised.value) == reason


def test_patterns_of_many_stars_fast(filled: Path, root: Path) -> None:
    (filled / ("a" * 250)).write_text("")
    (filled / ".dockerignore").write_text("*a" * 100 + "*b\n")
    _build(filled, root, f"FROM x\nCOPY {'*a' * 9}* {'[a]*' * 9} /d/\nCOPY app.py /")
    assert set(_tree(root)) == {"d/" + "a" * 250, "app.py"}
