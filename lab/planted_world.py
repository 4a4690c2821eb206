"""Random companies whose training sets may be spoilt: their tables, their spine, an honest set of
features, and the rule of time with one condition missing (``Flaw``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from data.contract import TABLES
from data.settings import Complaint
from data.tables import ROW, MemoryTables, Tables
from features.complaint import complaint_predicate
from features.compute import compute
from features.labels import labels
from features.spec import FeatureView
from features.views import all_features
from lab.finished import TrainingSet

Draw = np.random.Generator
Make = Callable[[pd.DataFrame, Tables], pd.DataFrame]

START = datetime(2025, 1, 1)
DAYS = 210
HORIZON = timedelta(days=14)
TRAINING = tuple(START + timedelta(days=d, hours=h) for d, h in ((100, 0), (107, 9), (114, 0)))
EVALUATION = tuple(START + timedelta(days=d) for d in (142, 149))
RULE = Complaint(topics=("billing",))
VIEW = FeatureView(all_features(complaint_predicate(RULE)))


@dataclass(frozen=True)
class Case:
    """A training set, and how it was made where that is known. ``column`` holds the leak,
    ``also`` names others that come with it; ``kind`` is "" in a clean one."""

    kind: str
    name: str
    column: str
    finished: TrainingSet
    also: tuple[str, ...] = ()
    make: Make | None = None
    spine: pd.DataFrame | None = None
    tables: Tables | None = None


# ---------------------------------------------------------------- a company


def company(seed: int, customers: int = 220) -> dict[str, pd.DataFrame]:
    """A company with troubled customers, late records, corrections, moves, and events on edges."""
    draw = np.random.default_rng(seed)
    trouble = np.exp(draw.normal(0, 0.8, customers))
    ids = np.array([f"C{1000 + i}" for i in range(customers)], dtype=object)

    def day(values: Any) -> pd.Series:
        return pd.Series(pd.Timestamp(START) + pd.to_timedelta(values, unit="D")).astype(
            "datetime64[us]"
        )

    def late(births: pd.Series, share: float = 0.2) -> pd.Series:
        delay = pd.to_timedelta(draw.exponential(4, len(births)), unit="D")
        return (births + delay).where(draw.random(len(births)) < share, births)

    def events(rate: Any) -> tuple[np.ndarray, pd.Series]:
        counts = draw.poisson(rate * np.ones(customers))
        who = np.repeat(np.arange(customers), counts)
        when = day(draw.uniform(0, DAYS, len(who)))
        edges = draw.random(len(who)) < 0.01  # exactly at an as-of time
        return who, when.mask(edges, pd.Timestamp(draw.choice(np.array(TRAINING + EVALUATION))))

    def pick(options: str, size: int) -> np.ndarray:
        return draw.choice(np.array(options.split(), dtype=object), size)

    signed = np.sort(draw.uniform(-400, 60, customers))
    people = pd.DataFrame({
        "customer_id": ids, "signed_up_at": day(signed),
        "region": pick("north south east", customers), "segment": pick("home office", customers),
        "plan": pick("free basic plus", customers),
        "platform": pick("ios web", customers), "language": pick("en de fr", customers),
        "preferred_channel": pick("email phone", customers),
        "value": draw.gamma(2, 100, customers).round(2),
        "closed_at": day(draw.uniform(60, 400, customers)).where(draw.random(customers) < 0.3),
    })  # fmt: skip
    moved = people[draw.random(customers) < 0.5].copy()
    for column in ("region", "segment", "plan", "platform", "language", "preferred_channel"):
        moved[column] = draw.permutation(moved[column].to_numpy())
    moved["value"] = (moved["value"] * 1.5 + 1).round(2)
    moved["recorded_at"] = day(draw.uniform(60, DAYS, len(moved))).to_numpy()

    who, when = events(draw.gamma(4, 2.5, customers))
    size = len(who)
    promised = when + pd.to_timedelta(draw.integers(3, 7, size), unit="D")
    took = draw.gamma(4, 1.0, size) * (1 + 0.3 * trouble[who])
    orders = pd.DataFrame({
        "order_id": [f"O{i}" for i in range(size)], "ordered_at": when, "customer_id": ids[who],
        "product_id": pick("p1 p2 p3 p4 p5", size),
        "product_category": pick("toys tools food", size),
        "quantity": draw.integers(1, 9, size).astype(float),
        "amount": draw.gamma(2, 30, size).round(2), "carrier": pick("ups dhl gls", size),
        "promised_at": promised,
        "delivered_at": (when + pd.to_timedelta(took, unit="D")).where(draw.random(size) < 0.93),
        "cancelled_at": (when + pd.to_timedelta(draw.exponential(6, size), unit="D")).where(
            draw.random(size) < 0.15),
        "returned_at": (when + pd.to_timedelta(9 + draw.exponential(9, size), unit="D")).where(
            draw.random(size) < 0.15),
        "recorded_at": late(when),
    })  # fmt: skip
    again = orders[draw.random(size) < 0.2].copy()
    again["amount"] = (again["amount"] * draw.uniform(0.5, 2, len(again))).round(2)
    again["carrier"] = draw.permutation(again["carrier"].to_numpy())
    again["recorded_at"] += pd.to_timedelta(0.1 + draw.exponential(20, len(again)), unit="D")
    again["deleted"] = draw.random(len(again)) < 0.2

    who, when = events(trouble * draw.gamma(6, 0.8, customers))
    size = len(who)
    resolved = when + pd.to_timedelta(draw.exponential(5, size), unit="D")
    tickets = pd.DataFrame({
        "ticket_id": [f"T{i}" for i in range(size)], "opened_at": when, "customer_id": ids[who],
        "channel": pick("email phone chat", size), "topic": pick("billing delivery howto", size),
        "priority": pick("high low", size), "resolved_at": resolved.where(draw.random(size) < 0.9),
        "handle_seconds": draw.gamma(3, 100, size).round(),
        "csat": draw.integers(1, 6, size).astype(float),
        "csat_at": (resolved + pd.to_timedelta(draw.exponential(3, size), unit="D")).where(
            draw.random(size) < 0.6),
        "recorded_at": late(when),
    })  # fmt: skip

    who, when = events(draw.gamma(3, 5.0, customers))
    usage = pd.DataFrame({
        "event_id": [f"E{i}" for i in range(len(who))], "used_at": when, "customer_id": ids[who],
        "feature": pick("search export", len(who)),
        "errors": draw.poisson(0.2 * trouble[who]).astype(float),
        "duration_seconds": draw.gamma(2, 60, len(who)).round(1), "recorded_at": late(when),
    })  # fmt: skip

    who, when = events(1.5 * trouble)
    ended = when + pd.to_timedelta(draw.exponential(1.5, len(who)), unit="D")
    bots = pd.DataFrame({
        "session_id": [f"S{i}" for i in range(len(who))], "started_at": when,
        "customer_id": ids[who], "topic": pick("billing howto", len(who)), "ended_at": ended,
        "contained": draw.random(len(who)) < 0.6,
        "handed_over_at": ended.where(draw.random(len(who)) < 0.4), "recorded_at": late(when),
    })  # fmt: skip

    who, when = events(1.5)
    feedback = pd.DataFrame({
        "feedback_id": [f"F{i}" for i in range(len(who))], "given_at": when,
        "customer_id": ids[who], "kind": "survey",
        "rating": (6 - np.clip(np.rint(trouble[who] + draw.normal(2, 1, len(who))), 1, 5)),
        "recorded_at": late(when),
    })  # fmt: skip
    return {
        "customers": pd.concat([people, moved]), "orders": pd.concat([orders, again]),
        "tickets": tickets, "usage": usage, "bot_sessions": bots, "feedback": feedback,
    }  # fmt: skip


@cache
def world(seed: int) -> tuple[MemoryTables, pd.DataFrame]:
    """A company's tables and its spine (with fold and label); rows come in any order."""
    frames = company(seed)
    tables = MemoryTables({n: f.sample(frac=1, random_state=seed) for n, f in frames.items()})
    who = frames["customers"].drop_duplicates("customer_id")
    parts = []
    for fold, moments in (("training", TRAINING), ("evaluation", EVALUATION)):
        for t in moments:
            there = who.loc[who["signed_up_at"] < t, "customer_id"].astype("str")
            parts.append(pd.DataFrame({"customer_id": there, "as_of": t, "fold": fold}))
    spine = pd.concat(parts, ignore_index=True)
    spine["as_of"] = spine["as_of"].astype("datetime64[us]")
    end = START + timedelta(days=DAYS)
    outcomes = labels(spine, tables, horizons=(14,), known_as_of=end, complaint=RULE)
    spine["label"] = outcomes["label_14d"].to_numpy()
    return tables, spine.sample(frac=1, random_state=seed).reset_index(drop=True)


