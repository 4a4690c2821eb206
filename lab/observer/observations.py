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
from typing import TYPE_CHECKING, Any

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.errors import DataError
from data.simulate.rates import (
    FEATURES,
    PLANS,
    PLATFORMS,
    REGIONS,
)
from data.simulate.timeline import Timeline
from lab.observer import columns
from lab.observer.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

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
class Observations:
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
    questions: Columns
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


def observations_of(tables: Mapping[str, pd.DataFrame], now: datetime, start: date) -> Observations:
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
    size = int(columns.numbers(cut["customers"]["customer_id"]).max()) + 1
    if size != len(cut["customers"]):
        raise DataError("customer ids of a simulated company have no gaps; found other tables.")

    days = columns.Days(line, moment)
    customers = columns.customers(cut["customers"], days, at)
    orders, tickets = cut["orders"], columns.tickets(cut["tickets"], days)
    later = rows[rows.duplicated("customer_id", keep="first")]
    usage = tables["usage"]
    usage = usage[(usage["used_at"] < at) & (usage["recorded_at"] <= at)]
    who, used_day = columns.numbers(usage["customer_id"]), days(usage["used_at"])
    plain = usage["feature"].isin(FEATURES[:4]).to_numpy()
    wrong = usage["errors"].to_numpy(np.float64)
    active = np.zeros((day, size), dtype=bool)
    active[used_day[plain], who[plain]] = True
    has_error = np.zeros((day, size), dtype=bool)
    has_error[used_day[wrong > 0], who[wrong > 0]] = True
    ordered = np.zeros((day, size), dtype=bool)
    ordered[days(orders["ordered_at"]), columns.numbers(orders["customer_id"])] = True
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
    outage_rows = cut["calendar"]
    outage_rows = outage_rows[(outage_rows["kind"] == "outage") & (outage_rows["starts_at"] < at)]
    outages[days(outage_rows["starts_at"])] = True
    versions = {
        "customer": columns.numbers(later["customer_id"]),
        "day": days(later["recorded_at"]),
        "plan": columns.places(later["plan"], PLANS),
        "region": columns.places(later["region"], REGIONS),
    }
    given_up, questions = columns.self_service(cut, tickets, days)
    return Observations(
        day=day,
        now=moment,
        line=line,
        size=size,
        customers=customers,
        versions=versions,
        orders=columns.orders(orders, customers["region"], versions, days),
        tickets=tickets,
        given_up=given_up,
        questions=questions,
        reviews=columns.reviews(cut["feedback"]),
        treatments=columns.treatments(cut["treatments"], days),
        active=active,
        ordered=ordered,
        errors={
            "customer": who[wrong > 0],
            "day": used_day[wrong > 0],
            "count": wrong[wrong > 0],
        },
        payments={
            "customer": columns.numbers(paid["customer_id"]),
            "day": paid["day"].to_numpy(),
            "good": (paid["feature"] == "payment").to_numpy(),
        },
        used=used.astype(np.float64),
        failed=failed.astype(np.float64),
        release=release,
        outages=outages,
    )
