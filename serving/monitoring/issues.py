"""Issues that emerge: topics that many ask about at once, with what those who ask have in common.

Those who ask in the last ``hours``, half and a quarter of them are counted by topic, and by topic
and product, carrier, region, platform, version, plan or channel: what concerns a few stands out
among the few at once, and among all hours later. Each count is compared with those of the same
hours on the 56 days before, as it was known then (a topic that is put right later was another one
at this age, then as now), times what this weekday usually brings. The chance of so many is that
of a negative binomial with the days' own spread, never less than Poisson's; the least of three
windows counts three times. Over topics and their parts the false alarms are held to one in five
hundred (Benjamini & Hochberg 1995). Of what the askers of a topic have in common the driver is the
value whose share among them rose most surely (binomial, one-sided).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from data.arrays import Floats
from data.tables import Tables
from features.asof import as_of_view, view_by_days
from serving.monitoring.finding import Finding
from serving.outreach.deflection import state_of_articles, why_none_works

DAYS = 56
FEWEST = 5
"""Contacts in the window below which nothing is called an issue."""
TWICE = 1.8
"""How many times the expected contacts, at least."""
FALSE = 0.002
SURE = 0.05
"""Chance of a share's rise below which a value may drive an issue: that there is one is sure."""
WINDOWS = (1.0, 0.5, 0.25)
"""Shares of the hours that are looked at."""
DRIVERS = 3
EXAMPLES = 5
COLUMNS = [
    "topic", "since", "hours", "contacts", "expected", "ratio", "chance", "customers", "driver",
    "driver_share", "driver_usual", "also", "act", "examples",
]  # fmt: skip
TICKETS = ["ticket_id", "customer_id", "opened_at", "channel", "topic", "product_id", "order_id",
           "is_machine"]  # fmt: skip


@dataclass(frozen=True)
class Driver:
    """A value that the askers have in common: its share among them now and usually."""

    name: str
    value: str
    share: float
    usual: float
    chance: float

    def __str__(self) -> str:
        return f"{self.name}={self.value} ({self.share:.0%} of them, usually {self.usual:.0%})"


def emerging(tables: Tables, as_of: datetime, hours: float = 24.0) -> pd.DataFrame:
    """``COLUMNS``: a row per topic that is asked about surely more than usual, the surest first.

    ``since``: when the window began to fill faster (naive UTC). ``also``: further drivers.
    Empty where history is shorter than four weeks, or there are no tickets.
    """
    if not tables.has("tickets"):
        return pd.DataFrame(columns=COLUMNS)
    contacts = contacts_with_marks(tables, as_of)
    if contacts.empty or as_of - contacts["opened_at"].min() < timedelta(days=28):
        return pd.DataFrame(columns=COLUMNS)
    lived = min(DAYS, int((as_of - contacts["opened_at"].min()) / timedelta(days=1)) - 1)
    surest: dict[str, Count] = {}
    for one in _surprising(contacts, as_of, hours, lived):
        if one.topic not in surest or one.chance < surest[one.topic].chance:
            surest[one.topic] = one
    state = state_of_articles(tables, as_of)
    rows = []
    for topic, one in surest.items():
        of = contacts[(contacts["topic"].fillna("") == topic).to_numpy()]
        window = _windows(of["opened_at"], as_of, one.hours)
        now, before = of[window == 0], of[(window > 0) & (window <= lived)]
        expected = max(len(before) / lived * one.weekday, 1 / (lived + 1))
        drivers = _drivers(now, before)
        rows.append(
            {
                "topic": topic,
                "since": _since(now["opened_at"], expected, one.hours, as_of),
                "hours": one.hours,
                "contacts": len(now),
                "expected": expected,
                "ratio": len(now) / expected,
                "chance": one.chance,
                "customers": int(now["customer_id"].nunique()),
                "driver": f"{drivers[0].name}={drivers[0].value}" if drivers else "",
                "driver_share": drivers[0].share if drivers else np.nan,
                "driver_usual": drivers[0].usual if drivers else np.nan,
                "also": "; ".join(map(str, drivers[1:])),
                "act": _act(topic, drivers, now, contacts, state),
                "examples": ", ".join(now["ticket_id"].astype(str).tail(EXAMPLES)),
            }
        )
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values("chance", ignore_index=True)


def issue_findings(issues: pd.DataFrame) -> list[Finding]:
    """A finding per emerging issue; one that says so where there is none."""
    if issues.empty:
        return [Finding("issues", "topics", "ok", "no topic is asked about surely more than usual")]
    out = []
    for _, row in issues.iterrows():
        driver = f"; driver {row['driver']} ({row['driver_share']:.0%} of them, usually "
        driver += f"{row['driver_usual']:.0%})" if row["driver"] else ""
        out.append(
            Finding(
                "issues",
                row["topic"] or "no topic",
                "alarm",
                f"{row['contacts']} contacts on {row['topic'] or 'no topic'} in {row['hours']:.0f} "
                f"hours, {row['expected']:.1f} expected{driver if row['driver'] else ''}",
                row["act"],
                since=pd.Timestamp(row["since"]).to_pydatetime(),
                value=row["ratio"],
                limit=TWICE,
            )
        )
    return out


