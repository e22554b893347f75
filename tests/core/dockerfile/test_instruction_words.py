"""Every instruction, with words that it may and may not have."""

import pytest

from palio.core.dockerfile.instruction_words import arguments, check, command, pairs, sources_and_target
from palio.core.dockerfile.read import DockerfileError, parse


def _known(name: str) -> str | None:
    return {"X": "x", "EMPTY": ""}.get(name)


@pytest.mark.parametrize(
    "text",
    [
        "FROM --platform=linux/amd64 python",
        "ARG A B=c",
        "ENV A=1 B='two words' C=",
        "ENV OLD style with spaces",
        "LABEL a.b=c",
        "WORKDIR /a b",
        "USER 1:1",
        "STOPSIGNAL SIGTERM",
        "EXPOSE 80 90/udp",
        'VOLUME ["/a"]',
        "VOLUME /a /b",
        "RUN a && b",
        "CMD []",
        "ENTRYPOINT [ ]",
        'SHELL ["/bin/sh", "-c"]',
        "COPY --from=x --chown=$X --chmod=755 --link a b /c/",
        'COPY ["a b", "/c"]',
        "ADD a*.t[xyz]t /b",
        "HEALTHCHECK NONE",
        'HEALTHCHECK --interval=3s CMD ["a"]',
        "HEALTHCHECK CMD curl x",
        "MAINTAINER me",
        "ONBUILD RUN a",
    ],
)
def test_instruction_words_accepted(text: str) -> None:
    check(parse(text)[0], _known)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CPOY a b", "unknown instruction CPOY"),
        ("ENV =x", "a variable needs a name; write ENV NAME=value"),
        ("ENV A=1 =x", "a variable needs a name; write ENV NAME=value"),
        ("ENV $EMPTY=x", "the name of a variable is invalid: it is empty"),
        ("ENV ''=x", "the name of a variable is invalid: it is empty"),
        ("ENV A", "A has no value; write ENV NAME=value"),
        ("ENV", "ENV needs NAME=value"),
        ("ENV A=1 B", "ENV takes words of the form NAME=value"),
        ("ENV A='b", "a quote is not closed"),
        ("LABEL =x", "a variable needs a name; write LABEL NAME=value"),
        ("ARG =x", "a variable needs a name; write ARG NAME=value"),
        ("ARG", "ARG needs NAME or NAME=default"),
        ("WORKDIR $EMPTY", "WORKDIR needs a value"),
        ("WORKDIR", "WORKDIR needs a value"),
        ("USER", "USER needs a value"),
        ("STOPSIGNAL ''", "STOPSIGNAL needs a value"),
        ("EXPOSE", "EXPOSE names nothing"),
        ('VOLUME [""]', "VOLUME has an empty word"),
        ('VOLUME ["a\\u0000"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ("RUN", "RUN names no command"),
        ("RUN --mount=type=bind,from=x,target=/y z", "RUN does not support --mount here"),
        ("CMD --flag", "CMD does not support --flag here"),
        ("CMD", "CMD names no command"),
        ('CMD [""]', "the first string of its list is empty; it must name a program"),
        ('CMD ["a", "\\u001b"]', "a string of the list is invalid: it contains a control character (U+001B)"),
        ('ENTRYPOINT ["a\\n"]', "a string of the list is invalid: it contains a newline (U+000A)"),
        ("SHELL /bin/bash", 'SHELL takes a list such as ["/bin/sh", "-c"]'),
        ('SHELL [""]', 'SHELL takes a list such as ["/bin/sh", "-c"]'),
        ("COPY a", "a source and a target are needed"),
        ("COPY", "a source and a target are needed"),
        ('COPY ["a", ""]', "COPY has an empty word"),
        ("COPY $EMPTY b", "COPY has an empty word"),
        ('COPY ["a\\u0000", "b"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ("COPY [[[ b", "it has nested lists; write one list of strings"),
        ("COPY a[ b", "the source `a[` has a [ that is not closed by ], or nothing between them"),
        ("COPY https://x /y", "files cannot be fetched from the network; put the file into the context"),
        ("COPY --exclude=a b c", "COPY does not support --exclude here; supported: --from, --chown, --chmod, --link"),
        ("ADD --from=x a b", "ADD does not support --from here; supported: --chown, --chmod, --link"),
        ("ADD http://x /y", "files cannot be fetched from the network; put the file into the context"),
        ('ADD ["http:\\u002f/x", "/y"]', "files cannot be fetched from the network; put the file into the context"),
        ('ADD http:"//x" /y', "ADD accepts only plain file names; use COPY for names with variables"),
        ("ADD $X /y", "ADD accepts only plain file names; use COPY for names with variables"),
        ("ADD git@example.org:a.git /y", "files cannot be fetched from the network; put the file into the context"),
        ("HEALTHCHECK", "HEALTHCHECK takes NONE, or CMD and a command"),
        ("HEALTHCHECK NONE x", "HEALTHCHECK takes NONE, or CMD and a command"),
        ('HEALTHCHECK CMD ["\\u0000"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ("HEALTHCHECK CMD", "HEALTHCHECK names no command"),
        ("MAINTAINER", "MAINTAINER needs a value"),
        ("FROM", "FROM needs an image"),
        ("ONBUILD", "ONBUILD needs an instruction"),
        ("ONBUILD ONBUILD RUN a", "FROM, ONBUILD and MAINTAINER cannot be triggers"),
        ("ONBUILD FROM x", "FROM, ONBUILD and MAINTAINER cannot be triggers"),
        ("ONBUILD ENV =x", "a variable needs a name; write ENV NAME=value"),
        ("ONBUILD ADD http://x /y", "files cannot be fetched from the network; put the file into the context"),
    ],
)
def test_instruction_words_refused(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        check(parse(text)[0], _known)
    assert raised.value.reason == reason


def test_expanded_words_too_long() -> None:
    instruction = parse("WORKDIR $A$A")[0]
    with pytest.raises(DockerfileError, match="more than 65,536 characters"):
        check(instruction, lambda _: "x" * 40_000)


def test_instruction_words_read() -> None:
    env, arg, run, copy = parse('ENV A=$X "B C"=d\nARG A B=$X\nRUN ["a", "$X"]\nCOPY a$X ${NO:-b} /c')
    assert pairs(env, _known) == {"A": "x", "B C": "d"}
    assert arguments(arg, _known) == {"A": None, "B": "x"}
    assert command(run).words == ("a", "$X")
    assert sources_and_target(copy, _known) == (["ax", "b"], "/c")
