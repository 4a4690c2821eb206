"""A feature's value as a sentence, in English, Spanish and Norwegian.

A feature's name is ``source_filter..._operation_window`` (features/language.py). Its subject has a
singular and a plural in every language, its operation a form; what a language has no words for is
said by the name's own words. Shares are said in percent.

>>> sentence("tickets_complaint_count_28d", 3.0)
'3 complaints in 28 days'
>>> sentence("orders_overdue_now", 1.0, "es"), sentence("orders_overdue_now", 2.0, "no")
('1 pedido atrasado ahora', '2 forsinkede ordrer nå')
>>> sentence("region_orders_overdue_share_now", 0.41)
'41 % of open orders in this region are overdue'
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from data.errors import UsageError
from models.risk.lexicon import ENDINGS, FORMS, LANGUAGES, LITTLE, SUBJECTS, WHOLE
from models.risk.phrases import PHRASES

WINDOW = re.compile(r"_(?:next_)?(\d+)(d|h|min)(?=_|$)")
_OPERATIONS = (
    "since_last_days", "since_first_days", "gap_elapsed", "gap_days", "age_days", "count", "sum",
    "mean", "share", "distinct", "largest", "smallest", "last", "rate", "now", "over",
)  # fmt: skip
_CALLED = {"tickets_complaint": "complaints", "usage": "uses", "usage_errors": "errors met"}
"""Subjects whose usual English word is another than filter and source."""
NEW_DAYS = 90
"""A customer of fewer days is a new one."""


def subject(name: str) -> str:
    """What the feature is about: its name without windows and operations."""
    left = WINDOW.sub("", name)
    for operation in _OPERATIONS:
        left = re.sub(rf"_{operation}(?=_|$)", "", left)
    return left or name


def language_of(wanted: str | None) -> str:
    """The language of ours that a BCP 47 tag asks for; English for what we do not speak.

    >>> language_of("es-MX"), language_of("nb"), language_of("fr"), language_of(None)
    ('es', 'no', 'en', 'en')
    """
    start = (wanted or "en").lower().split("-")[0]
    start = "no" if start in ("nb", "nn") else start
    return start if start in LANGUAGES else "en"


def sentence(
    name: str, value: object, language: str = "en", card: Mapping[str, Any] | None = None
) -> str:
    """The value of a feature in plain words; where English has no words for what it is about, by
    the note of its card.

    Raises UsageError for a language that is not one of ``LANGUAGES``.
    """
    if language not in LANGUAGES:
        raise UsageError(f"no language {language!r}; reasons are told in {', '.join(LANGUAGES)}")
    forms = FORMS[language]
    said = spoken(value, language)
    note = str((card or {}).get("note") or "").strip().rstrip(".")
    window = WINDOW.search(name)
    within = forms["within"].format(window[1], forms[window[2]]) if window else ""
    bare = WINDOW.sub("", name)
    whole = WHOLE[language].get(bare) or PHRASES.get(language, {}).get(bare)
    if whole is not None:
        return whole.format(said=said, percent=_percent(value, language), within=within)
    of = subject(name)
    if note and language == "en" and of not in SUBJECTS["en"]:
        return f"{note}: {said}"
    one, many = _nouns(of, language)
    for ending in ENDINGS:
        if re.search(rf"_{ending}(?=_|$)", name):
            counted = f"{said} {one if said == '1' else many}"
            if ending == "count" and not window:
                counted += forms["so_far"]
            share = _percent(value, language) if ending == "share" else said
            return forms[ending].format(
                said=share, of=many, one=one, within=within, counted=counted
            )
    return f"{many}{within}: {said}"


def untested(days: float | None, language: str = "en") -> str:
    """That little is known of a customer of so many days (None: not known).

    >>> untested(1.32)
    'customer for 1.3 days: little is known yet'
    """
    new, old = LITTLE[language]
    if days is None or not days <= NEW_DAYS:
        return old
    return new.format(said=spoken(round(days, 1), language))


def spoken(value: object, language: str = "en") -> str:
    """A value as a person would write it; what is not known says so."""
    forms = FORMS[language]
    if value is None or value is pd.NA:
        return forms["unknown"]
    if isinstance(value, bool | np.bool_):
        return forms["yes"] if value else forms["no"]
    if isinstance(value, int | float | np.integer | np.floating):
        number = float(value)
        if math.isnan(number):
            return forms["unknown"]
        told = f"{number:.0f}" if number.is_integer() or abs(number) >= 100 else f"{number:.3g}"
        return told if language == "en" else told.replace(".", ",")
    return str(value)


def _percent(value: object, language: str) -> str:
    if isinstance(value, int | float | np.integer | np.floating) and not math.isnan(float(value)):
        return f"{100 * float(value):.0f} %"
    return spoken(value, language)


def _nouns(of: str, language: str) -> tuple[str, str]:
    """One and many of a subject."""
    found = SUBJECTS[language].get(of)
    if found is not None:
        return found
    if of in _CALLED:
        return _CALLED[of].removesuffix("s"), _CALLED[of]
    first, _, rest = of.partition("_")
    many = f"{rest.replace('_', ' ')} events" if first == "usage" and rest else first
    if first != "usage" and rest:
        many = f"{rest.replace('_', ' ')} {first}"
    return many[:-1] if many.endswith("s") else many, many