def contacts_with_marks(tables: Tables, as_of: datetime) -> pd.DataFrame:
    """The people's tickets of the last weeks with what is known of each: columns of ``TICKETS``,
    and ``product``, ``carrier``, ``region``, ``platform``, ``version``, ``plan`` where known."""
    frame = view_by_days(tables, "tickets", as_of, TICKETS)
    machine = frame["is_machine"].astype("boolean").fillna(False).to_numpy(bool)
    recent = (frame["opened_at"] >= as_of - timedelta(days=DAYS + 2)).to_numpy(bool)
    frame = frame[~machine & recent].reset_index(drop=True)
    frame["product"] = frame["product_id"]
    if tables.has("orders"):
        orders = as_of_view(tables, "orders", as_of, ["order_id", "product_id", "carrier"])
        orders = orders.drop_duplicates("order_id", keep="last").set_index("order_id")
        frame["product"] = frame["product"].fillna(frame["order_id"].map(orders["product_id"]))
        frame["carrier"] = frame["order_id"].map(orders["carrier"])
    if tables.has("customers"):
        names = ["customer_id", "region", "platform", "plan"]
        who = as_of_view(tables, "customers", as_of, names)
        who = who.drop_duplicates("customer_id", keep="last").set_index("customer_id")
        for name in names[1:]:
            frame[name] = frame["customer_id"].map(who[name])
    if tables.has("usage"):
        uses = as_of_view(tables, "usage", as_of, ["customer_id", "used_at", "platform", "version"])
        uses = uses.sort_values("used_at").drop_duplicates("customer_id", keep="last")
        uses = uses.set_index("customer_id")
        frame["version"] = frame["customer_id"].map(uses["version"])
        used_on = frame["customer_id"].map(uses["platform"])
        frame["platform"] = (
            used_on if "platform" not in frame else frame["platform"].fillna(used_on)
        )
    return frame


MARKS = ("product", "carrier", "region", "platform", "version", "plan", "channel")


def _windows(opened: pd.Series, as_of: datetime, hours: float) -> np.ndarray:
    """Which day's window each contact is in: 0 the last ``hours`` before ``as_of``, 1 the same
    hours a day earlier, ...; -1 between windows."""
    back = (pd.Timestamp(as_of) - opened).dt.total_seconds().to_numpy() / 3600
    day = np.floor((back - 1e-9) / 24).astype(int)
    inside = (back - 24 * day <= hours) & (back > 0) & (day <= DAYS)
    return np.where(inside, day, -1)


def _weekday_factor(window: np.ndarray, lived: int) -> float:
    """What today's weekday brings over the mean day, all topics together; shrunk towards 1 as by
    two weeks."""
    counts = np.bincount(window[window > 0], minlength=DAYS + 1)[1 : lived + 1].astype(float)
    same = counts[6::7]
    if not len(same) or counts.mean() <= 0:
        return 1.0
    return float((same.sum() + 2 * counts.mean()) / (counts.mean() * (len(same) + 2)))


@dataclass(frozen=True)
class Count:
    """Surely more contacts than usual: of a topic, or of a part of it, in the last ``hours``.
    ``weekday``: what this weekday brings over the mean day."""

    topic: str
    hours: float
    chance: float
    weekday: float


def _surprising(contacts: pd.DataFrame, as_of: datetime, hours: float, lived: int) -> list[Count]:
    """Every topic and part of one about which surely more people ask, by its least chance over the
    windows."""
    topics = contacts["topic"].fillna("").astype(str)
    named = contacts["customer_id"].notna().to_numpy()
    who = pd.factorize(contacts["customer_id"])[0]
    who = np.where(named, who, -1 - np.arange(len(contacts)))
    parts: list[list[pd.Series]] = [[topics]]
    for name in MARKS:
        if name in contacts and contacts[name].notna().any():
            parts.append([topics, contacts[name].astype(str).where(contacts[name].notna())])
    groups = []
    for by in parts:
        there = by[-1].notna().to_numpy()
        keys = pd.MultiIndex.from_arrays([series[there] for series in by])
        codes, names = pd.factorize(keys)
        groups.append((there, codes, [str(name[0]) for name in names]))
    spans = [hours * part for part in WINDOWS]
    least = [np.ones(len(names)) for _, _, names in groups]
    where = [np.full(len(names), hours) for _, _, names in groups]
    factors = {}
    for span in spans:
        window = _windows(contacts["opened_at"], as_of, span)
        factors[span] = _weekday_factor(window, lived)
        for at, (there, codes, names) in enumerate(groups):
            mine = window[there]
            inside = (mine >= 0) & (mine <= lived)
            # who asks twice in a day is one who asks
            again = pd.DataFrame({"who": who[there], "code": codes, "day": mine}).duplicated()
            inside &= ~again.to_numpy()
            counts = np.zeros((len(names), lived + 1))
            np.add.at(counts, (codes[inside], mine[inside]), 1)
            chance = np.minimum(_chances(counts, factors[span]) * len(spans), 1.0)
            where[at] = np.where(chance < least[at], span, where[at])
            least[at] = np.minimum(chance, least[at])
    surprising = []
    for group in (slice(0, 1), slice(1, None)):  # topics, and their parts
        chances, at_hours = (
            np.concatenate(each[group] or [np.empty(0)]) for each in (least, where)
        )
        names = [name for _, _, of in groups[group] for name in of]
        for sure in np.flatnonzero(_held_to(chances, FALSE / 2)):
            span = float(at_hours[sure])
            surprising.append(Count(names[sure], span, float(chances[sure]), factors[span]))
    return surprising


