"""Says a sentence of `palio.core` in the reader's language."""

from django.utils.translation import get_language, gettext, ngettext

from palio.core.sentences import Figure, Sentence
from palio.web.language.middleware import ENGLISH
from palio.web.language.numbers import figure


def said(text: str) -> str:
    """Text that does not remember how it was made stays as it is."""
    if (get_language() or ENGLISH) == ENGLISH:
        return str(text)
    if isinstance(text, Figure):
        return figure(text)
    if not isinstance(text, Sentence):
        return text
    form = ngettext(text.form, text.plural, text.number) if text.plural else gettext(text.form)
    return form % {name: said(fact) for name, fact in text.facts.items()}
