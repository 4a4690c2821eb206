"""Reasons: contributions gathered by the concern that they are about, first what one can act on.

Six columns count overdue orders over six windows; to an agent they are one concern: an order that
has not arrived. A concern's contribution is the sum of its columns', so all concerns and the base
still add up to the score; the column that contributes most in its direction is its feature. A
concern that a person can act on comes before those that nobody can change (tenure, how often
somebody orders, how all customers fare), and it must be true of the customer: a row shows it
(models/risk/evidence.py), and is named.

What has never happened can raise a risk: who has met no error yet may be one who does not bear
them. All of that is one reason, that little is known of this customer; it is told only where
nothing that one can act on raises the risk.

Who has only orders that are open has no other history of orders: all that is known of their
orders is about the open ones, and so is their tenure, if they came with them.

>>> concern_of("orders_overdue_age_days"), concern_of("orders_count_28d"), concern_of("shoe_size")
('open_orders', 'buying', 'shoe_size')
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.risk.evidence import CONCERNS
from models.risk.words import NEW_DAYS, sentence, untested, words_of

Array = npt.NDArray[np.float64]

AGE = "customers_since_first_days"
TENURE = "tenure"
NOTHING = 0.005
AMOUNT = re.compile(r"_(?:count|sum|now|distinct)(?=_|$)")
ABOUT = (
    (TENURE, r"customers_"),
    ("lots", r".*lot_trouble|.*goods_complaints"),
    ("products", r".*product_complaints|(product|category|ticket_product)_"),
    ("everybody", r"all_"),
    ("open_orders", r"(open|overdue|due)_|orders_(open|overdue|due|promised|unshipped|not_ship)"),
    ("late_orders", r"orders_(late|delivered_late)"),
    ("refunds", r"orders_(returned|refunded|awaiting)"),
    ("cancellations", r"orders_cancelled"),
    ("platform", r"platform_|usage_errors_expected"),
    ("errors", r"usage_(with_)?errors"),
    ("payments", r"usage_payment"),
    ("releases", r"usage_release"),
    ("texts", r"(tickets|feedback)_(text|written|negative|complaining)"),
    ("open_tickets", r"tickets_(complaint_open|open|unanswered|live_unanswered|reopened)"),
    ("complaints", r"tickets_complaint"),
    ("ratings", r"tickets_(unhappy_)?csat"),
    ("bots", r"bot_(not_contained|handed_over)"),
    ("pages", r"articles_unhelpful"),
    ("reviews", r"feedback_"),
    ("topic", r"ticket_topic_"),
    ("channel", r"(preferred_)?channel_"),
    ("region", r"region_"),
    ("plan", r"plan_"),
    ("carrier", r"carrier_"),
    ("buying", r"orders_|items_"),
    ("using", r"usage_"),
    ("contacts", r"tickets_"),
    ("bot_use", r"bot_"),
    ("reading", r"articles_"),
    ("outreach", r"treatments_"),
)
"""Concern, and the beginning of the names that are about it; the first that fits holds."""


@lru_cache(maxsize=4096)
def concern_of(name: str) -> str:
    """What a feature is about; its own name where no concern fits."""
    return next((concern for concern, begin in ABOUT if re.match(begin, name)), name)


def reasons(
    columns: Sequence[str],
    cards: Mapping[str, Mapping[str, Any]],
    features: pd.DataFrame,
    amounts: Array,
    top: int | None,
    language: str = "en",
    categories: Mapping[str, Sequence[str]] = MappingProxyType({}),
    behind: Sequence[Mapping[str, str]] | None = None,
) -> list[list[dict[str, Any]]]:
    """Per row its concerns: those that one can act on, then the others, each by contribution.

    ``amounts``: rows × ``columns``, log odds. With ``top`` only that many, and only concerns that
    raise the risk; with None every one that moves it at all. Each is ``feature`` (the column that
    leads the concern), ``value`` (None if not known), ``text`` (in ``language``), ``contribution``
    (the concern's). ``behind``: per row what its own rows say of a concern (evidence.py); without,
    a concern is true where a feature of it is not 0. Of a column in ``categories`` (the values
    that the model learned from) any other value is said to be new.
    """
    names = [concern_of(name) for name in columns]
    concerns = list(dict.fromkeys(names))
    members = [[at for at, name in enumerate(names) if name == each] for each in concerns]
    totals = np.column_stack([amounts[:, of].sum(axis=1) for of in members])
    _fold(totals, concerns, features)
    values = {name: features[name].tolist() for name in columns}
    ages = features[AGE].tolist() if AGE in features else [None] * len(features)
    new = words_of(language)["new"]
    found = []
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
            there = [name for name in raising if not _is_nothing(name, _plain(values[name][row]))]
            name = (there or by_amount)[0]
            value = _plain(values[name][row])
            said = (shown or {}).get(concern) or ""
            is_true = concern in CONCERNS and bool(said if shown is not None else there)
            text = said or sentence(name, value, language, cards.get(name), concern)
            if name in categories and value is not None and str(value) not in categories[name]:
                text += new
            reason = {"feature": name, "value": value, "text": text, "contribution": float(own[at])}
            if own[at] > 0 and is_true:
                act.append(reason)
            else:
                (rest if own[at] < 0 or there else empty).append(reason)
        # how long somebody is a customer, or that little is known, is told for want of better
        hidden = [r for r in rest if concern_of(r["feature"]) == TENURE and r["contribution"] > 0]
        if empty:
            age = _plain(ages[row])
            text = untested(age if isinstance(age, float | int) else None, language)
            little = sum(reason["contribution"] for reason in empty)
            first = max(empty, key=lambda reason: reason["contribution"])
            hidden.append({**first, "text": text, "contribution": little})
            rest.append(hidden[-1])
        if act and top is not None:
            rest = [reason for reason in rest if reason not in hidden]
        for part in (act, rest):
            part.sort(key=lambda reason: -reason["contribution"])
        found.append([*act, *rest][:top])
    return found


def _fold(totals: Array, concerns: Sequence[str], features: pd.DataFrame) -> None:
    """What is known of all orders moved to the open ones where a customer has no others, and the
    tenure of those who came with them; never where the open orders would cease to raise the risk.
    """
    place = {concern: at for at, concern in enumerate(concerns)}
    if "open_orders" not in place or not {"orders_count", "orders_open_now"} <= set(features):
        return
    count = features["orders_count"].to_numpy(dtype=np.float64)
    alone = (count > 0) & (count == features["orders_open_now"].to_numpy(dtype=np.float64))
    came_with = np.zeros(len(features), dtype=bool)
    if {AGE, "orders_since_first_days"} <= set(features):
        before = (features[AGE] - features["orders_since_first_days"]).to_numpy(dtype=np.float64)
        came_with = alone & (np.abs(before) <= 1)
    for concern, who in (("buying", alone), (TENURE, came_with)):
        if concern in place:
            into, out = totals[:, place["open_orders"]], totals[:, place[concern]]
            moved = np.where(who & (into + out > 0), out, 0.0)
            into += moved
            out -= moved


def _is_nothing(name: str, value: object) -> bool:
    """Whether it is about what is not there: a value that is not known, an amount of 0 (or so
    small that nobody would say it happened), few days as a customer; of what one can act on also
    any other 0, and a rate drawn to that of all."""
    if value is None:
        return not name.startswith("customer_")
    if not isinstance(value, int | float):
        return False
    if name == AGE:
        return value <= NEW_DAYS
    own = concern_of(name) in CONCERNS
    drawn = own and ("_daily_rate" in name or "_shrunk" in name)
    return drawn or ((own or bool(AMOUNT.search(name))) and abs(value) < NOTHING)


def _plain(value: object) -> object:
    """The value as JSON can hold it."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value
