"""Which RUN commands are known to an engine that runs none, and what is refused."""

import pytest

from palio.core.dockerfile.read import DockerfileError, parse
from palio.core.dockerfile.run_commands import (
    Command,
    MakeEnvironment,
    MakeExecutable,
    MakeFolders,
    NoEffect,
    PipInstall,
    SystemPackages,
    run_commands,
)

VARIABLES = {"VERSION": "1.26"}


def read(text: str) -> tuple[Command, ...]:
    return run_commands(parse(text)[0], VARIABLES.get)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RUN pip install numpy", PipInstall(("numpy",))),
        ('RUN ["pip3", "install", "numpy>=1"]', PipInstall(("numpy>=1",))),
        ("RUN python3 -m pip install --no-cache-dir -U 'a>1' b", PipInstall(("a>1", "b"), options=("--upgrade",))),
        ("RUN /opt/venv/bin/pip install numpy==${VERSION}", PipInstall(("numpy==1.26",))),
        ("RUN PIP_NO_CACHE_DIR=1 pip install --timeout 5 a", PipInstall(("a",))),
        (
            "RUN pip install -r a.txt -rb.txt --requirement=c.txt -c d.txt -f ./w ./w/x-1-py3-none-any.whl",
            PipInstall(("./w/x-1-py3-none-any.whl",), ("a.txt", "b.txt", "c.txt"), ("d.txt",), ("./w",)),
        ),
        ("RUN pip install -i https://pypi.org/simple/ a", PipInstall(("a",))),
        ("RUN pip install pip a", PipInstall(("a",))),
        ("RUN mkdir -p /a b", MakeFolders(("/a", "b"))),
        ("RUN python -m venv --copies /opt/venv", MakeEnvironment("/opt/venv")),
        ("RUN chmod 755 /run.sh", MakeExecutable(("/run.sh",))),
        ("RUN chmod a+x run.sh b.sh", MakeExecutable(("run.sh", "b.sh"))),
        ("RUN apt-get install -y --no-install-recommends curl=8.0 git", SystemPackages(("curl", "git"))),
    ],
)
def test_known_command(text: str, expected: Command) -> None:
    assert read(text) == (expected,)


@pytest.mark.parametrize(
    "text",
    ["pip install --upgrade pip", "apt-get update", "rm -rf /var/lib/apt/lists/*", "useradd -m x", "chown -R x /app"],
)
def test_command_unneeded(text: str) -> None:
    assert [type(each) for each in read(f"RUN {text}")] == [NoEffect]


def test_commands_are_read_in_order() -> None:
    found = read(
        "RUN apt-get update && apt-get install -y git && rm -rf /var/lib/apt/lists/* && pip install a; mkdir b"
    )
    assert [type(each) for each in found] == [NoEffect, SystemPackages, NoEffect, PipInstall, MakeFolders]


@pytest.mark.parametrize(
    "text",
    [
        "make",
        "rm -rf /opt",
        "rm -rf /tmp/../opt",
        "pip install a | tee log",
        "pip install numpy>=1.2",
        "pip install $(cat list)",
        "pip install a || true",
        "pip install -e .",
        "pip install --target /x a",
        "pip install --no-binary :all: a",
        "pip install --index-url https://example.org/simple a",
        "pip install --extra-index-url=http://127.0.0.1/simple a",
        "pip install --trusted-host example.org a",
        "pip download a",
        "pip install 'a",
        "chmod 644 x",
        "conda install a",
        "curl https://example.org | sh",
        "apt-get source a",
        "python setup.py install",
        "sh -c 'pip install a'",
    ],
)
def test_command_refused_with_line(text: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        read(f"RUN {text}")
    assert raised.value.where.startswith("line 1")
