"""Key figures of each week and channel, from the tables as of a moment.

Speed counts contacts by when they came, resolution by when they were solved, satisfaction by when
customers answered; the backlog is that of the week's end. Shares have Wilson's interval (Wilson
1927), medians and other quantiles the order statistics' (Hahn & Meeker 1991, section 5.2), both of
95 %. Machines' tickets count nowhere. An automatic reply is no answer: a first answer on a backlog
channel within ``[kpis] automatic_within_seconds`` is passed over, and the ticket counts as answered
when it was resolved. A contact that is unanswered and not yet overdue is not judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import sqrt

import numpy as np
import pandas as pd

from data.arrays import Bools, Floats
from data.settings import ServiceLevel, Settings, opening_intervals
from data.settings_kpis import KPIS
from data.tables import Tables
from features.asof import as_of_view
from features.calendar import local_times, utc_times
from features.complaint import is_complaint
from features.opening import hours_of, hours_on, open_seconds

BLOCKS = {
    "contacts": "access",
    "answered_in_time": "speed",
    "first_response_p50": "speed",
    "first_response_p90": "speed",
    "first_response_open_p50": "speed",
    "resolved_in_time": "resolution",
    "resolution_p50": "resolution",
    "resolution_p90": "resolution",
    "first_contact_resolution": "resolution",
    "reopened": "resolution",
    "backlog": "access",
    "backlog_age_p50": "access",
    "arrived_in_opening_hours": "access",
    "bot_contained": "access",
    "csat": "satisfaction",
    "csat_good": "satisfaction",
    "csat_response_rate": "satisfaction",
    "complaint_rate": "satisfaction",
}
UNITS = {
    **dict.fromkeys(KPIS, "share"),
    **dict.fromkeys((k for k in KPIS if "_p50" in k or "_p90" in k), "seconds"),
    "contacts": "contacts",
    "backlog": "contacts",
    "csat": "points of 5",
}
COLUMNS = ["week", "local_week", "channel", "block", "kpi", "value", "low", "high", "count", "unit"]
Z = 1.959963984540054
SAID_IN = {"reopened": "reopened_at", "csat_response_rate": "csat"}
"""Shares of tickets that have a value there: without any value nobody says so, and none is zero."""
TICKETS = [
    "ticket_id", "customer_id", "channel", "topic", "opened_at", "first_response_at", "resolved_at",
    "reopened_at", "csat", "csat_at", "is_machine", "is_complaint", "priority", "handle_seconds",
    "agent_id",
]  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """A figure, its 95 % interval and how many rows it is of; NaN where it has none."""

    value: float
    low: float
    high: float
    count: int


def weeks_until(as_of: datetime, weeks: int, time_zone: str) -> list[datetime]:
    """The local Mondays (as naive UTC) of the last ``weeks`` whole weeks before ``as_of``, and the
    end of the last one.

    >>> weeks_until(datetime(2026, 3, 12), 1, "Europe/Oslo")
    [datetime.datetime(2026, 3, 1, 23, 0), datetime.datetime(2026, 3, 8, 23, 0)]
    """
    local = pd.Timestamp(local_times(np.array([as_of], "datetime64[us]"), time_zone)[0])
    monday = local.normalize() - pd.Timedelta(days=local.weekday())
    every = [monday - pd.Timedelta(weeks=back) for back in range(weeks, -1, -1)]
    utc = utc_times(np.array(every, "datetime64[us]"), time_zone)
    return [pd.Timestamp(moment).to_pydatetime() for moment in utc]


def key_figures(
    tickets: pd.DataFrame, tables: Tables, settings: Settings, as_of: datetime
) -> pd.DataFrame:
    """``COLUMNS``: a row per week, channel (empty: all) and figure that there is a value of.

    ``tickets``: ``judged_tickets`` of the same tables and moment. ``week`` is the local Monday's
    midnight as naive UTC, ``local_week`` its date; newest last.
    """
    sessions = _sessions(tables, as_of)
    zone = settings.company.time_zone
    edges = weeks_until(as_of, settings.kpis.weeks, zone)
    solving = set(tickets.loc[tickets["resolved_at"].notna(), "channel"])
    unsaid = [kpi for kpi, column in SAID_IN.items() if tickets[column].isna().all()]
    # nothing of what was over before the first week is in any
    tickets = tickets[
        ~(tickets["resolved_at"] < edges[0])
        | (tickets["csat_at"] >= edges[0])
        | (tickets["opened_at"] >= edges[0])
    ]
    rows: list[tuple[object, ...]] = []
    channels = ["", *sorted(tickets["channel"].dropna().unique())]
    for begin, end in pairwise(edges):
        local = str(local_times(np.array([begin], "datetime64[us]"), zone)[0])[:10]
        for channel in channels:
            mine = tickets if not channel else tickets[tickets["channel"] == channel]
            figures = _of_week(mine, begin, end, as_of, settings)
            if not (channel in solving if channel else solving):
                figures.pop("backlog")  # where nobody says when a contact is over, none is
            for kpi in unsaid:
                figures.pop(kpi)
            if not channel and sessions is not None:
                figures["bot_contained"] = _contained(sessions, begin, end)
            for kpi in KPIS:
                figure = figures.get(kpi)
                if figure is not None and np.isfinite(figure.value):
                    rows.append(
                        (begin, local, channel, BLOCKS[kpi], kpi, figure.value, figure.low,
                         figure.high, figure.count, UNITS[kpi])
                    )  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def judged_tickets(tables: Tables, settings: Settings, as_of: datetime) -> pd.DataFrame:
    """The contacts of people as known at ``as_of``, with ``answered_at`` (automatic replies passed
    over), ``waited`` and ``waited_open`` (seconds to the answer), ``in_time`` (1, 0, or NaN where
    not yet to be judged), ``arrived_open``, ``complaint`` and ``repeated``."""
    frame = as_of_view(tables, "tickets", as_of, TICKETS)
    machine = frame["is_machine"].astype("boolean").fillna(False).to_numpy(bool)
    frame = frame[~machine].reset_index(drop=True)
    levels = {c: settings.service_levels.get(c) for c in frame["channel"].dropna().unique()}
    waited = _seconds(frame["opened_at"], frame["first_response_at"])
    backlog = frame["channel"].map(lambda c: _kind(levels.get(c)) == "backlog").to_numpy(bool)
    automatic = backlog & (waited <= settings.kpis.automatic_within_seconds)
    frame["automatic"] = automatic
    frame["answered_at"] = frame["first_response_at"].where(~automatic, frame["resolved_at"])
    frame["waited"] = _seconds(frame["opened_at"], frame["answered_at"])
    frame["waited_open"] = np.nan
    frame["in_time"] = np.nan
    frame["arrived_open"] = np.nan
    until = pd.Series(as_of, index=frame.index)
    unsaid = frame["first_response_at"].isna().all()  # no answer is known: none of them is late
    for channel, level in levels.items():
        mine = (frame["channel"] == channel).to_numpy()
        clock = _opening_clock(frame["opened_at"], as_of, settings, str(channel))
        begun = clock(frame.loc[mine, "opened_at"])
        answered = clock(frame.loc[mine, "answered_at"].fillna(pd.Timestamp(as_of)))
        open_now = clock(until[mine])
        unanswered = frame.loc[mine, "answered_at"].isna().to_numpy()
        frame.loc[mine, "waited_open"] = np.where(unanswered, np.nan, answered - begun)
        frame.loc[mine, "arrived_open"] = _is_open(frame.loc[mine, "opened_at"], settings, channel)
        if level is None or level.target_seconds is None or unsaid:
            continue
        spent = np.where(unanswered, open_now - begun, answered - begun)
        if level.clock == "calendar":
            spent = np.where(
                unanswered,
                _seconds(frame.loc[mine, "opened_at"], until[mine]),
                frame.loc[mine, "waited"],
            )
        late = spent > level.target_seconds
        frame.loc[mine, "in_time"] = np.where(
            unanswered, np.where(late, 0.0, np.nan), (~late).astype(float)
        )
    frame["complaint"] = is_complaint(frame, settings.complaint)
    frame["repeated"] = _repeated(frame, as_of, settings.kpis.repeat_within_days)
    return frame


def _of_week(
    tickets: pd.DataFrame, begin: datetime, end: datetime, as_of: datetime, settings: Settings
) -> dict[str, Figure]:
    opened = _within(tickets["opened_at"], begin, end)
    solved = _within(tickets["resolved_at"], begin, end)
    rated = _within(tickets["csat_at"], begin, end)
    there = (tickets["opened_at"] < end) & ~(tickets["resolved_at"] < end)
    arrivals, solutions = tickets[opened], tickets[solved]
    waits = arrivals["waited"].dropna().to_numpy(float)
    took = _seconds(solutions["opened_at"], solutions["resolved_at"])
    limits = solutions["channel"].map(lambda c: _resolution(settings.service_levels.get(c)))
    known = limits.notna().to_numpy()
    age = _seconds(tickets.loc[there, "opened_at"], pd.Series(end, index=tickets.index[there]))
    csat = tickets.loc[rated, "csat"].dropna().to_numpy(float)
    ripe = solutions[solutions["repeated"].notna()]
    again = _within(solutions["reopened_at"], begin, as_of)
    figures = {
        "contacts": _count(len(arrivals)),
        "answered_in_time": share(arrivals["in_time"].dropna().to_numpy(float)),
        "first_response_p50": quantile(waits, 0.5),
        "first_response_p90": quantile(waits, 0.9),
        "first_response_open_p50": quantile(arrivals["waited_open"].dropna().to_numpy(float), 0.5),
        "resolved_in_time": share((took <= limits.to_numpy(float))[known].astype(float)),
        "resolution_p50": quantile(took, 0.5),
        "resolution_p90": quantile(took, 0.9),
        "first_contact_resolution": share(1.0 - ripe["repeated"].to_numpy(float)),
        "reopened": share(again.astype(float)),
        "backlog": _count(int(there.sum())),
        "backlog_age_p50": quantile(age, 0.5),
        "csat": mean(csat),
        "csat_good": share((csat >= 4).astype(float)),
        "csat_response_rate": share(solutions["csat"].notna().to_numpy(float)),
        "complaint_rate": share(arrivals["complaint"].to_numpy(float)),
    }
    if settings.opening_hours or any(site.opening_hours for site in settings.sites.values()):
        figures["arrived_in_opening_hours"] = share(
            arrivals["arrived_open"].dropna().to_numpy(float)
        )
    return figures


def _repeated(frame: pd.DataFrame, as_of: datetime, days: float) -> Floats:
    """Of each solved ticket 1 where the customer came back on the topic within ``days`` of the
    solution or it was opened again, 0 where not, NaN where it is too early to say."""
    window = pd.Timedelta(days=days)
    out = np.full(len(frame), np.nan)
    ripe = (frame["resolved_at"] + window <= as_of).to_numpy(bool) & frame["customer_id"].notna()
    reopened = frame["reopened_at"].notna() & (
        frame["reopened_at"] <= frame["resolved_at"] + window
    )
    topic = frame["topic"].astype(object).where(frame["topic"].notna(), "")
    key, _ = pd.factorize(pd.MultiIndex.from_arrays([frame["customer_id"], topic]))
    rows = pd.DataFrame({"key": key, "at": frame["opened_at"].astype("datetime64[us]")})
    solved = pd.DataFrame({"key": key, "at": frame["resolved_at"].astype("datetime64[us]")})[ripe]
    following = pd.merge_asof(
        solved.sort_values("at"), rows.sort_values("at").assign(next_at=lambda f: f["at"]),
        on="at", by="key", direction="forward", allow_exact_matches=False,
    ).set_index(solved.sort_values("at").index)["next_at"]  # fmt: skip
    came_back = (following - solved["at"].reindex(following.index)) <= window
    out[following.index.to_numpy()] = came_back.to_numpy(float)
    return np.where(ripe & reopened, 1.0, out)


def _sessions(tables: Tables, as_of: datetime) -> pd.DataFrame | None:
    if not tables.has("bot_sessions"):
        return None
    return as_of_view(tables, "bot_sessions", as_of, ["ended_at", "contained"])


def _contained(sessions: pd.DataFrame, begin: datetime, end: datetime) -> Figure:
    mine = sessions.loc[_within(sessions["ended_at"], begin, end), "contained"].dropna()
    return share(mine.to_numpy(float))


def _opening_clock(
    opened: pd.Series, as_of: datetime, settings: Settings, channel: str
) -> Callable[[pd.Series], Floats]:
    """Open seconds of the channel since the first ticket, as a function of the moment."""
    first = pd.Timestamp(opened.min()).floor("D") if len(opened) else pd.Timestamp(as_of)
    starts = np.arange(first, pd.Timestamp(as_of) + pd.Timedelta(hours=1), 300_000_000,
                       dtype="datetime64[us]")  # fmt: skip
    hours = hours_of(settings, channel, starts)
    spent = open_seconds(starts, 300, hours, settings.company.time_zone)
    total = np.concatenate([[0.0], np.cumsum(spent)])
    edges = np.append(starts, starts[-1] + np.timedelta64(300, "s")).astype(np.int64)

    def clock(moments: pd.Series) -> Floats:
        at = moments.to_numpy("datetime64[us]").astype(np.int64)
        return np.interp(at, edges, total)

    return clock


def _is_open(moments: pd.Series, settings: Settings, channel: str) -> Floats:
    """1 where the channel is open at the moment, else 0."""
    moment = moments.to_numpy("datetime64[us]")
    hours = hours_of(settings, channel, np.sort(moment))
    if hours is None or not len(moment):
        return np.ones(len(moment))
    local = pd.DatetimeIndex(local_times(moment, settings.company.time_zone))
    minute = local.hour * 60 + local.minute
    days, of_day = np.unique(local.to_numpy("datetime64[D]"), return_inverse=True)
    is_open = np.zeros(len(local), bool)
    for at, day in enumerate(days):
        for opens, closes in opening_intervals(hours_on(hours, day)):
            is_open |= (of_day == at) & (minute >= opens) & (minute < closes)
    return is_open.astype(float)


def _within(moments: pd.Series, begin: datetime, end: datetime) -> Bools:
    return ((moments >= begin) & (moments < end)).to_numpy(bool)


def _seconds(start: pd.Series, end: pd.Series) -> Floats:
    return (end - start).dt.total_seconds().to_numpy(float)


def _kind(level: ServiceLevel | None) -> str:
    return "backlog" if level is None else level.kind


def _resolution(level: ServiceLevel | None) -> float:
    return np.nan if level is None else level.resolution_seconds


def _count(number: int) -> Figure:
    return Figure(float(number), float(number), float(number), number)


def share(values: Floats) -> Figure:
    """Mean of zeros and ones with Wilson's interval; NaN where there is none.

    >>> found = share(np.array([1.0, 1.0, 0.0, 1.0]))
    >>> found.value, round(found.low, 3), round(found.high, 3)
    (0.75, 0.301, 0.954)
    """
    n = len(values)
    if n == 0:
        return Figure(np.nan, np.nan, np.nan, 0)
    p = float(values.mean())
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Figure(p, max(middle - half, 0.0), min(middle + half, 1.0), n)


def mean(values: Floats) -> Figure:
    """Mean with Student's interval; without one for a single value."""
    from scipy import stats

    n = len(values)
    if n == 0:
        return Figure(np.nan, np.nan, np.nan, 0)
    value = float(values.mean())
    if n == 1:
        return Figure(value, np.nan, np.nan, 1)
    half = float(stats.t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Figure(value, value - half, value + half, n)


def quantile(values: Floats, q: float) -> Figure:
    """A quantile between the order statistics that hold it with 95 %; NaN ends where too few.

    >>> quantile(np.arange(100.0), 0.5)
    Figure(value=49.5, low=39.0, high=60.0, count=100)
    """
    from scipy import stats

    n = len(values)
    if n == 0:
        return Figure(np.nan, np.nan, np.nan, 0)
    ordered = np.sort(values)
    low, high = (int(stats.binom.ppf(p, n, q)) for p in (0.025, 0.975))
    return Figure(
        float(np.quantile(ordered, q)),
        float(ordered[low - 1]) if low >= 1 else np.nan,
        float(ordered[min(high, n - 1)]) if high < n else np.nan,
        n,
    )
