"""Counts per channel and topic from the ticket log, or from a table of volumes, as of a moment.

Nodes are ``total``, ``channel=email``, ``topic=billing`` and ``channel=email/topic=billing``, and
the same with further columns that contacts are split by (``channel=email/region=north``);
``/``, ``=`` and ``%`` in values are percent-escaped and a topic not given is ``topic=``.

>>> node(channel="e/mail", topic=None)
'channel=e%2Fmail/topic='
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.contract import table
from data.errors import NotEnoughHistory, SettingsError, did_you_mean
from data.notices import FAR_DAYS, FEW_SHARE
from data.tables import Tables, attributes_of
from features.asof import as_of_view, times_of
from features.calendar import local_times
from models.volume.context import VolumeContext
from models.volume.grid import DAY_US, MINUTE_US, Frequency, Grid, grid_of, parse_frequency

TOTAL = "total"
NOT_SPLIT_BY = ("ticket_id", "customer_id", "text", "name", "vulnerable", "issue_id", "deleted")


def escape(value: str) -> str:
    """A channel's or topic's name as it stands in an id.

    >>> escape("50% off/a=b")
    '50%25 off%2Fa%3Db'
    """
    return value.replace("%", "%25").replace("/", "%2F").replace("=", "%3D")


def node(**values: object) -> str:
    """The id of a node; leave out what it is not split by, null is the empty value."""
    parts = []
    for name, value in values.items():
        null = value is None or value != value or value is pd.NA
        parts.append(f"{name}={'' if null else escape(str(value))}")
    return "/".join(parts) or TOTAL


def attributes(name: str) -> dict[str, str | None]:
    """Channel and topic of a node's id, None for null; empty for ``total`` and foreign ids.

    >>> attributes(node(channel="e/mail", topic=None))
    {'channel': 'e/mail', 'topic': None}
    """
    parts = [part.partition("=") for part in name.split("/")]
    if not all(key in ("channel", "topic") and mark for key, mark, _ in parts):
        return {}
    return {key: _unescape(value) or None for key, _, value in parts}


def _unescape(value: str) -> str:
    return value.replace("%2F", "/").replace("%3D", "=").replace("%25", "%")


def company_grid(frequency: Frequency, time_zone: str, as_of: datetime) -> Grid:
    """The company's own steps: local days, Mondays, months; hours that begin on local hours."""
    instants = time_zone != "UTC"
    if frequency.unit == "minute":
        moment = np.array([as_of], dtype="datetime64[us]")
        offset = int((local_times(moment, time_zone) - moment).astype("int64")[0])
        return Grid(frequency, time_zone, phase=-offset % (frequency.count * MINUTE_US))
    # 1970-01-01 was a Thursday: weeks begin four days later, on Monday
    return Grid(frequency, time_zone, 4 if frequency.unit == "week" else 0, instants)


def series_from_tickets(
    tables: Tables, as_of: datetime, freq: str, context: VolumeContext | None = None
) -> pd.DataFrame:
    """Offered contacts per node and step, as known at ``as_of``: ``unique_id, ds, y``.

    Counts every ticket by ``opened_at``, machines' left out, and bots' hand-overs that led to none
    by ``handed_over_at``, on the company's local steps from the first contact's to the last that
    ended by ``as_of``; a step without a contact is 0. Parts add up to their totals in every step.
    Raises NotEnoughHistory where no step is complete.
    """
    context = context or VolumeContext()
    frequency = parse_frequency(freq)
    contacts = _contacts(tables, as_of, context)
    if contacts.empty:
        raise NotEnoughHistory(f"tickets has no contact before {as_of}; a forecast needs some.")
    grid = company_grid(frequency, context.time_zone, as_of)
    opened = contacts["opened_at"].to_numpy().astype("datetime64[us]")
    index = grid.index(opened)
    end = int(grid.index(np.array([as_of], dtype="datetime64[us]"))[0])
    begins = opened >= _first_of_history(opened)
    start = _first_whole_step(grid, index[begins], opened[begins])
    if end <= start:
        raise NotEnoughHistory(
            f"tickets holds no complete step of {freq!r} before {as_of}; the first contact is at "
            f"{opened.min()}. Give a shorter --freq or a later --as-of."
        )
    if context.history_days:
        oldest = np.array([as_of - timedelta(days=context.history_days)], dtype="datetime64[us]")
        start = min(max(start, int(grid.index(oldest)[0])), end - 1)
    inside = (index >= start) & (index < end)
    by = ("channel", "topic", *context.split_by)
    steps = np.arange(start, end)
    nodes = _nodes(contacts.loc[inside, list(by)], index[inside] - start, grid.ds(steps))
    there = grid.exists(steps)
    return nodes if there.all() else nodes[~nodes["ds"].isin(grid.ds(steps[~there]))]


