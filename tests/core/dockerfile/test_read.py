import os
from pathlib import Path

import pytest

from palio.core.dockerfile.read import (
    MOST_BYTES,
    MOST_INSTRUCTIONS,
    MOST_LINE_BYTES,
    DockerfileError,
    Instruction,
    decoded,
    parse,
    read_text,
)


def test_line_continuation_and_comments() -> None:
    text = "# a comment\n\nfrom python  AS base\nRUN a && \\\n  # within\n\n  b \\ \t\n  c\n  ENV A=1"
    assert parse(text) == [
        Instruction(3, "FROM", {}, "python  AS base"),
        Instruction(4, "RUN", {}, "a &&   b   c"),
        Instruction(9, "ENV", {}, "A=1"),
    ]


def test_lines_joined_without_space() -> None:
    assert parse("RUN ec\\\nho a\\\n\\\n b") == [Instruction(1, "RUN", {}, "echo a b")]
    assert parse("RUN a \\") == [Instruction(1, "RUN", {}, "a")]


def test_flags_before_words() -> None:
    copy, run = parse("COPY --chown=1:1\t--link --chmod=755 a b\nRUN a --flag")
    assert (copy.flags, copy.rest) == ({"chown": "1:1", "link": "", "chmod": "755"}, "a b")
    assert (run.flags, run.rest) == ({}, "a --flag")


def test_keyword_before_tab() -> None:
    assert parse("from\tpython") == [Instruction(1, "FROM", {}, "python")]


def test_crlf_bom_and_directives() -> None:
    text = "\ufeff# syntax=some/frontend\r\n# check=error=true\r\n# escape=\\\r\nFROM python\r\nCMD a \\\r\n b\r\n"
    assert [instruction.rest for instruction in parse(text)] == ["python", "a  b"]


def test_comments_any_text() -> None:
    assert parse("# a\0b\u2028c\rFROM x\x0c\nFROM python") == [Instruction(2, "FROM", {}, "python")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("RUN <<EOF\necho\nEOF", "line 1 (RUN <<EOF): Palio does not support here-documents (<<EOF)"),
        ("COPY <<-'EOF' /a\nx\nEOF", "here-documents"),
        ("RUN cat 10<<1 > x", "here-documents"),
        ("# a comment\n# Escape = `\nFROM x", "line 2 sets another escape character, but only \\ is supported"),
        ("FROM x\nRUN a \\\\\n b", "line 2 ends with several backslashes"),
        ("FROM x\nENV A=a\0b", "line 2 (ENV A=a\ufffdb): it contains NUL (U+0000) in line 2; write plain text there"),
        ("FROM x\nRUN a \\\n b\x1b", "line 2 (RUN a  b\ufffd): it contains the character U+001B in line 3"),
        ("FROM x\rRUN b", "contains a carriage return (U+000D)"),
        ("FROM x\nRUN a \\\x0c\nCOPY --from=y / /", "contains white space other than a plain space (U+000C)"),
        ("FROM x\nRUN a \\\u2028", "(U+2028)"),
        ("FROM x\nRUN a\u0085", "(U+0085)"),
        ("FROM x\u00a0AS y", "(U+00A0)"),
        ("FROM x\nRUN \ud800", "half of a character (the surrogate U+D800)"),
        ("FROM x\nENV A=\ufeff", "the character U+FEFF"),
        ("COPY --fr\\om=x / /", "its flags cannot be read; write --name=value, without quotes"),
        ('COPY --from="x" / /', "its flags cannot be read"),
        ("COPY -- a b", "its flags cannot be read"),
        ("COPY --link --link a b", "--link is given twice"),
        ('"RUN" a', "an instruction begins with a word such as RUN"),
        ("RUN=a", "an instruction begins with a word such as RUN"),
    ],
)
def test_ambiguous_text_refused(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        parse(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize("text", ["RUN echo $((1 << 2))", "RUN cat <<<x", "RUN [ -f x ] && y", "RUN a\\b"])
def test_ambiguous_lookalikes_read(text: str) -> None:
    assert parse(text)[0].rest == text.removeprefix("RUN ")


def test_sizes_bounded() -> None:
    with pytest.raises(DockerfileError, match="the Dockerfile: it is larger than the limit of 1 MiB"):
        decoded(b"#" * (MOST_BYTES + 1), "the Dockerfile")
    assert len(decoded(b"#" * MOST_BYTES)) == MOST_BYTES
    with pytest.raises(DockerfileError, match="line 1001 is one too many; at most 1,000 instructions are allowed"):
        parse("RUN a\n" * (MOST_INSTRUCTIONS + 1))
    assert len(parse("RUN a\n" * MOST_INSTRUCTIONS)) == MOST_INSTRUCTIONS
    for text in ("RUN " + "a" * MOST_LINE_BYTES, "RUN a\\\n" * 20_000):
        with pytest.raises(DockerfileError, match="the instruction in line 1 has more than 65,535 bytes"):
            parse(text)


def test_text_not_utf8() -> None:
    with pytest.raises(DockerfileError, match="line 2 is not UTF-8 text; save the file as UTF-8"):
        decoded(b"FROM x\nRUN \xff")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_decoded_names_utf16(encoding: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    with pytest.raises(DockerfileError, match="UTF-16"):
        decoded(mark + "FROM x\n".encode(encoding))


def test_file_outside_folder_refused(tmp_path: Path) -> None:
    context = tmp_path / "context"
    context.mkdir()
    (context / "inside").write_text("FROM x")
    (context / "link").symlink_to("inside")
    assert (read_text(context, "inside"), read_text(context, "link")) == ("FROM x", "FROM x")
    assert read_text(context, "missing") is None
    (tmp_path / "secret").write_text("FROM secret")
    (context / "out").symlink_to(tmp_path / "secret")
    (context / "loop").symlink_to("loop")
    os.mkfifo(context / "pipe")
    (context / "large").write_bytes(b"\n" * (MOST_BYTES + 1))
    for name, reason in {
        "out": "out: it is a link out of the folder",
        "loop": "loop: it cannot be read",
        "pipe": "pipe: it is not a regular file",
        "large": "large: it is larger than the limit of 1 MiB",
        ".": "is not a regular file",
    }.items():
        with pytest.raises(DockerfileError, match=reason):
            read_text(context, name)
