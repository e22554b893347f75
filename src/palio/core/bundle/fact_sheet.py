"""Reads Codabench's `fact_sheet`: questions that participants answer with each submission."""

from palio.core.bundle.model import Question
from palio.core.bundle.readers import boolean, choice, text_up_to
from palio.core.bundle.values import Section, Value, accept
from palio.core.bundle.wording import quoted

TYPES = ("text", "checkbox", "select")
MAX_KEY = 64
MAX_TITLE = 256
MAX_OPTION = 256


def read_fact_sheet(top: Section) -> tuple[Question, ...]:
    """Questions in the order of the file, which is the order in which they are asked."""
    if not (value := top.take("fact_sheet")) or value.content == ():
        return ()
    holder = top.section("fact_sheet")
    return tuple(_question(holder.section(key), key) for key in holder)


def _question(section: Section, name: str) -> Question:
    key = section.read("key", text_up_to(MAX_KEY), name)
    if key != name and (value := section.take("key")):
        value.warn(f"{value.found}, but the question stands under {quoted(name)}, which is used")
    type_ = section.read("type", choice(*TYPES), "text")
    options = _options(section) if type_ == "select" else ()
    section.ignore("selection")  # `[true, false]` of a checkbox, and the empty text of a text, say nothing more
    return Question(
        key=name,
        title=section.read("title", text_up_to(MAX_TITLE), name),
        type=type_,
        options=options,
        required=section.read("is_required", boolean, False),
        on_leaderboard=section.read("is_on_leaderboard", boolean, False),
    )


def _options(section: Section) -> tuple[str, ...]:
    value = section.take("selection")
    if value is None or value.content == ():
        section.missing("selection", "write what can be selected as a list, such as [CNN, transformer]")
        return ()
    return tuple(dict.fromkeys(option for item in value.items() if (option := accept(item, _option, ""))))


def _option(value: Value) -> str:
    return "" if value.is_null or value.is_empty_text else text_up_to(MAX_OPTION)(value)
