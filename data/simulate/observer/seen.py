"""What the tables show as of a moment, as arrays over customers and local days.

The cut is the contract's: rows born before T and recorded by then, the newest version of each, and
no fact that comes later. Days count from the company's first one; ``FAR`` is a day that has not
come, ``NEVER`` a moment.

>>> import pandas as pd
>>> rows = pd.DataFrame({"order_id": ["o1", "o2"],
...     "ordered_at": pd.to_datetime(["2024-01-02", "2024-01-09"]),
...     "shipped_at": pd.to_datetime(["2024-01-08", "2024-01-10"])})
>>> as_of(rows, np.datetime64("2024-01-05"), "order_id", "ordered_at").values.tolist()
[['o1', Timestamp('2024-01-02 00:00:00'), NaT]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import DataError
from data.simulate.draws import Bools, Floats, Ints
from data.simulate.rates import (
    CARRIERS,
    CHANNELS,
    FEATURES,
    LANGUAGES,
    PLANS,
    PLATFORMS,
    REGIONS,
    SEGMENTS,
    TOPICS,
)
from data.simulate.state import FAR
from data.simulate.texts import PER_CELL, pool
from data.simulate.timeline import NEVER, Timeline

if TYPE_CHECKING:
    import pandas as pd

Columns = dict[str, Any]
DEFECT, RETURNS, OTHER = TOPICS.index("defect"), TOPICS.index("returns"), TOPICS.index("other")
KEYS = {
    "customers": ("customer_id", "signed_up_at"),
    "orders": ("order_id", "ordered_at"),
    "usage": ("event_id", "used_at"),
    "tickets": ("ticket_id", "opened_at"),
    "bot_sessions": ("session_id", "started_at"),
    "feedback": ("feedback_id", "given_at"),
    "article_events": (None, "viewed_at"),
    "calendar": ("event_id", "announced_at"),
    "treatments": ("treatment_id", "treated_at"),
}


@dataclass(frozen=True)
class Seen:
    """The arrays. ``orders`` and the others are columns of equal length, in order of time."""

    day: int
    now: int
    line: Timeline
    size: int
    customers: Columns
    versions: Columns
    orders: Columns
    tickets: Columns
    given_up: Columns
    asked: Columns
    reviews: Columns
    treatments: Columns
    active: Bools
    ordered: Bools
    errors: Columns
    payments: Columns
    used: Floats
    failed: Floats
    release: Ints
    outages: Bools


def as_of(rows: pd.DataFrame, now: Any, key: str | None, birth: str) -> pd.DataFrame:
    """The rows of a table as the contract's rule of time shows them as of ``now``."""
    recorded = rows["recorded_at"] if "recorded_at" in rows else rows[birth]
    known = rows[(rows[birth] < now) & (recorded <= now)]
    if key is not None and known[key].duplicated().any():
        order = recorded[known.index].sort_values(kind="stable").index
        known = known.loc[order].drop_duplicates(key, keep="last")
    if "deleted" in known:
        known = known[~known["deleted"].fillna(False).astype(bool)]
    known = known.sort_values(birth, kind="stable").copy()
    for name in known.columns:
        if name.endswith("_at") and name not in (birth, "promised_at", "starts_at", "ends_at"):
            known[name] = known[name].where(known[name] < now)
    return known


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
    found: Ints = words.map({w: k for k, w in enumerate(table)}).fillna(-1).to_numpy(np.int64)
    return found


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


