"""Reasons: contributions gathered into what a person would call one cause.

Six columns count overdue orders over six windows; to an agent that is one reason. Columns belong
together when their names say the same subject: a name is ``source_filter_..._operation_window``
(features/language.py), so its subject is what is left without operation and window. A group's
contribution is the sum of its columns', so all groups and the base still add up to the score; the
column that contributes most in the group's direction speaks for it.

What has never happened can raise a risk: who has borne no error yet may be one who does not bear
them. "0 errors" is no reason to an agent; all groups that raise the risk by something that is not
there are one reason: little is known of this customer yet.

>>> subject("tickets_complaint_count_28d"), subject("tickets_complaint_since_last_days")
('tickets_complaint', 'tickets_complaint')
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.lexicon import FORMS
from models.risk.words import NEW_DAYS, sentence, subject, untested

Array = npt.NDArray[np.float64]

AGE = "customers_since_first_days"
NOTHING = 0.005
AMOUNT = re.compile(r"_(?:count|sum|now)(?=_|$)")


def reasons(
    columns: Sequence[str],
    cards: Mapping[str, Mapping[str, Any]],
    features: pd.DataFrame,
    amounts: Array,
    top: int | None,
    language: str = "en",
    categories: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> list[list[dict[str, Any]]]:
    """Per row its groups, those that raise the risk most first.

    ``amounts``: rows × ``columns``, log odds. With ``top`` only that many, and only groups that
    raise the risk; with None every group that moves it at all. Each is ``feature`` (the column that
    speaks for the group), ``value`` (None if not known), ``text`` (in
    ``language``, models/risk/words.py), ``contribution`` (the group's). Of a column in
    ``categories`` (the values that the model learned from) any other value is said to be new.
    """
    names = [str(cards.get(name, {}).get("group") or subject(name)) for name in columns]
    groups = list(dict.fromkeys(names))
    position = {group: at for at, group in enumerate(groups)}
    of_column = np.array([position[name] for name in names], dtype=np.int64)
    totals = np.zeros((len(amounts), len(groups)))
    for at, group in enumerate(of_column):
        totals[:, group] += amounts[:, at]
    of_group = [np.flatnonzero(of_column == group) for group in range(len(groups))]
    counted = {name for name in columns if AMOUNT.search(name)}
    values = {name: features[name].tolist() for name in columns}
    found: list[list[dict[str, Any]]] = []
    for row in range(len(amounts)):
        order = np.argsort(-totals[row], kind="stable")
        chosen = [g for g in order if totals[row, g] > 0 or (top is None and totals[row, g] != 0)]
        said: list[dict[str, Any]] = []
        missing: dict[str, Any] | None = None
        for group in chosen:
            members = of_group[group]
            own = amounts[row, members]
            speaker = members[own.argmax() if totals[row, group] > 0 else own.argmin()]
            name = columns[speaker]
            reason = {
                "feature": name,
                "value": _plain(values[name][row]),
                "text": "",
                "contribution": float(totals[row, group]),
            }
            if reason["contribution"] > 0 and _is_nothing(name, reason["value"], name in counted):
                if missing is not None:
                    missing["contribution"] += reason["contribution"]
                    continue
                missing = reason
            said.append(reason)
        said.sort(key=lambda one: -one["contribution"])
        for reason in said[:top]:
            name, value = reason["feature"], reason["value"]
            if reason is missing:
                age = _plain(values[AGE][row]) if AGE in values else None
                reason["text"] = untested(age if isinstance(age, float | int) else None, language)
                continue
            reason["text"] = sentence(name, value, language, cards.get(name))
            if name in categories and value is not None and str(value) not in categories[name]:
                reason["text"] += FORMS[language]["new"]
        found.append(said[:top])
    return found


def _is_nothing(name: str, value: object, counted: bool) -> bool:
    """Whether it is about what is not there: a number that is not known, an amount of 0 (or so
    small that nobody would say it happened), few days as a customer; ``counted``: is it an amount.
    """
    if value is None:
        return not name.startswith("customer_")
    if not isinstance(value, int | float):
        return False
    if name == AGE:
        return value <= NEW_DAYS
    return counted and abs(value) < NOTHING


def _plain(value: object) -> object:
    """The value as JSON can hold it."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
