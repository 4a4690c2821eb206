"""A feature's value, or a row, as a sentence in the agent's language (data/languages).

How a value is said stands on its feature's card, which is read off the definition
(features/concerns.py): a count has a noun, of the rest the concern that it is about is said, and
what belongs to none is said by the note of its definition.

>>> from features.orders import OVERDUE
>>> sentence(OVERDUE.card(), 1.0), sentence(OVERDUE.card(), 2.0, "es")
('1 overdue order now', '2 pedidos atrasados ahora')
>>> sentence({"note": "the customer's shoe size"}, 44.5, "es")
"the customer's shoe size: 44,5"
>>> say("undelivered", "no", id="A17", when=date(2026, 7, 8), days=38, today=date(2026, 8, 15))
'Ordre A17 av 8. juli er ikke kommet fram (38 dager)'
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from data.languages.catalogue import catalogue, locale_of
from models.risk.lexicon import ATTRIBUTES, CONCERNS, NOUNS, SENTENCES

NEW_DAYS = 90
"""A customer of fewer days is a new one."""


def phrase(key: str, language: str = "en") -> str:
    """A sentence of the lexicon, its places still open."""
    return catalogue(language).gettext(SENTENCES[key])


def sentence(card: Mapping[str, Any], value: object, language: str = "en") -> str:
    """The value of a feature in plain words.

    Parameters
    ----------
    card
        The feature's: of its keys ``wording``, ``concern``, ``note`` and ``name`` the first that
        says it is used.
    value
        The feature's value; None or NaN for what is not known.
    language
        One of ``data.languages.catalogue.languages()``.

    Raises
    ------
    UsageError
        For a language that is not ours.
    """
    translated = catalogue(language).gettext
    wording = card.get("wording") or {}
    form, noun = wording.get("form"), wording.get("noun", "")
    number = float(value) if isinstance(value, int | float) else math.nan
    if form == "amount" and noun in NOUNS and math.isfinite(number):
        return _counted(number, noun, wording["span"], language)
    if form == "latest" and noun in NOUNS and math.isfinite(number):
        days = amount(round(number), "day", language)
        one = catalogue(language).ngettext(noun, NOUNS[noun], 1)
        return phrase("latest", language).format(one=one, days=days)
    if card.get("concern") in CONCERNS:
        return translated(CONCERNS[card["concern"]])
    note = str(card.get("note") or str(card.get("name", "")).replace("_", " "))
    if form == "attribute" and noun in ATTRIBUTES:
        note = translated(ATTRIBUTES[noun])
    return f"{note}: {spoken(value, language)}"


def _counted(value: float, noun: str, span: str | float, language: str) -> str:
    """So many in so many days or hours, now, or so far."""
    what = amount(value, noun, language)
    if isinstance(span, str):
        return phrase(span, language).format(amount=what)
    unit, length = ("hour", span) if span % 24 else ("day", span / 24)
    return phrase("within", language).format(amount=what, span=amount(length, unit, language))


def untested(days: float | None, language: str = "en") -> str:
    """That little is known of a customer of so many days (None: not known).

    >>> untested(1.32)
    'customer for 1 day: little is known yet'
    """
    if days is None or not days <= NEW_DAYS:
        return phrase("quiet_customer", language)
    whole = amount(max(1, round(days)), "day", language)
    return phrase("new_customer", language).format(days=whole)


def say(key: str, language: str, *, today: date, **parts: Any) -> str:
    """A sentence of the lexicon: dates as that language writes them, with a year that is not
    today's; ``days`` as a count of days, which goes without saying in brackets where it is 0."""
    values: dict[str, Any] = {
        name: _day(part, part.year != today.year, language) if isinstance(part, date) else part
        for name, part in parts.items()
    }
    template = phrase(key, language)
    if not values.get("days"):
        template = template.replace(" ({days})", "")
    values["days"] = amount(values.get("days", 0), "day", language)
    return template.format(**values)


def amount(value: float, noun: str, language: str = "en") -> str:
    """So many of a noun of the lexicon.

    >>> amount(2, "hour", "no")
    '2 timer'
    """
    many = 1 if value == 1 else max(2, math.ceil(abs(value)))  # half an order: "0.5 orders"
    return f"{spoken(value, language)} {catalogue(language).ngettext(noun, NOUNS[noun], many)}"


def spoken(value: object, language: str = "en") -> str:
    """A value as a person would write it, three digits of what is below 100 and no whole number;
    what is not known says so.

    >>> spoken(12345.6), spoken(0.25432, "es"), spoken(None, "no")
    ('12,346', '0,254', 'ikke kjent')
    """
    from babel.numbers import format_decimal

    if value is None or value is pd.NA:
        return phrase("unknown", language)
    if isinstance(value, bool | np.bool_):
        return phrase("yes" if value else "no", language)
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if not math.isfinite(number):
            return phrase("unknown", language)
        whole = number.is_integer() or abs(number) >= 100
        return format_decimal(number, "#,##0" if whole else "@##", locale=locale_of(language))
    return str(value)


@lru_cache(maxsize=4096)
def _day(day: date, with_year: bool, language: str) -> str:
    from babel.dates import format_date, format_skeleton

    locale = locale_of(language)
    if with_year:
        return format_date(day, "long", locale=locale)
    return format_skeleton("MMMMd", day, locale=locale)