def _contacts(tables: Tables, as_of: datetime, context: VolumeContext) -> pd.DataFrame:
    """``opened_at, channel, topic`` and what they are split by, a row for each contact."""
    split = context.split_by
    kinds = {name: _table_of(tables, name) for name in split}
    own = [name for name in split if kinds[name] == "tickets"]
    columns = ["ticket_id", "customer_id", "opened_at", "channel", "topic", "is_machine", *own]
    columns += ["issue_id"] if context.issue_hours else []
    tickets = as_of_view(tables, "tickets", as_of, list(dict.fromkeys(columns)))
    machine = tickets["is_machine"].to_numpy(dtype=bool, na_value=False)
    contacts = tickets[~machine & tickets["opened_at"].notna().to_numpy()]
    if context.handed_over_channel and tables.has("bot_sessions"):
        columns = ["customer_id", "handed_over_at", "ticket_id", "topic"]
        bots = as_of_view(tables, "bot_sessions", as_of, columns)
        alone = bots["handed_over_at"].notna() & ~bots["ticket_id"].isin(tickets["ticket_id"])
        # where no session names a ticket, nobody can tell which tickets began with a bot
        alone &= bool(bots["ticket_id"].notna().any())
        over = bots[alone].rename(columns={"handed_over_at": "opened_at"})
        if len(over):
            over = over.assign(channel=context.handed_over_channel)
            contacts = pd.concat([contacts, over.drop(columns="ticket_id")], ignore_index=True)
    if context.issue_hours:
        contacts = contacts.reset_index(drop=True)
        contacts = first_of_issues(contacts, context.issue_hours)
    others = [name for name in split if kinds[name] == "customers"]
    if others:
        about = as_of_view(tables, "customers", as_of, ["customer_id", *others])
        contacts = contacts.merge(about, on="customer_id", how="left")
    return contacts


def first_of_issues(contacts: pd.DataFrame, hours: float) -> pd.DataFrame:
    """The first contact of each issue: of one ``issue_id``; without one, of one customer on one
    topic, over all channels, while no pause is longer than ``hours``. Strangers' contacts are all
    issues of their own.

    >>> at = pd.to_datetime(["2026-01-01 10:00", "2026-01-01 12:00", "2026-01-03 10:00"])
    >>> log = pd.DataFrame({"opened_at": at, "customer_id": "c", "topic": None, "issue_id": None})
    >>> first_of_issues(log, 24)["opened_at"].dt.day.tolist()
    [1, 3]
    """
    ordered = contacts.sort_values("opened_at", kind="stable")
    stated = ordered["issue_id"].notna()
    known = ordered["customer_id"].notna() & ~stated
    by = [ordered["customer_id"], ordered["topic"].astype(object).fillna("")]
    pause = ordered["opened_at"].where(known).groupby(by, dropna=False).diff()
    goes_on = known & pause.notna() & (pause <= pd.Timedelta(hours=hours))
    again = stated & ordered["issue_id"].duplicated()
    return contacts.loc[(~goes_on & ~again).reindex(contacts.index)]


def _table_of(tables: Tables, name: str) -> str:
    """``tickets`` or ``customers``: where a column to split by stands."""
    known = {
        kind: [
            column
            for column in (*table(kind).names, *attributes_of(kind, tables.attributes))
            if column not in NOT_SPLIT_BY and not column.endswith("_at")
        ]
        for kind in ("tickets", "customers")
    }
    for kind, columns in known.items():
        if name in columns and name not in ("channel", "topic"):
            return kind
    every = sorted({*known["tickets"], *known["customers"]} - {"channel", "topic"})
    raise SettingsError(
        f"[volume] split_by: {name!r} is no column of tickets or customers to split contacts by."
        f"{did_you_mean(name, every)}"
    )