def honest(draw: Draw, tables: Tables, count: int = 9) -> Make:
    """A few features of the engine, and one that is standardised and one that is encoded on the
    training rows alone."""
    names = [n for n in VIEW.names if not n.startswith(("items", "article", "calendar"))]
    base = ("customers_since_first_days", "customer_plan", "usage_count_28d")
    names = sorted({*draw.choice(names, count, replace=False), *base})
    view = VIEW.select(names)

    def make(spine: pd.DataFrame, tables: Tables) -> pd.DataFrame:
        columns = compute(view, spine, tables).drop(columns=["customer_id", "as_of"])
        recent = columns["usage_count_28d"].astype(float)
        train = (spine["fold"] == "training").to_numpy()
        columns["usage_scaled"] = (recent - recent[train].mean()) / (recent[train].std() + 1e-9)
        plan = columns["customer_plan"].astype("str")
        shares = spine["label"][train].groupby(plan[train]).mean()
        columns["plan_encoded"] = plan.map(shares).astype(float)
        return columns

    return make


def finish(spine: pd.DataFrame, columns: pd.DataFrame) -> TrainingSet:
    frame = pd.concat([spine[["customer_id", "as_of"]], columns], axis=1)
    training = (spine["fold"] == "training").to_numpy()
    return TrainingSet(
        frame, spine["label"].to_numpy(), training, ~training, HORIZON,
        known_as_of=START + timedelta(days=DAYS),
    )  # fmt: skip


