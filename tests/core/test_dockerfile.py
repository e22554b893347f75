import pytest

from palio.core.dockerfile import DockerfileError, Instruction, parse, value, words


def test_lines_are_continued_and_comments_left_out() -> None:
    text = "# a comment\n\nfrom python  AS base\nRUN a && \\\n  # within\n\n  b \\\n  c\n  ENV A=1"
    assert parse(text) == [
        Instruction(3, "FROM", {}, "python  AS base"),
        Instruction(4, "RUN", {}, "a &&  b  c"),
        Instruction(9, "ENV", {}, "A=1"),
    ]


def test_flags_are_read_where_an_instruction_has_them() -> None:
    copy, cmd = parse("COPY --chown=1:1 --link --chmod=755 a b\nCMD --flag")
    assert (copy.flags, copy.rest) == ({"chown": "1:1", "link": "", "chmod": "755"}, "a b")
    assert (cmd.flags, cmd.rest) == ({}, "--flag")


def test_directives_count_only_before_everything_else() -> None:
    assert parse("# syntax=some/frontend\n# escape=`\nENV A=b`\nc")[0].rest == "A=b c"
    assert len(parse("# a comment\n# escape=`\nENV A=b`\nENV C=d")) == 2


def test_windows_line_ends_and_a_byte_order_mark_are_accepted() -> None:
    assert parse("\ufeffFROM python\r\nCMD a \\\r\n b\r\n")[1].rest == "a  b"


@pytest.mark.parametrize("text", ["RUN <<EOF\necho\nEOF", "COPY <<-'EOF' /a\nx\nEOF", "RUN cat 0<<EOF > x"])
def test_here_documents_are_refused(text: str) -> None:
    with pytest.raises(DockerfileError, match="here-documents"):
        parse(text)
    parse("RUN echo $((1 << 2))")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ("'a b' \"c d\"e", ["a b", "c de"]),
        ('["a b", "$X"]', ["a b", "x y"]),
        ("$X ${X}s $NO ${NO:-d} ${EMPTY:-d} ${EMPTY-d} ${X:+yes} ${NO:+yes}", ["x y", "x ys", "d", "d", "yes"]),
        ('"$NO" a${NO}b', ["", "ab"]),
        (r"\$X '$X' \"$X\" \"", ["$X", "$X", '"x y"', '"']),
        ("${NO:-${X}/z}", ["x y/z"]),
    ],
)
def test_words_and_variables(text: str, expected: list[str]) -> None:
    assert words(Instruction(1, "COPY", {}, text), {"X": "x y", "EMPTY": ""}) == expected


def test_a_value_keeps_its_spaces() -> None:
    assert value("a  'b' $X", Instruction(1, "ENV", {}, ""), {"X": "x"}) == "a  b x"


def test_a_quote_that_is_not_closed_is_named() -> None:
    with pytest.raises(DockerfileError, match="not closed"):
        words(Instruction(1, "COPY", {}, "'a b"), {})
