"""English sentences that remember how they were made, so that pages can say them in another language.

Everything else reads them as plain text: the command line, JSON, what is stored. `palio.web.language` translates them.
"""

from typing import Self


class Figure(str):
    """A number as English writes it: `1,800`, `0.953`, `31 %`."""

    __slots__ = ()


class Sentence(str):
    """`form` with its facts, which its placeholders name, such as `%(cases)s`. Facts may be Figures and Sentences.

    `plural` is empty, or the form for any number but one; `number` is then what decides.
    """

    __slots__ = ("facts", "form", "number", "plural")
    form: str
    plural: str
    number: int
    facts: dict[str, str]

    def __new__(cls, form: str, /, **facts: str) -> Self:
        return cls._made(form, "", 1, facts)

    @classmethod
    def of_count(cls, form: str, plural: str, number: int, /, **facts: str) -> Self:
        """`form` for one thing, `plural` for any other number of them."""
        return cls._made(form, plural, number, facts)

    @classmethod
    def _made(cls, form: str, plural: str, number: int, facts: dict[str, str]) -> Self:
        made = super().__new__(cls, (plural if plural and number != 1 else form) % facts)
        made.form, made.plural, made.number, made.facts = form, plural, number, facts
        return made
