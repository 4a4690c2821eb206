"""What a customer reads: an action's text in their language, with variables that were checked.

Dates, money and plurals follow the language's own rules (Babel, CLDR). A variable that is missing
or of another kind is refused by name, and so is a text too long for its channel: nobody is sent
"your order {order}". A customer whose language has no text is written to in English.

>>> from datetime import date
>>> values = {"name": "Ana", "order": "A17", "days_late": 1, "new_date": date(2026, 3, 9)}
>>> render("delivery_update", "sms", "es-MX", values).text
'Su pedido A17 lleva 1 día de retraso. Esperamos entregarlo el 9 de marzo de 2026.'
>>> render("delivery_update", "sms", "nb", {**values, "days_late": 3}).text
'Bestillingen A17 er 3 dager forsinket. Vi regner med at du har den innen 9. mars 2026.'
>>> render("delivery_update", "sms", "en", {"order": "A17"})
Traceback (most recent call last):
...
data.errors.DataError: the text of delivery_update by sms in en needs days_late, which is missing
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any

from data.errors import DataError, DefinitionError, did_you_mean
from serving.outreach.actions import CHANNELS, action_named

if TYPE_CHECKING:
    from babel import Locale

LANGUAGES = ("en", "es", "nb")
SAME_AS = {"no": "nb", "nn": "nb"}
FILE = Path(__file__).with_name("texts.toml")

SUBJECT_LENGTH = 78
"""Characters of an e-mail's subject (RFC 5322, 2.1.1: lines should be no longer)."""
LENGTH = {"email": 2000, "phone": 600}
SMS_PARTS = 2
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_TWICE = frozenset("^{}\\[~]|€\f")
"""3GPP TS 23.038: the alphabet of 7 bits, and the characters that take two places of it."""


@dataclass(frozen=True)
class Message:
    """A rendered text; ``subject`` for e-mail only, ``language`` the one it is written in.
    ``good_until``: the first day that it promises (ISO 8601), after which it may not be sent."""

    text: str
    subject: str | None
    language: str
    good_until: str | None = None


def render(
    action: str,
    channel: str,
    language: str | None,
    variables: Mapping[str, object],
    currency: str = "USD",
) -> Message:
    """The text of an action through a channel.

    Parameters
    ----------
    action : a name of ``ACTIONS``.
    channel : one of ``CHANNELS`` that the action goes through.
    language : BCP 47; none or another than ``LANGUAGES``: English.
    variables : ``name`` (optional) and what the text needs: texts, dates, amounts, counts.
    currency : ISO 4217, of amounts.

    Raises DataError naming the variable that is missing or of another kind, or the limit that the
    text passes; DefinitionError for an action or channel that is not there.
    """
    chosen = action_named(action)
    if channel not in chosen.channels:
        raise DefinitionError(
            f"action {chosen.name!r} does not go through {channel!r}; it goes through "
            f"{', '.join(chosen.channels)}.{did_you_mean(channel, CHANNELS)}"
        )
    spoken, locale = _language(language)
    texts = _texts()[chosen.name][spoken]
    where = f"the text of {chosen.name} by {channel} in {spoken}"
    values = {**variables, "greeting": _greeting(spoken, variables.get("name"))}
    template = texts["short"] if channel == "sms" else texts["body"]
    text = _fill(template, values, locale, spoken, currency, where)
    subject = None
    if channel == "email":
        subject = _fill(texts["subject"], values, locale, spoken, currency, where)
        if len(subject) > SUBJECT_LENGTH:
            raise DataError(
                f"{where}: its subject has {len(subject)} characters, more than {SUBJECT_LENGTH}"
            )
    _check_length(text, channel, where)
    named = {
        name
        for part in (template, texts["subject"] if subject else "")
        for _, name, _, _ in Formatter().parse(part)
    }
    promised = [
        value.isoformat() for name in named if isinstance(value := values.get(name or ""), date)
    ]
    return Message(text, subject, spoken, min(promised, default=None))


def sms_parts(text: str) -> int:
    """How many messages an SMS takes: 160 places of 7 bits or 70 of 16, less where it is cut.

    >>> sms_parts("x" * 160), sms_parts("x" * 161), sms_parts("í" * 70), sms_parts("í" * 71)
    (1, 2, 1, 2)
    """
    if all(c in GSM or c in GSM_TWICE for c in text):
        size, whole, part = sum(1 + (c in GSM_TWICE) for c in text), 160, 153
    else:
        size, whole, part = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if size <= whole else -(-size // part)


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text("utf-8"))


def _texts() -> dict[str, dict[str, dict[str, str]]]:
    return {name: each for name, each in _file().items() if name not in ("greeting", "unit")}


def _language(wanted: str | None) -> tuple[str, Locale]:
    from babel import Locale, UnknownLocaleError

    tag = (wanted or "en").replace("_", "-")
    short = tag.split("-")[0].lower()
    spoken = SAME_AS.get(short, short)
    if spoken not in LANGUAGES:
        return "en", Locale("en")
    try:
        return spoken, Locale.parse("-".join([spoken, *tag.split("-")[1:]]), sep="-")
    except (UnknownLocaleError, ValueError):
        return spoken, Locale(spoken)


def _greeting(spoken: str, name: object) -> str:
    words: dict[str, str] = _file()["greeting"][spoken]
    known = " ".join(str(name).split()) if isinstance(name, str) else ""
    return words["named"].replace("{name}", known) if known else words["plain"]


def _fill(
    template: str,
    values: Mapping[str, object],
    locale: Locale,
    spoken: str,
    currency: str,
    where: str,
) -> str:
    parts = []
    for text, name, kind, _ in Formatter().parse(template):
        parts.append(text)
        if name:
            value = values.get(name)
            if value is None or value == "" or value != value:
                raise DataError(f"{where} needs {name}, which is missing")
            parts.append(_written(value, kind or "text", name, locale, spoken, currency, where))
    return "".join(parts)


def _written(
    value: object, kind: str, name: str, locale: Locale, spoken: str, currency: str, where: str
) -> str:
    from babel.dates import format_date
    from babel.numbers import format_currency, format_decimal

    if kind == "text" and isinstance(value, str):
        # one line: what is pasted into a subject must not begin another header
        return " ".join("".join(c if c.isprintable() else " " for c in value).split())
    if kind == "date" and isinstance(value, date):
        return format_date(value, "long", locale)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "money" and number is not None:
        return format_currency(number, currency, locale=locale)
    if kind == "days" and number is not None:
        unit: dict[str, str] = _file()["unit"]["days"][spoken]
        form = unit.get(locale.plural_form(number), unit["other"])
        return form.replace("{n}", format_decimal(number, locale=locale))
    wanted = {"text": "a text", "date": "a date", "money": "an amount", "days": "a count of days"}
    raise DataError(f"{where}: {name} is {value!r}, but must be {wanted[kind]}")


def _check_length(text: str, channel: str, where: str) -> None:
    if channel == "sms":
        parts = sms_parts(text)
        if parts > SMS_PARTS:
            raise DataError(f"{where} would take {parts} SMS, more than {SMS_PARTS}: {text!r}")
    elif len(text) > LENGTH[channel]:
        raise DataError(f"{where} has {len(text)} characters, more than {LENGTH[channel]}")