# ---------------------------------------------------------------- the rule of time, with a flaw


@dataclass(frozen=True)
class Flaw:
    """How a table is read as of T. As given it is honest; one changed field is a leak.

    ``born``: rows born up to so long after T count (``at_t``: those at T itself, ``whole_day``:
    those of T's day); ``recorded``: rows recorded so long after T; ``versions``: newer versions of
    rows that were there; ``facts``: facts are read before their time.
    """

    table: str
    born: timedelta = timedelta(0)
    at_t: bool = False
    whole_day: bool = False
    recorded: timedelta = timedelta(0)
    versions: bool = False
    facts: bool = False
    only: tuple[str, str] | None = None
    few: int = 0

    @property
    def honest(self) -> Flaw:
        return Flaw(self.table, only=self.only)


def visible_rows(spine: pd.DataFrame, tables: Tables, flaw: Flaw) -> pd.DataFrame:
    """The rows of a table as of each T of the spine, with ``as_of`` and the birth as ``at``."""
    table, frame = TABLES[flaw.table], tables.frame(flaw.table)
    assert table.birth is not None
    birth, recorded = frame[table.birth], frame["recorded_at"]
    few = birth == birth
    if flaw.few:
        few = frame["customer_id"].astype("str").map(digits) % flaw.few == 0
    places, times = [], []
    moments = spine["as_of"].unique()
    for t in moments:
        usual = (birth < t) & (recorded <= t)
        there = (birth < t) & (recorded <= t + flaw.recorded)
        if flaw.versions:
            first = recorded.groupby(frame[table.key[0]]).transform("min")
            there = (birth < t) & (first <= t)
        if flaw.born:
            there |= (birth >= t) & (birth < t + flaw.born)
        if flaw.at_t:
            there |= birth == t
        if flaw.whole_day:
            there |= birth.dt.floor("D") == pd.Timestamp(t).floor("D")
        places.append(np.flatnonzero(usual | (there & few)))
        times.append(np.full(len(places[-1]), t, dtype="datetime64[us]"))
    rows = frame.take(np.concatenate(places)).assign(as_of=np.concatenate(times))
    rows = rows.sort_values(["recorded_at", ROW])
    rows = rows.drop_duplicates([*table.key, "as_of"], keep="last")
    rows = rows[~rows["deleted"].astype(bool)]
    if not flaw.facts:
        blank = {c.name: ~(rows[c.known_at] < rows["as_of"]) for c in table.columns if c.known_at}
        rows = rows.assign(**{c: rows[c].mask(at) for c, at in blank.items()})
    rows = rows.assign(at=rows[table.birth]).sort_values(["at", ROW])
    if flaw.only is not None:
        rows = rows[rows[flaw.only[0]] == flaw.only[1]]
    return rows


def digits(text: str) -> int:
    return int("".join(c for c in text if c.isdigit()) or 0)


def window(
    spine: pd.DataFrame, rows: pd.DataFrame, days: float | None, how: str, value: str
) -> pd.Series:
    """One number per row of the spine from the rows of its customer (or of all: how "all ...")."""
    if days is not None:
        rows = rows[rows["at"] >= rows["as_of"] - pd.Timedelta(days=days)]
    by = ["as_of"] if how.startswith("all ") else ["customer_id", "as_of"]
    groups = rows.groupby(by)
    how = how.removeprefix("all ")
    if how == "count":
        values = groups.size()
    elif how == "since last":
        values = groups["at"].max()
    elif how == "missing":
        values = groups[value].agg(lambda v: v.isna().mean())
    elif how == "days between":
        took = (rows[value] - rows["at"]).dt.total_seconds() / 86400
        values = took.groupby([rows[key] for key in by]).mean()
    else:
        values = groups[value].agg(how)
    key = pd.MultiIndex.from_frame(spine[by]) if len(by) > 1 else pd.Index(spine["as_of"])
    out = pd.Series(values.reindex(key).to_numpy(), index=spine.index)
    if how == "since last":
        return (spine["as_of"] - out).dt.total_seconds() / 86400
    return out.astype("float64").fillna(0) if how in ("count", "sum", "nunique") else out


def attribute(
    spine: pd.DataFrame, tables: Tables, column: str, flaw: Flaw | None = None
) -> pd.Series:
    rows = visible_rows(spine, tables, flaw or Flaw("customers"))
    values = rows.set_index(["customer_id", "as_of"])[column]
    out = values.reindex(pd.MultiIndex.from_frame(spine[["customer_id", "as_of"]]))
    return pd.Series(out.to_numpy(), index=spine.index)


def signed_up(spine: pd.DataFrame, tables: Tables) -> pd.Series:
    born = attribute(spine, tables, "signed_up_at")
    return (spine["as_of"] - born).dt.total_seconds() / 86400
