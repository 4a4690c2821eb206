"""Each table, cut as of a moment, as columns: positions, local days, microseconds.

>>> import pandas as pd
>>> numbers(pd.Series(["c000012", None])).tolist()
[12, -1]
>>> places(pd.Series(["phone", "letter"]), CHANNELS).tolist()
[0, -1]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from data.arrays import Ints
from data.simulate.rates import (
    CARRIERS,
    CHANNELS,
    LANGUAGES,
    PLANS,
    PLATFORMS,
    REGIONS,
    SEGMENTS,
    TOPICS,
)
from data.simulate.state import FAR
from data.simulate.texts import PER_CELL, pool
from data.simulate.timeline import HOUR, NEVER, Timeline

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, Any]
DAY = 24 * HOUR
DEFECT, RETURNS = TOPICS.index("defect"), TOPICS.index("returns")


@dataclass(frozen=True)
class Days:
    """From moments to local days: ``FAR`` for what has not happened by ``now``."""

    line: Timeline
    now: int

    def ahead(self, times: pd.Series) -> Ints:
        """The day of moments that may lie ahead: promises are known from birth."""
        return np.searchsorted(self.line.midnight, micros(times), "right") - 1

    def __call__(self, times: pd.Series) -> Ints:
        """The day of what has happened."""
        return np.where(micros(times) >= self.now, FAR, self.ahead(times))


@cache
def _topic_of_text() -> dict[str, int]:
    return {text: k // (2 * len(LANGUAGES) * PER_CELL) for k, text in enumerate(pool()[:-1])}


def micros(times: pd.Series) -> Ints:
    """UTC microseconds, ``NEVER`` where null."""
    values = times.to_numpy().astype("datetime64[us]")
    moments: Ints = values.astype(np.int64)
    return np.where(np.isnat(values), NEVER, moments)


def numbers(ids: pd.Series) -> Ints:
    """The number of each id such as ``c000012``; -1 where null."""
    return ids.str[1:].fillna("-1").astype(np.int64).to_numpy()


def places(words: pd.Series, table: tuple[str, ...]) -> Ints:
    """The position of each word in its list; -1 where null."""
    positions: Ints = words.map({w: k for k, w in enumerate(table)}).fillna(-1).to_numpy(np.int64)
    return positions


def customers(rows: pd.DataFrame, days: Days, at: Any) -> Columns:
    """Who they are: attributes of the first version, days of signing up and closing."""
    email = rows["email_consent"]
    return {
        "id": rows["customer_id"].to_numpy(dtype=object),
        "signed_up": days(rows["signed_up_at"]),
        "closed": days(rows["closed_at"].where(rows["closed_at"] < at)),
        "plan": places(rows["plan"], PLANS),
        "region": places(rows["region"], REGIONS),
        "segment": places(rows["segment"], SEGMENTS),
        "platform": places(rows["platform"], PLATFORMS),
        "language": places(rows["language"], LANGUAGES),
        "channel": places(rows["preferred_channel"], CHANNELS),
        "may_email": email.eq(True).to_numpy(dtype=bool, na_value=False)
        & ~rows["do_not_contact"].to_numpy(dtype=bool),
    }


def orders(rows: pd.DataFrame, region: Ints, versions: Columns, days: Days) -> Columns:
    """In order of placing; ``region``: where the customer lived then."""
    who = numbers(rows["customer_id"])
    ordered = days(rows["ordered_at"])
    lived = region[who]
    now = region.copy()
    for c, day, new in zip(versions["customer"], versions["day"], versions["region"], strict=True):
        if new != now[c]:
            lived[(who == c) & (ordered > day)] = now[c] = new
    columns = {
        "id": rows["order_id"].to_numpy(dtype=object),
        "customer": who,
        "product": numbers(rows["product_id"]),
        "carrier": places(rows["carrier"], CARRIERS),
        "region": lived,
        "ordered": ordered,
        "promised": days.ahead(rows["promised_at"]),
        "delivered_at": micros(rows["delivered_at"]),
        "promised_at": micros(rows["promised_at"]),
    }
    for name in ("shipped", "delivered", "cancelled", "returned"):
        columns[name] = days(rows[f"{name}_at"])
    order = np.lexsort((columns["customer"], columns["ordered"]))
    return {name: values[order] for name, values in columns.items()}


FOLLOWS_WITHIN = HOUR // 6
"""A ticket that an article did not spare is opened so long after it at most."""
CLOSED_AFTER = 3 * DAY
"""A lost contact is closed so long after it was lost (``Rates.abandoned_closed_days``)."""


def tickets(rows: pd.DataFrame, days: Days) -> Columns:
    """People's tickets. The topic is that of the text where there is one: some are misfiled."""
    rows = rows[~rows["is_machine"].fillna(False).astype(bool)]
    topic = places(rows["topic"], TOPICS)
    read = rows["text"].map(_topic_of_text())
    topic = np.where(read.notna(), read.fillna(0), topic).astype(np.int64)
    number, issue = numbers(rows["ticket_id"]), numbers(rows["issue_id"])
    channel = places(rows["channel"], CHANNELS)
    response = micros(rows["first_response_at"])
    resolved = micros(rows["resolved_at"])
    lost = (response == NEVER) & np.isin(channel, (0, 2))
    return {
        "key": number,
        "customer": numbers(rows["customer_id"]),
        "day": days(rows["opened_at"]),
        "opened": micros(rows["opened_at"]),
        "channel": channel,
        "topic": topic,
        "complaint": rows["is_complaint"].to_numpy(dtype=bool),
        "issue": issue,
        "order": rows["order_id"].to_numpy(dtype=object),
        "response": response,
        "resolved": resolved,
        "reopened": micros(rows["reopened_at"]),
        "handle": rows["handle_seconds"].where(rows["resolved_at"].notna()).to_numpy(np.float64),
        "csat": rows["csat"].to_numpy(np.float64),
        "csat_at": micros(rows["csat_at"]),
        "csat_day": days(rows["csat_at"]),
        "lost": lost,
        "lost_at": np.where(resolved < NEVER, resolved - CLOSED_AFTER, micros(rows["opened_at"])),
    }


