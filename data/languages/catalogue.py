"""A language's words: a gettext catalogue, read as it is written, so nothing is compiled or built.

English is what the code says. To add a language, add ``<tag>.po`` here; its header says the locale
that dates and numbers follow and how its plurals go.

>>> languages()
('en', 'es', 'no')
>>> catalogue("es").ngettext("complaint", "complaints", 2)
'quejas'
>>> language_of("es-MX"), language_of("nb"), language_of("fr"), language_of(None)
('es', 'no', 'en', 'en')
"""

from __future__ import annotations

from functools import lru_cache
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from data.errors import UsageError

ENGLISH = "en"
FOLDER = Path(__file__).parent
ALSO = {"nb": "no", "nn": "no"}
"""Tags that another language's catalogue serves."""


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The tags of all languages, English first."""
    return (ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po")))


def speaks(wanted: str) -> bool:
    """Whether a BCP 47 tag asks for one of our languages."""
    return _language(wanted) in languages()


def language_of(wanted: str | None) -> str:
    """The language of ours that a BCP 47 tag asks for; English for what we do not speak."""
    return _language(wanted) if wanted and speaks(wanted) else ENGLISH


@lru_cache(maxsize=32)
def catalogue(language: str) -> NullTranslations:
    """The translations of English messages, which stand as they are where a language has none.

    Raises UsageError for a language that is not ours. Its ``info()["language"]`` is the locale.
    """
    if language not in languages():
        known = ", ".join(languages())
        raise UsageError(f"no language {language!r}; reasons are written in {known}")
    if language == ENGLISH:
        english = NullTranslations()
        english.info()["language"] = "en_GB"
        return english
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=None)
    compiled = BytesIO()
    write_mo(compiled, messages)
    compiled.seek(0)
    return Translations(compiled)


def page_words(language: str) -> dict[str, str | list[str]]:
    """Every message of a language for the planners' page: its text, or its singular and plural.

    >>> page_words("es")["day"], page_words("en")
    (['día', 'días'], {})
    """
    if language == ENGLISH:
        return {}
    from babel.messages.pofile import read_po

    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = read_po(file, locale=None)
    words: dict[str, str | list[str]] = {}
    for one in messages:
        if isinstance(one.id, tuple | list):
            words[one.id[0]] = [str(text) for text in one.string or ()]
        elif one.id and one.string:
            words[one.id] = str(one.string)
    return words


def locale_of(language: str) -> str:
    """The CLDR locale whose dates and numbers a language uses."""
    return str(catalogue(language).info()["language"])


def _language(wanted: str) -> str:
    start = wanted.lower().replace("_", "-").split("-")[0]
    return ALSO.get(start, start)