def _chances(counts: Floats, factor: float) -> Floats:
    """Per row of counts (rows, 1 + days), the newest first, the chance of so many; 1 where they
    are too few, or not ``TWICE`` what was expected."""
    from scipy import stats

    now, past = counts[:, 0], counts[:, 1:]
    days = past.shape[1]
    expected = np.maximum(past.mean(axis=1) * factor, 1 / (days + 1))
    spread = np.maximum(past.var(axis=1, ddof=1), expected)
    spread = spread * (1 + 1 / days)  # the mean itself is known from so many days only
    chance = np.ones(len(counts))
    many = np.flatnonzero((now >= FEWEST) & (now >= TWICE * expected))
    size = expected[many] ** 2 / (spread[many] - expected[many])
    chance[many] = stats.nbinom.sf(now[many] - 1, size, size / (size + expected[many]))
    return chance


def _held_to(chances: Floats, rate: float) -> np.ndarray:
    """Which chances are small enough that the share of false ones among them is ``rate``."""
    order = np.argsort(chances)
    limits = rate * np.arange(1, len(chances) + 1) / max(len(chances), 1)
    good = np.flatnonzero(chances[order] <= limits)
    sure = np.zeros(len(chances), bool)
    if len(good):
        sure[order[: good[-1] + 1]] = True
    return sure


def _drivers(now: pd.DataFrame, before: pd.DataFrame) -> list[Driver]:
    """What those who ask have in common beyond what is usual for the topic, the surest first."""
    from scipy import stats

    drivers = []
    for name in MARKS:
        if name not in now or not now[name].notna().any():
            continue
        known, usual = now[name].dropna(), before[name].dropna()
        for value, count in known.value_counts().items():
            past = int((usual == value).sum())
            # as if the value had been seen once more among as many as there are values
            share = (past + 0.5) / (len(usual) + max(usual.nunique(), 2) * 0.5)
            chance = float(stats.binom.sf(count - 1, len(known), min(share, 1.0)))
            part = count / len(known)
            if chance < SURE and part > share:
                drivers.append(Driver(name, str(value), part, share, chance))
    return sorted(drivers, key=lambda driver: driver.chance)[:DRIVERS]


def _since(opened: pd.Series, expected: float, hours: float, as_of: datetime) -> datetime:
    """The moment in the window from which contacts came most surely too fast: the start of the
    suffix with the least Poisson chance."""
    from scipy import stats

    times = np.sort(opened.to_numpy("datetime64[us]"))
    age = (pd.Timestamp(as_of) - pd.Series(times)).dt.total_seconds().to_numpy() / 3600
    many = np.arange(len(times), 0, -1)
    chance = stats.poisson.sf(many - 1, np.maximum(expected * age / hours, 1e-6))
    return pd.Timestamp(times[int(np.argmin(chance))]).to_pydatetime()


def _act(
    topic: str,
    drivers: list[Driver],
    now: pd.DataFrame,
    contacts: pd.DataFrame,
    articles: pd.DataFrame,
) -> str:
    """What to do: mend what drives it, tell those whom it will reach, write what is missing."""
    acts = []
    if drivers:
        first = drivers[0]
        acts.append(f"Mend: tell who owns {first.name} {first.value}.")
        same = contacts[contacts[first.name].astype("str") == first.value]
        others = set(same["customer_id"].dropna()) - set(now["customer_id"].dropna())
        if first.name in ("product", "carrier", "version", "platform") and others:
            acts.append(
                f"Outreach: of the customers with {first.name} {first.value} who wrote in the last "
                f"weeks {len(others)} have not asked about this yet."
            )
    why = why_none_works(articles, topic, "") if topic else ""
    if why:
        acts.append(f"Article on {topic}: {why}.")
    return " ".join(acts) or "Read the examples: nothing tells those who ask from the others."