def seen(tables: Mapping[str, pd.DataFrame], now: datetime, start: date) -> Seen:
    """The tables of a simulated company as of ``now``, a local midnight of its."""
    line = Timeline(start, max((now.date() - start + timedelta(days=1)).days, 1))
    moment = int(np.datetime64(now, "us").astype(np.int64))
    day = int(np.searchsorted(line.midnight, moment))
    if day > line.days or line.midnight[day] != moment or day < 1:
        raise DataError(
            f"the observer looks at a simulated company at a local midnight after {start}; "
            f"found {now} UTC."
        )
    at = np.datetime64(now, "us")
    cut = {
        name: as_of(tables[name], at, *key)
        for name, key in KEYS.items()
        if name not in ("customers", "usage")
    }
    rows = tables["customers"]
    rows = rows[(rows["signed_up_at"] < at) & (rows["recorded_at"] <= at)]
    rows = rows.sort_values("recorded_at", kind="stable")
    cut["customers"] = rows.drop_duplicates("customer_id", keep="first").sort_values("customer_id")
    size = int(numbers(cut["customers"]["customer_id"]).max()) + 1
    if size != len(cut["customers"]):
        raise DataError("customer ids of a simulated company have no gaps; found other tables.")

    days = Days(line, moment)
    customers = _customers(cut["customers"], days, at)
    orders, tickets = cut["orders"], _tickets(cut["tickets"], days)
    later = rows[rows.duplicated("customer_id", keep="first")]
    usage = tables["usage"]
    usage = usage[(usage["used_at"] < at) & (usage["recorded_at"] <= at)]
    who, used_day = numbers(usage["customer_id"]), days(usage["used_at"])
    plain = usage["feature"].isin(FEATURES[:4]).to_numpy()
    wrong = usage["errors"].to_numpy(np.float64)
    active = np.zeros((day, size), dtype=bool)
    active[used_day[plain], who[plain]] = True
    has_error = np.zeros((day, size), dtype=bool)
    has_error[used_day[wrong > 0], who[wrong > 0]] = True
    ordered = np.zeros((day, size), dtype=bool)
    ordered[days(orders["ordered_at"]), numbers(orders["customer_id"])] = True
    platform = customers["platform"]
    used, failed = (
        np.stack([grid[:, platform == p].sum(axis=1) for p in range(len(PLATFORMS))], axis=1)
        for grid in (active, has_error)
    )
    release = np.full((day, len(PLATFORMS)), -1)
    part = usage["version"].str.split(".", expand=True)[[1, 2]].astype(np.int64).to_numpy()
    np.maximum.at(release, (used_day, platform[who]), part[:, 0] * 10 + part[:, 1])
    paid = usage.loc[~plain].assign(day=used_day[~plain]).sort_values("used_at")
    outages = np.zeros(day, dtype=bool)
    told = cut["calendar"]
    told = told[(told["kind"] == "outage") & (told["starts_at"] < at)]
    outages[days(told["starts_at"])] = True
    versions = {
        "customer": numbers(later["customer_id"]),
        "day": days(later["recorded_at"]),
        "plan": places(later["plan"], PLANS),
        "region": places(later["region"], REGIONS),
    }
    given_up, asked = _self_service(cut, tickets, days)
    return Seen(
        day=day,
        now=moment,
        line=line,
        size=size,
        customers=customers,
        versions=versions,
        orders=_orders(orders, customers["region"], versions, days),
        tickets=tickets,
        given_up=given_up,
        asked=asked,
        reviews=_reviews(cut["feedback"]),
        treatments=_treatments(cut["treatments"], days),
        active=active,
        ordered=ordered,
        errors={
            "customer": who[wrong > 0],
            "day": used_day[wrong > 0],
            "count": wrong[wrong > 0],
        },
        payments={
            "customer": numbers(paid["customer_id"]),
            "day": paid["day"].to_numpy(),
            "good": (paid["feature"] == "payment").to_numpy(),
        },
        used=used.astype(np.float64),
        failed=failed.astype(np.float64),
        release=release,
        outages=outages,
    )


def _customers(rows: pd.DataFrame, days: Days, at: Any) -> Columns:
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


def _orders(rows: pd.DataFrame, region: Ints, versions: Columns, days: Days) -> Columns:
    who = numbers(rows["customer_id"])
    ordered = days(rows["ordered_at"])
    lived = region[who]
    now = region.copy()
    for c, day, new in zip(versions["customer"], versions["day"], versions["region"], strict=True):
        if new != now[c]:
            lived[(who == c) & (ordered > day)] = now[c] = new
    made = {
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
        made[name] = days(rows[f"{name}_at"])
    order = np.lexsort((made["customer"], made["ordered"]))
    return {name: values[order] for name, values in made.items()}


def _tickets(rows: pd.DataFrame, days: Days) -> Columns:
    rows = rows[~rows["is_machine"].fillna(False).astype(bool)]
    topic = places(rows["topic"], TOPICS)
    read = rows["text"].map(_topic_of_text())
    topic = np.where(read.notna(), read.fillna(0), topic).astype(np.int64)
    number, issue = numbers(rows["ticket_id"]), numbers(rows["issue_id"])
    channel = places(rows["channel"], CHANNELS)
    response = micros(rows["first_response_at"])
    resolved = micros(rows["resolved_at"])
    lost = (response == NEVER) & np.isin(channel, (0, 2))
    three = 3 * 86_400_000_000
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
        "lost_at": np.where(resolved < NEVER, resolved - three, micros(rows["opened_at"])),
    }


def _self_service(cut: Mapping[str, Any], tickets: Columns, days: Days) -> tuple[Columns, Columns]:
    """What bots and articles left unanswered, and every question, by customer and day."""
    bots, views = cut["bot_sessions"], cut["article_events"]
    alone = bots[bots["handed_over_at"].isna()]
    asked = ~tickets["complaint"] & (tickets["customer"] >= 0)
    soon = {
        (c, m) for c, m in zip(tickets["customer"][asked], tickets["opened"][asked], strict=True)
    }
    who, at = numbers(views["customer_id"]), micros(views["viewed_at"])
    ten = 600_000_000
    recent: dict[int, list[int]] = {}
    for c, m in soon:
        recent.setdefault(int(c), []).append(int(m))
    followed = np.array(
        [any(0 <= m - t <= ten for m in recent.get(c, ())) for c, t in zip(who, at, strict=True)],
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
        "customer": np.concatenate([tickets["customer"][asked], bot_who, who[~followed]]),
        "day": np.concatenate([tickets["day"][asked], bot_day, view_day[~followed]]),
    }
    return {name: values[order] for name, values in up.items()}, questions


def _reviews(rows: pd.DataFrame) -> Columns:
    return {
        "customer": numbers(rows["customer_id"]),
        "product": numbers(rows["product_id"]),
        "given_at": micros(rows["given_at"]),
        "rating": rows["rating"].to_numpy(np.float64),
        "topic": rows["text"].map(_topic_of_text()).fillna(-1).to_numpy(np.int64),
    }


def _treatments(rows: pd.DataFrame, days: Days) -> Columns:
    return {
        "customer": numbers(rows["customer_id"]),
        "day": days(rows["treated_at"]),
        "treated": (rows["arm"] == "treat").to_numpy(),
        "drawn": rows["propensity"].notna().to_numpy(),
        "action": rows["action"].to_numpy(dtype=object),
    }