def _first_of_history(opened: np.ndarray) -> np.datetime64:
    """The first contact; the first after an empty stretch of years before which are hardly any,
    as of a system's first day that stands for no date (``presage check`` names them)."""
    moments = np.sort(opened)
    ends = np.flatnonzero(np.diff(moments) > np.timedelta64(FAR_DAYS, "D")) + 1
    ends = ends[ends <= max(1, FEW_SHARE * len(moments))]
    first: np.datetime64 = moments[ends[-1] if len(ends) else 0]
    return first


def _first_whole_step(grid: Grid, index: np.ndarray, opened: np.ndarray) -> int:
    """The first ticket's step; the next one if that week or month had begun days before."""
    first = int(index.min())
    if grid.frequency.unit in ("minute", "day"):
        return first
    late = opened.min() - grid.ds(np.array([first]))[0] >= np.timedelta64(DAY_US, "us")
    return first + 1 if late else first


def _nodes(values: pd.DataFrame, step: np.ndarray, ds: np.ndarray) -> pd.DataFrame:
    """Counts of every combination of ``values`` (contacts x what they are split by), of all sums
    over some of these, and of the total.
    """
    names = list(values.columns)
    rows = list(zip(*(map(_key, values[name].to_numpy(object)) for name in names), strict=True))
    whole = pd.Series(rows, dtype=object)
    code, unique = pd.factorize(whole)
    cells = np.zeros((len(unique), len(ds)))
    np.add.at(cells, (code, step), 1.0)
    sums: dict[str, np.ndarray] = {}
    for size in range(len(names) + 1):
        for places in combinations(range(len(names)), size):
            for row, combination in enumerate(unique):
                name = node(**{names[place]: combination[place] for place in places})
                sums[name] = sums.get(name, 0.0) + cells[row]
    ids = sorted(sums)
    return pd.DataFrame(
        {
            "unique_id": pd.Series(np.repeat(np.array(ids, dtype=object), len(ds)), dtype="str"),
            "ds": np.tile(ds, len(ids)),
            "y": np.concatenate([sums[name] for name in ids]),
        }
    )


def _key(value: object) -> object:
    return None if value is None or value != value or value is pd.NA else value


def volumes_grid(tables: Tables, as_of: datetime, freq: str, context: VolumeContext) -> Grid:
    """The grid on which most of the ``volumes`` table's steps that begin before ``as_of`` stand.

    Raises NotEnoughHistory where there is none.
    """
    ds = tables.frame("volumes", ["ds"])["ds"].to_numpy()
    begun = ds[ds < np.datetime64(as_of, "us")]
    if not len(begun):
        raise NotEnoughHistory(f"volumes has no complete step before {as_of}.")
    return grid_of(begun, parse_frequency(freq), context.time_zone, context.local_days)


def series_from_volumes(
    tables: Tables, as_of: datetime, freq: str, context: VolumeContext | None = None
) -> pd.DataFrame:
    """The ``volumes`` table's rows whose step has ended by ``as_of``: ``unique_id, ds, y``.

    A step ends where the next one of the grid begins: local days, months and quarters are as long
    as they are. Ids and times come as given; corrected counts count from when they were recorded.
    Raises NotEnoughHistory where no step is complete.
    """
    context = context or VolumeContext()
    grid = volumes_grid(tables, as_of, freq, context)

    def last_moments(rows: pd.DataFrame) -> Ints:
        """A row is seen from just after its birth: a step that ends at as_of is complete."""
        ends = grid.ds(grid.index(rows["ds"].to_numpy()) + 1)
        return times_of(pd.Series(ends)) - 1

    rows = as_of_view(tables, "volumes", as_of, ["unique_id", "ds", "y"], births=last_moments)
    if context.history_days:
        rows = rows[rows["ds"] >= as_of - timedelta(days=context.history_days)]
    if rows.empty:
        raise NotEnoughHistory(f"volumes has no complete step before {as_of}.")
    return rows.sort_values(["unique_id", "ds"], ignore_index=True)
