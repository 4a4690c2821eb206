"""A feature's value, or a row, as a sentence in English, Spanish or Norwegian.

A feature's name is ``subject_operation_window`` (features/naming.py). What is counted has a noun in
every language; of the rest the concern that it is about is said (models/risk/reasons.py), and what
belongs to none is said by the note of its definition.

>>> sentence("tickets_complaint_count_28d", 3.0), sentence("orders_overdue_now", 1.0, "es")
('3 complaints in 28 days', '1 pedido atrasado ahora')
>>> sentence("customer_shoe_size", 44.0, card={"note": "the customer's shoe size"})
"the customer's shoe size: 44"
>>> say("undelivered", "no", id="A17", when=date(2026, 7, 8), days=38, today=date(2026, 8, 15))
'Ordre A17 av 8. juli er ikke kommet fram (38 dager)'
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from data.errors import UsageError
from models.risk.lexicon import LOCALES, WORDS

UNITS = {"d": "day", "h": "hour"}
COUNTED = re.compile(r"(?P<noun>\w+?)_(?:count|sum|now)(?:_(?P<span>\d+)(?P<unit>d|h))?")
LATEST = re.compile(r"(?P<noun>\w+)_since_last_days")
NEW_DAYS = 90
"""A customer of fewer days is a new one."""


def language_of(wanted: str | None) -> str:
    """The language of ours that a BCP 47 tag asks for; English for what we do not speak.

    >>> language_of("es-MX"), language_of("nb"), language_of("fr"), language_of(None)
    ('es', 'no', 'en', 'en')
    """
    start = (wanted or "en").lower().split("-")[0]
    start = "no" if start in ("nb", "nn") else start
    return start if start in WORDS else "en"


def words_of(language: str) -> Mapping[str, str]:
    """A language's table; UsageError for one that is not ours."""
    if language not in WORDS:
        raise UsageError(f"no language {language!r}; reasons are told in {', '.join(WORDS)}")
    return WORDS[language]


def sentence(
    name: str,
    value: object,
    language: str = "en",
    card: Mapping[str, Any] | None = None,
    concern: str = "",
) -> str:
    """The value of a feature in plain words; ``concern``: what it is about, if that is known.

    Raises UsageError for a language that is not one of ``WORDS``.
    """
    words = words_of(language)
    counted, latest = COUNTED.fullmatch(name), LATEST.fullmatch(name)
    if counted and counted["noun"] in words and isinstance(value, int | float):
        span = counted["span"]
        within = words["now" if name.endswith("_now") else "so_far"]
        if span:
            within = words["within"].format(
                span=amount(int(span), UNITS[counted["unit"]], language)
            )
        return amount(value, counted["noun"], language) + within
    if latest and latest["noun"] in words and isinstance(value, int | float) and value == value:
        one = words[latest["noun"]].split("|")[0]
        return words["latest"].format(one=one, days=amount(round(value), "day", language))
    if concern in words and concern != name:
        return words[concern]
    note = str((card or {}).get("note") or name.replace("_", " "))
    return f"{words.get(name, note)}: {spoken(value, language)}"


def untested(days: float | None, language: str = "en") -> str:
    """That little is known of a customer of so many days (None: not known).

    >>> untested(1.32)
    'customer for 1 day: little is known yet'
    """
    words = words_of(language)
    if days is None or not days <= NEW_DAYS:
        return words["quiet_customer"]
    return words["new_customer"].format(days=amount(max(1, round(days)), "day", language))


def say(key: str, language: str, *, today: date, **parts: Any) -> str:
    """A sentence of the lexicon: dates as that language writes them, with a year that is not
    today's; ``days`` as a count of days, which goes without saying in brackets where it is 0."""
    said: dict[str, Any] = {
        name: _day(part, part.year != today.year, language) if isinstance(part, date) else part
        for name, part in parts.items()
    }
    template = words_of(language)[key]
    if not said.get("days"):
        template = template.replace(" ({days})", "")
    said["days"] = amount(said.get("days", 0), "day", language)
    return template.format(**said)


def amount(value: float, noun: str, language: str = "en") -> str:
    """So many of something.

    >>> amount(2, "hour", "no")
    '2 timer'
    """
    one, _, many = words_of(language)[noun].partition("|")
    return f"{spoken(value, language)} {one if value == 1 else many}"


def spoken(value: object, language: str = "en") -> str:
    """A value as a person would write it; what is not known says so."""
    words = words_of(language)
    if value is None or value is pd.NA:
        return words["unknown"]
    if isinstance(value, bool | np.bool_):
        return words["yes" if value else "no"]
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if math.isnan(number):
            return words["unknown"]
        said = f"{number:.0f}" if number.is_integer() or abs(number) >= 100 else f"{number:.3g}"
        return said if language == "en" else said.replace(".", ",")
    return str(value)


@lru_cache(maxsize=4096)
def _day(day: date, with_year: bool, language: str) -> str:
    from babel.dates import format_date

    pattern = WORDS[language]["date_with_year" if with_year else "date"]
    return format_date(day, pattern, locale=LOCALES[language])
