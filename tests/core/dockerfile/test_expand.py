import pytest

from palio.core.dockerfile.expand import json_form, raw_words, value
from palio.core.dockerfile.read import DockerfileError, Instruction
from palio.core.plain_words import PlainWord

VARIABLES = {"X": "x y", "EMPTY": "", "LONG": "l" * 60_000}


def _value(text: str) -> PlainWord:
    return value(text, VARIABLES.get, Instruction(1, "ENV", {}, text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  'b' $X", "a  b x y"),
        ("$X ${X}s $NO ${NO:-d} ${EMPTY:-d} ${EMPTY-d} ${X:+yes} ${NO:+yes}", "x y x ys  d d  yes "),
        ("${X:?why}${EMPTY?why}", "x y"),
        (r"\$X '$X' \"$X\" \"", '$X $X "x y" "'),
        (r'"\$X \a $X"', r"$X \a x y"),
        ("${NO:-${X}/z}", "x y/z"),
        ("${NO:-'}'}", "}"),
        ("$1$@ a$ $", " a$ $"),
        ("a}b", "a}b"),
    ],
)
def test_quotes_and_variables(text: str, expected: str) -> None:
    found = _value(text)
    assert (found, type(found)) == (expected, PlainWord)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("'a b", "a quote (') is not closed"),
        ('"a b', 'a quote (") is not closed'),
        ("${A", "${A…} needs :-, -, :+, +, :? or ? after the name"),
        ("${A:-b", "a ${ is not closed by }"),
        ("${", "${ needs the name of a variable"),
        ("${A##x}", "${A…} needs :-, -, :+, +, :? or ? after the name"),
        ("${A:?is missing}", "the variable A is not set: is missing"),
        ("${A?}", "the variable A is not set: it is required"),
        ("${A:-" * 17 + "x" + "}" * 17, "variables are nested more than 16 deep"),
        ("$LONG$LONG", "it has more than 65,536 characters after variables are expanded"),
    ],
)
def test_variable_unresolvable(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        _value(text)
    assert raised.value.reason == reason


def test_variable_with_unfit_character() -> None:
    with pytest.raises(DockerfileError, match=r"a word is invalid: it contains NUL \(U\+0000\)"):
        value("$A", {"A": "\0"}.get, Instruction(1, "ENV"))


@pytest.mark.parametrize(
    "text", ["$LONG" * 20_000, "${A:-" * 13_000, "${A-}" * 13_000, "'" * 65_001, '"$' * 32_001, "$" * 65_000]
)
def test_long_text_fast(text: str) -> None:
    """Those that a reader which goes back would read for minutes."""
    try:
        assert len(_value(text)) <= 65_536
    except DockerfileError as error:
        assert error.reason


def test_raw_words_keep_quotes_together() -> None:
    words = raw_words(Instruction(1, "ENV", {}, 'A=\'b c\' B="d \\" e"f  C=\\ g\t$H'))
    assert words == ["A='b c'", 'B="d \\" e"f', "C=\\ g", "$H"]
    with pytest.raises(DockerfileError, match="a quote is not closed"):
        raw_words(Instruction(1, "ENV", {}, "A='b"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('["a b", "$X"]', ["a b", "$X"]),
        ('[ "\\u0041\\n" ]'.replace("\\n", "\\t"), ["A\t"]),
        ("[]", []),
        ("[ ]", []),
        ("echo", None),
        ("[ -f x ] && y", None),
        ('[ "$A" = b ]', None),
        ('[[ "$A" = b ]]', None),
        ('["a",]', None),
        ('["a"', None),
        ('["a', None),
        ("[1]", None),
        ("['a']", None),
    ],
)
def test_list_form(text: str, expected: list[str] | None) -> None:
    assert json_form(Instruction(1, "CMD", {}, text)) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('["a"] b', "there is text after the list, which builders interpret differently"),
        ('["a\\u0000b"]', "a string of the list is invalid: it contains NUL (U+0000)"),
        ('["\\n"]', "a string of the list is invalid: it contains a newline (U+000A)"),
        ('["\\ud800"]', "a string of the list is invalid: it contains half of a character (the surrogate U+D800)"),
        ("[" * 60_000, "it has nested lists; write one list of strings"),
        ("[ [ [", "it has nested lists; write one list of strings"),
    ],
)
def test_list_refused(text: str, reason: str) -> None:
    with pytest.raises(DockerfileError) as raised:
        json_form(Instruction(1, "CMD", {}, text))
    assert raised.value.reason == reason
