"""Quiet companies, and what is planted in them: drifts of their sources, incidents of their
customers. A make draws its rates; everything that goes wrong by itself is switched off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from data.simulate import Company, asking_more, make_of

Frames = dict[str, pd.DataFrame]
BIRTHS = {
    "orders": "ordered_at",
    "usage": "used_at",
    "tickets": "opened_at",
    "feedback": "given_at",
}


def quiet_company(
    make: int, customers: int, days: int, seed: int, asking: float = 1.0
) -> tuple[Frames, datetime]:
    """The tables of a company in which nothing goes wrong, and the moment that they reach;
    ``asking``: how many times as often as usual its customers ask."""
    rates = replace(
        make_of(make).rates,
        strike_start=0.0,
        defective_lot=0.0,
        broken_release=0.0,
        outage=0.0,
        campaign_size=0.0,
    )
    rates = asking_more(rates, asking)
    company = Company(customers, days, seed, rates=rates, hazard_every=0, own_outreach=False)
    for _ in range(days):
        company.step()
    end = company.now
    midnight = datetime(end.year, end.month, end.day)
    return {name: frame for name, frame in company.tables().items() if len(frame)}, midnight


@dataclass(frozen=True)
class Drift:
    """A fault planted in the rows of a table born from a moment on: ``change`` takes those rows and
    a generator, and gives what comes instead."""

    name: str
    table: str
    change: Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]

    def planted(self, frames: Frames, since: datetime, seed: int) -> Frames:
        """The tables with the fault."""
        frame = frames[self.table]
        new = (frame[BIRTHS[self.table]] >= since).to_numpy()
        changed = self.change(frame[new].copy(), np.random.default_rng(seed))
        return {**frames, self.table: pd.concat([frame[~new], changed], ignore_index=True)}


def _thin(share: float) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    return lambda rows, rng: rows[rng.random(len(rows)) >= share]


def _twice(key: str) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    return lambda rows, rng: pd.concat([rows, rows.assign(**{key: rows[key] + "x"})])


def _set(column: str, value: object) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    return lambda rows, rng: rows.assign(**{column: value})


def _times(
    column: str, factor: float
) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    return lambda rows, rng: rows.assign(**{column: rows[column].astype(float) * factor})


def _without(
    column: str, rank: int = 0
) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    """Without the rows of the value that is so often there (0: most often)."""
    return lambda rows, rng: rows[rows[column] != rows[column].value_counts().index[rank]]


def _renamed(
    column: str, rank: int = 0
) -> Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]:
    def change(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        name = rows[column].value_counts().index[rank]
        return rows.assign(**{column: rows[column].where(rows[column] != name, f"{name}_v2")})

    return change


def _shifted(column: str, hours: float) -> Callable[..., pd.DataFrame]:
    return lambda rows, rng: rows.assign(**{column: rows[column] + timedelta(hours=hours)})


def _more_complaints(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Twice as many of the tickets that there are."""
    of = rows[rows["is_complaint"].fillna(False).astype(bool)]
    again = of.assign(ticket_id=of["ticket_id"] + "x")
    return pd.concat([rows, again])