def self_service(cut: Mapping[str, Any], tickets: Columns, days: Days) -> tuple[Columns, Columns]:
    """What bots and articles left unanswered, and every question, by customer and day."""
    bots, views = cut["bot_sessions"], cut["article_events"]
    alone = bots[bots["handed_over_at"].isna()]
    inquiries = ~tickets["complaint"] & (tickets["customer"] >= 0)
    who, at = numbers(views["customer_id"]), micros(views["viewed_at"])
    recent: dict[int, list[int]] = {}
    for c, moment in zip(tickets["customer"][inquiries], tickets["opened"][inquiries], strict=True):
        recent.setdefault(int(c), []).append(int(moment))
    followed = np.array(
        [
            any(0 <= m - t <= FOLLOWS_WITHIN for m in recent.get(c, ()))
            for c, t in zip(who, at, strict=True)
        ],
        dtype=bool,
    )
    article = numbers(views["article_id"]) // (2 * len(LANGUAGES))
    helped = views["helpful"].to_numpy(dtype=bool)
    bot_topic, bot_day = places(alone["topic"], TOPICS), days(alone["started_at"])
    bot_failed = ~alone["contained"].fillna(False).to_numpy(dtype=bool)
    left = ~followed & ~helped
    view_day = days(views["viewed_at"])
    bot_who = numbers(alone["customer_id"])
    up = {
        "customer": np.concatenate([bot_who[bot_failed], who[left]]),
        "day": np.concatenate([bot_day[bot_failed], view_day[left]]),
        "topic": np.concatenate([bot_topic[bot_failed], article[left]]),
    }
    order = np.argsort(up["day"], kind="stable")
    questions = {
        "customer": np.concatenate([tickets["customer"][inquiries], bot_who, who[~followed]]),
        "day": np.concatenate([tickets["day"][inquiries], bot_day, view_day[~followed]]),
    }
    return {name: values[order] for name, values in up.items()}, questions


def reviews(rows: pd.DataFrame) -> Columns:
    """Ratings, and the topic that a text is about (-1: no text)."""
    return {
        "customer": numbers(rows["customer_id"]),
        "product": numbers(rows["product_id"]),
        "given_at": micros(rows["given_at"]),
        "rating": rows["rating"].to_numpy(np.float64),
        "topic": rows["text"].map(_topic_of_text()).fillna(-1).to_numpy(np.int64),
    }


def treatments(rows: pd.DataFrame, days: Days) -> Columns:
    """Whom the company considered, contacted, with which action."""
    return {
        "customer": numbers(rows["customer_id"]),
        "day": days(rows["treated_at"]),
        "treated": (rows["arm"] == "treat").to_numpy(),
        "drawn": rows["propensity"].notna().to_numpy(),
        "action": rows["action"].to_numpy(dtype=object),
    }
