"""Counts per channel and topic from the ticket log, or from a table of volumes, as of a moment.

Nodes are ``total``, ``channel=email``, ``topic=billing`` and ``channel=email/topic=billing``;
``/``, ``=`` and ``%`` in values are percent-escaped and a topic not given is ``topic=``.

>>> node(channel="e/mail", topic=None)
'channel=e%2Fmail/topic='
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from data.errors import NotEnoughHistory
from data.tables import Tables
from features.asof import as_of_view
from features.calendar import local_times
from models.volume.context import VolumeContext
from models.volume.grid import DAY_US, MINUTE_US, Frequency, Grid, parse_frequency

MICROSECOND = timedelta(microseconds=1)
TOTAL = "total"
_ABSENT = object()


def escape(value: str) -> str:
    """A channel's or topic's name as it stands in an id.

    >>> escape("50% off/a=b")
    '50%25 off%2Fa%3Db'
    """
    return value.replace("%", "%25").replace("/", "%2F").replace("=", "%3D")


def node(*, channel: object = _ABSENT, topic: object = _ABSENT) -> str:
    """The id of a node; leave out what it is not split by, null is the empty value."""
    parts = []
    for name, value in (("channel", channel), ("topic", topic)):
        if value is not _ABSENT:
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

    Counts every ticket by ``opened_at``, machines' left out, on the company's local steps from
    the first ticket's to the last that ended by ``as_of``; a step without a ticket is 0. Parts
    add up to their totals in every step. Raises NotEnoughHistory where no step is complete.
    """
    context = context or VolumeContext()
    frequency = parse_frequency(freq)
    columns = ["opened_at", "channel", "topic", "is_machine"]
    tickets = as_of_view(tables, "tickets", as_of, columns)
    machine = tickets["is_machine"].to_numpy(dtype=bool, na_value=False)
    tickets = tickets[~machine & tickets["opened_at"].notna().to_numpy()]
    if tickets.empty:
        raise NotEnoughHistory(f"tickets has no contact before {as_of}; a forecast needs some.")
    grid = company_grid(frequency, context.time_zone, as_of)
    opened = tickets["opened_at"].to_numpy().astype("datetime64[us]")
    index = grid.index(opened)
    end = int(grid.index(np.array([as_of], dtype="datetime64[us]"))[0])
    start = _first_whole_step(grid, index, opened)
    if end <= start:
        raise NotEnoughHistory(
            f"tickets holds no complete step of {freq!r} before {as_of}; the first contact is at "
            f"{opened.min()}. Give a shorter --freq or a later --as-of."
        )
    inside = (index >= start) & (index < end)
    return _nodes(tickets[inside], index[inside] - start, grid.ds(np.arange(start, end)))


def _first_whole_step(grid: Grid, index: np.ndarray, opened: np.ndarray) -> int:
    """The first ticket's step; the next one if that week or month had begun days before."""
    first = int(index.min())
    if grid.frequency.unit in ("minute", "day"):
        return first
    late = opened.min() - grid.ds(np.array([first]))[0] >= np.timedelta64(DAY_US, "us")
    return first + 1 if late else first


def _nodes(tickets: pd.DataFrame, step: np.ndarray, ds: np.ndarray) -> pd.DataFrame:
    channel = tickets["channel"].to_numpy(dtype=object)
    topic = tickets["topic"].to_numpy(dtype=object)
    keys = pd.DataFrame({"channel": channel, "topic": topic})
    pairs = keys.drop_duplicates()
    names = {
        (_key(row.channel), _key(row.topic)): (
            node(channel=row.channel),
            node(topic=row.topic),
            node(channel=row.channel, topic=row.topic),
        )
        for row in pairs.itertuples()
    }
    code, unique = pd.factorize(
        pd.Series([(_key(c), _key(t)) for c, t in zip(channel, topic, strict=True)], dtype=object)
    )
    cells = np.zeros((len(unique), len(ds)))
    np.add.at(cells, (code, step), 1.0)
    sums: dict[str, np.ndarray] = {TOTAL: cells.sum(axis=0)}
    for row, pair in enumerate(unique):
        for name in names[pair]:
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


def series_from_volumes(
    tables: Tables, as_of: datetime, freq: str, context: VolumeContext | None = None
) -> pd.DataFrame:
    """The ``volumes`` table's rows whose step has ended by ``as_of``: ``unique_id, ds, y``.

    Ids and times come as given; corrected counts count from when they were recorded.
    """
    context = context or VolumeContext()
    parse_frequency(freq)
    # a row is seen from just after its step's end; a step that ends at as_of is complete
    rows = as_of_view(tables, "volumes", as_of + MICROSECOND, ["unique_id", "ds", "y"])
    if rows.empty:
        raise NotEnoughHistory(f"volumes has no complete step before {as_of}.")
    return rows.sort_values(["unique_id", "ds"], ignore_index=True)
