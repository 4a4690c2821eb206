"""Reasons: contributions gathered by the concern that they are about, first what one can act on.

Six columns count overdue orders over six windows; to an agent they are one concern: an order that
has not arrived (features/concerns.py, on the features' cards). A concern's contribution is the sum
of its columns', so all concerns and the base still add up to the score; the column that contributes
most in its direction is its feature. A concern that a person can act on comes before those that
nobody can change (tenure, how often somebody orders, how all customers fare), and it must be true
of the customer: a row shows it (models/risk/evidence.py), and is named.

What has never happened can raise a risk: who has met no error yet may be one who does not bear
them. All of that is one reason, that little is known of this customer; it is given only where
nothing that one can act on raises the risk.

Who has only orders that are open has no other history of orders: all that is known of their
orders is about the open ones, and so is their tenure, if they came with them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from data.arrays import Floats
from features.concerns import TENURE
from features.language import count, since_first
from features.orders import OPEN
from features.sources import CUSTOMERS, ORDERS
from models.risk.evidence import CONCERNS
from models.risk.words import NEW_DAYS, phrase, sentence, untested

AGE = since_first(CUSTOMERS).name
ORDERED, OPEN_NOW, FIRST_ORDER = count(ORDERS).name, OPEN.name, since_first(ORDERS).name
NOTHING = 0.005
"""An amount that is smaller is so small that nobody would say it happened."""


def concern_of(name: str, cards: Mapping[str, Mapping[str, Any]]) -> str:
    """What a feature is about, by its card; its own name where that is nothing but itself."""
    return str(cards.get(name, {}).get("concern") or name)


def reasons(
    columns: Sequence[str],
    cards: Mapping[str, Mapping[str, Any]],
    features: pd.DataFrame,
    amounts: Floats,
    top: int | None,
    language: str = "en",
    categories: Mapping[str, Sequence[str]] = MappingProxyType({}),
    behind: Sequence[Mapping[str, str]] | None = None,
) -> list[list[dict[str, Any]]]:
    """Per row its concerns: those that one can act on, then the others, each by contribution.

    Parameters
    ----------
    columns
        The model's features, n of them.
    cards
        The features' cards by name; a feature without one is a concern of its own.
    features
        Their values, m rows.
    amounts
        float64, m x n: each column's contribution in log odds.
    top
        Only so many, of concerns that raise the risk; None: every one that moves it at all.
    language
        What to write in.
    categories
        Per text column the values that the model learned from; any other is said to be new.
    behind
        Per row what its own rows say of a concern (evidence.py); without, a concern is true where
        a feature of it is not 0.

    Returns
    -------
    list
        m lists of ``feature`` (the column that leads the concern), ``value`` (None if not known),
        ``text`` and ``contribution`` (the concern's).
    """
    names = [concern_of(name, cards) for name in columns]
    concerns = list(dict.fromkeys(names))
    members = [[at for at, name in enumerate(names) if name == each] for each in concerns]
    totals = np.column_stack([amounts[:, of].sum(axis=1) for of in members])
    _fold(totals, concerns, features)
    values = _Lists(features)
    ages = features[AGE].tolist() if AGE in features else [None] * len(features)
    every = []
    for row, own in enumerate(totals):
        shown = None if behind is None else behind[row]
        act: list[dict[str, Any]] = []
        rest: list[dict[str, Any]] = []
        empty: list[dict[str, Any]] = []
        for at in np.flatnonzero(own if top is None else own > 0).tolist():
            concern = concerns[at]
            amount = amounts[row, members[at]] * np.sign(own[at])
            by_amount = [
                columns[members[at][place]] for place in np.argsort(-amount, kind="stable")
            ]
            raising = by_amount[: max(1, int((amount > 0).sum()))]
            there = [
                name
                for name in raising
                if not _is_nothing(cards.get(name, {}), _plain(values[name][row]))
            ]
            name = (there or by_amount)[0]
            value = _plain(values[name][row])
            text = (shown or {}).get(concern) or ""
            is_true = concern in CONCERNS and bool(text if shown is not None else there)
            text = text or sentence({"name": name, **cards.get(name, {})}, value, language)
            if name in categories and value is not None and str(value) not in categories[name]:
                text = phrase("new", language).format(text=text)
            reason = {"feature": name, "value": value, "text": text, "contribution": float(own[at])}
            if own[at] > 0 and is_true:
                act.append(reason)
            else:
                (rest if own[at] < 0 or there else empty).append(reason)
        # how long somebody is a customer, or that little is known, is said for want of better
        poor = [
            reason
            for reason in rest
            if concern_of(reason["feature"], cards) == TENURE and reason["contribution"] > 0
        ]
        if empty:
            age = _plain(ages[row])
            text = untested(age if isinstance(age, float | int) else None, language)
            little = sum(reason["contribution"] for reason in empty)
            first = max(empty, key=lambda reason: reason["contribution"])
            poor.append({**first, "text": text, "contribution": little})
            rest.append(poor[-1])
        if act and top is not None:
            rest = [reason for reason in rest if reason not in poor]
        for part in (act, rest):
            part.sort(key=lambda reason: -reason["contribution"])
        every.append([*act, *rest][:top])
    return every


class _Lists(dict[str, list[Any]]):
    """The columns of a frame as lists, made when they are asked for: few of them are shown."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def __missing__(self, name: str) -> list[Any]:
        values = self[name] = self._frame[name].tolist()
        return values


def _fold(totals: Floats, concerns: Sequence[str], features: pd.DataFrame) -> None:
    """What is known of all orders moved to the open ones where a customer has no others, and the
    tenure of those who came with them; never where the open orders would cease to raise the risk.
    """
    place = {concern: at for at, concern in enumerate(concerns)}
    if "open_orders" not in place or not {ORDERED, OPEN_NOW} <= set(features):
        return
    ordered = features[ORDERED].to_numpy(dtype=np.float64)
    alone = (ordered > 0) & (ordered == features[OPEN_NOW].to_numpy(dtype=np.float64))
    came_with = np.zeros(len(features), dtype=bool)
    if {AGE, FIRST_ORDER} <= set(features):
        before = (features[AGE] - features[FIRST_ORDER]).to_numpy(dtype=np.float64)
        came_with = alone & (np.abs(before) <= 1)
    for concern, who in (("buying", alone), (TENURE, came_with)):
        if concern in place:
            into, out = totals[:, place["open_orders"]], totals[:, place[concern]]
            moved = np.where(who & (into + out > 0), out, 0.0)
            into += moved
            out -= moved


def _is_nothing(card: Mapping[str, Any], value: object) -> bool:
    """Whether it is about what is not there: a value that is not known, no amount, few days as a
    customer; of what one can act on also any other 0, and a rate drawn to that of all."""
    form, concern = (card.get("wording") or {}).get("form"), card.get("concern")
    if value is None:
        return form != "attribute"
    if not isinstance(value, int | float):
        return False
    if concern == TENURE:
        return value <= NEW_DAYS
    to_act_on = concern in CONCERNS
    drawn = to_act_on and form == "shrunk"
    return drawn or ((to_act_on or form == "amount") and abs(value) < NOTHING)


def _plain(value: object) -> object:
    """The value as JSON can hold it."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