def _failing_release(rows: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """A new version on every platform, on which a fifth of what is done fails."""
    fails = (rng.random(len(rows)) < 0.2).astype(float)
    return rows.assign(version="9.0.0", errors=rows["errors"].astype(float) + fails)


DRIFTS = (
    Drift("orders stop", "orders", _thin(1.0)),
    Drift("usage stops", "usage", _thin(1.0)),
    Drift("tickets stop", "tickets", _thin(1.0)),
    Drift("six in ten orders are lost", "orders", _thin(0.6)),
    Drift("orders come twice", "orders", _twice("order_id")),
    Drift("usage comes twice", "usage", _twice("event_id")),
    Drift("carrier falls silent", "orders", _set("carrier", None)),
    Drift("topic falls silent", "tickets", _set("topic", None)),
    Drift("ids of usage no longer meet", "usage",
          lambda rows, rng: rows.assign(customer_id="0" + rows["customer_id"])),
    Drift("amounts in cents", "orders", _times("amount", 100.0)),
    Drift("durations in milliseconds", "usage", _times("duration_seconds", 1000.0)),
    Drift("handle times in minutes", "tickets", _times("handle_seconds", 1 / 60)),
    Drift("every order has one more piece", "orders",
          lambda rows, rng: rows.assign(quantity=rows["quantity"].astype(float) + 1)),
    Drift("a channel of tickets vanishes", "tickets", _without("channel")),
    Drift("a topic is renamed", "tickets", _renamed("topic")),
    Drift("a platform vanishes from usage", "usage", _without("platform", 1)),
    Drift("a carrier is renamed", "orders", _renamed("carrier", 1)),
    Drift("complaints double", "tickets", _more_complaints),
    Drift("a new release fails", "usage", _failing_release),
    Drift("usage in another time zone", "usage", _shifted("used_at", 9.0)),
)  # fmt: skip


@dataclass(frozen=True)
class Incident:
    """Contacts on one topic by customers with something in common: they come faster over ``RAMP``
    hours, then as fast as ``share`` of all contacts of the company usually do, for ``LASTS``."""

    topic: str
    mark: str
    value: str
    since: datetime
    share: float

    @property
    def driver(self) -> str:
        return f"{self.mark}={self.value}"


RAMP, LASTS = 12.0, 48.0


def incident_in(frames: Frames, end: datetime, rng: np.random.Generator) -> Incident:
    """One that begins on one of the last twenty days, of a mark that a fair part of people has."""
    tickets, customers, orders = frames["tickets"], frames["customers"], frames["orders"]
    topics = tickets["topic"].dropna().unique()
    marks: dict[str, pd.Series] = {
        "platform": customers["platform"],
        "region": customers["region"],
        "plan": customers["plan"],
        "product": orders["product_id"],
        "carrier": orders["carrier"],
    }
    mark = str(rng.choice([name for name, values in marks.items() if values.notna().any()]))
    shares = marks[mark].value_counts(normalize=True)
    values = shares[(shares > 0.02) & (shares < 0.5)].index
    value = str(rng.choice(values if len(values) else shares.index))
    since = end - timedelta(hours=float(rng.uniform(LASTS + 24, 20 * 24)))
    return Incident(str(rng.choice(topics)), mark, value, since, share=float(rng.uniform(0.3, 0.8)))


def with_incident(frames: Frames, incident: Incident, rng: np.random.Generator) -> Frames:
    """The tables with the contacts that it brings."""
    tickets = frames["tickets"]
    before = tickets["opened_at"] < incident.since
    recent = before & (tickets["opened_at"] >= incident.since - timedelta(days=28))
    rate = incident.share * recent.sum() / (28 * 24)
    count = rng.poisson(rate * (LASTS + RAMP))
    at = rng.uniform(0, LASTS + RAMP, count)
    at = at[rng.random(count) < np.minimum(at / RAMP, 1.0)]
    if incident.mark in ("product", "carrier"):
        column = "product_id" if incident.mark == "product" else "carrier"
        of = frames["orders"]
        of = of[(of[column] == incident.value) & (of["ordered_at"] < incident.since)]
        who = of[["customer_id", "order_id", "product_id"]].sample(
            len(at), replace=True, random_state=int(rng.integers(1 << 31))
        )
    else:
        of = frames["customers"]
        who = of.loc[of[incident.mark] == incident.value, ["customer_id"]].sample(
            len(at), replace=True, random_state=int(rng.integers(1 << 31))
        )
    opened = pd.Timestamp(incident.since) + pd.to_timedelta(at * 3600, unit="s").floor("us")
    extra = who.reset_index(drop=True).assign(
        ticket_id=[f"x{n}" for n in range(len(at))],
        opened_at=opened,
        recorded_at=opened,
        topic=incident.topic,
        channel=rng.choice(tickets.loc[recent, "channel"].to_numpy(), len(at)),
        is_machine=False,
    )
    return {**frames, "tickets": pd.concat([tickets, extra], ignore_index=True)}


def recent_frames(frames: Frames, since: datetime) -> Frames:
    """What the search for issues reads, of a moment on: the rest only costs time."""
    columns = {
        "tickets": ["ticket_id", "customer_id", "opened_at", "channel", "topic", "product_id",
                    "order_id", "is_machine", "recorded_at"],
        "usage": ["event_id", "customer_id", "used_at", "feature", "platform", "version"],
    }  # fmt: skip
    kept: Frames = {}
    for name in ("customers", "orders", "tickets", "usage"):
        frame = frames[name][columns[name]] if name in columns else frames[name]
        if name in ("tickets", "usage"):
            frame = frame[frame[BIRTHS[name]] >= since]
        kept[name] = frame
    return kept
