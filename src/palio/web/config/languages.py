"""The languages of the pages, by their codes, each named in itself. Translations are in `locale`."""

LANGUAGE_NAMES = {"en": "English", "de": "Deutsch", "fr": "Français"}
