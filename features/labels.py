"""What came of it: the only file that looks forward.

A label of h days with a gap of g asks whether a complaint was opened in ``[T+g, T+g+h)``. The
answer is itself known only as of some moment: ``known_as_of``. Tickets are read as they were known
then, a window that was not over by then has no label (NaN), and nothing later can change one.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.settings import Complaint
>>> from data.tables import MemoryTables
>>> tickets = pd.DataFrame({"ticket_id": ["1"], "opened_at": ["2026-01-08"], "channel": ["email"],
...                         "customer_id": ["a"], "is_complaint": [True]})
>>> spine = pd.DataFrame({"customer_id": ["a", "a"],
...                       "as_of": pd.to_datetime(["2026-01-01", "2026-01-02"])})
>>> labels(spine, MemoryTables({"tickets": tickets}), horizons=(7, 14),
...        known_as_of=datetime(2026, 1, 15), complaint=Complaint())[["label_7d", "label_14d"]]
   label_7d  label_14d
0       0.0        1.0
1       1.0        NaN
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Ints
from data.errors import DataError
from data.tables import Tables
from features.asof import as_of_view, microseconds
from features.complaint import ComplaintRule, is_complaint
from features.lengths import DAY

COLUMNS = (
    "ticket_id",
    "customer_id",
    "opened_at",
    "is_complaint",
    "is_machine",
    "topic",
    "channel",
    "priority",
    "csat",
)


def labels(
    spine: pd.DataFrame,
    tables: Tables,
    *,
    horizons: Sequence[int] = (7, 14, 30),
    gap_days: float = 0,
    known_as_of: datetime,
    complaint: ComplaintRule,
) -> pd.DataFrame:
    """The labels of ``spine`` (customer_id, as_of), one row for each of its rows, in its order.

    Per horizon of h days float64, NaN where ``T + g + h > known_as_of``: ``label_{h}d`` 1 if a
    complaint was opened, ``contact_{h}d`` 1 if any ticket was, ``tickets_{h}d`` how many. Machine
    tickets and anonymous ones do not count. ``next_topic`` and ``next_channel`` (str) are of the
    first complaint in the longest window, null without one or while that window is not over.
    """
    lengths = sorted({int(h) for h in horizons})
    if not lengths or lengths[0] <= 0 or gap_days < 0:
        raise DataError(f"horizons {list(horizons)} and gap {gap_days}: above 0, and not below 0")
    end = microseconds(known_as_of)
    events = as_of_view(tables, "tickets", known_as_of, COLUMNS)
    human = ~events["is_machine"].fillna(False).astype(bool) & events["customer_id"].notna()
    events = events[human].sort_values(["opened_at", "ticket_id"], kind="stable")
    complaints = events[is_complaint(events, complaint)]
    begin = spine["as_of"].to_numpy().astype("datetime64[us]").astype(np.int64)
    begin = begin + round(gap_days * DAY)
    names, who = np.unique(
        spine["customer_id"].astype("str").to_numpy(dtype=object), return_inverse=True
    )
    of_complaints = Timeline(complaints, names)
    of_events = Timeline(events, names)
    out: dict[str, object] = {
        "customer_id": spine["customer_id"].astype("str").to_numpy(),
        "as_of": spine["as_of"].to_numpy(),
    }
    for length in lengths:
        stop = begin + length * DAY
        unknown = stop > end
        complained = of_complaints.between(who, begin, stop)
        contacts = of_events.between(who, begin, stop)
        out[f"label_{length}d"] = np.where(unknown, np.nan, complained > 0)
        out[f"contact_{length}d"] = np.where(unknown, np.nan, contacts > 0)
        out[f"tickets_{length}d"] = np.where(unknown, np.nan, contacts)
    stop = begin + lengths[-1] * DAY
    first = of_complaints.first(who, begin, stop)
    first = np.where(stop > end, -1, first)
    for name in ("topic", "channel"):
        out[f"next_{name}"] = _taken(complaints[name], first)
    frame = pd.DataFrame(out, index=pd.RangeIndex(len(spine)))
    frame["customer_id"] = frame["customer_id"].astype("str")
    return frame


class Timeline:
    """Events by customer and time, to be counted between moments. ``events`` is in time order."""

    def __init__(self, events: pd.DataFrame, names: npt.NDArray[np.object_]) -> None:
        who = pd.Index(names).get_indexer(pd.Index(events["customer_id"], dtype=object))
        when = events["opened_at"].to_numpy().astype("datetime64[us]").astype(np.int64)
        known = np.flatnonzero(who >= 0)
        self.order = known[np.argsort(who[known], kind="stable")]
        self.grid = np.unique(when)
        self.pairs = self._pair(who[self.order].astype(np.int64), when[self.order])

    def _pair(self, who: Ints, moment: Ints) -> Ints:
        return who * (len(self.grid) + 1) + np.searchsorted(self.grid, moment)

    def between(self, who: Ints, begin: Ints, stop: Ints) -> Ints:
        """How many events of each customer lie in [begin, stop)."""
        first = np.searchsorted(self.pairs, self._pair(who, begin))
        return np.searchsorted(self.pairs, self._pair(who, stop)) - first

    def first(self, who: Ints, begin: Ints, stop: Ints) -> Ints:
        """The position of the first event in [begin, stop), -1 if there is none."""
        at = np.searchsorted(self.pairs, self._pair(who, begin))
        there_is_one = self.between(who, begin, stop) > 0
        return np.append(self.order, -1)[np.where(there_is_one, at, len(self.order))]


def _taken(values: pd.Series, at: Ints) -> pd.Series:
    rows = values.reset_index(drop=True).reindex(np.where(at < 0, len(values), at))
    return rows.reset_index(drop=True).astype("str")


def repeats(
    spine: pd.DataFrame,
    tables: Tables,
    *,
    days: int = 14,
    resolved_within_days: int = 7,
    known_as_of: datetime,
) -> pd.Series:
    """Whether each row's customer came back about the same issue in ``[T, T + days)``.

    float64 in the rows' order: 1 if they wrote again on the topic or the issue_id of a ticket that
    at T was open or resolved for less than ``resolved_within_days``, or if such a ticket was
    reopened; NaN where they had no such ticket, and where the window is not over by
    ``known_as_of``. An unstated topic counts as one of its own. Machine tickets and anonymous ones
    do not count.

    >>> from data.tables import MemoryTables
    >>> tickets = pd.DataFrame({"ticket_id": ["1", "2"], "opened_at": ["2026-01-01", "2026-01-08"],
    ...     "channel": "email", "customer_id": "a", "topic": "billing"})
    >>> spine = pd.DataFrame({"customer_id": ["a", "b"],
    ...                       "as_of": pd.to_datetime(["2026-01-05", "2026-01-05"])})
    >>> repeats(spine, MemoryTables({"tickets": tickets}),
    ...         known_as_of=datetime(2026, 2, 1)).tolist()
    [1.0, nan]
    """
    columns = (
        "customer_id", "ticket_id", "opened_at", "topic", "issue_id", "resolved_at", "reopened_at",
        "is_machine",
    )  # fmt: skip
    events = as_of_view(tables, "tickets", known_as_of, columns)
    human = ~events["is_machine"].fillna(False).astype(bool) & events["customer_id"].notna()
    events = events[human].assign(topic=events["topic"].fillna(""))
    repeated = pd.Series(np.nan, index=pd.RangeIndex(len(spine)))
    moments = spine["as_of"].reset_index(drop=True)
    who = spine["customer_id"].reset_index(drop=True).astype("str")
    for moment in moments.unique():
        begin, stop = pd.Timestamp(moment), pd.Timestamp(moment) + pd.Timedelta(days=days)
        if stop > pd.Timestamp(known_as_of):
            continue
        since = begin - pd.Timedelta(days=resolved_within_days)
        ended = events["resolved_at"]
        concerned = events[(events["opened_at"] < begin) & ~(ended < since)]
        coming = events[(events["opened_at"] >= begin) & (events["opened_at"] < stop)]
        again = concerned["reopened_at"].ge(begin) & concerned["reopened_at"].lt(stop)
        back = {str(name) for name in concerned.loc[again, "customer_id"]}
        for of in ("topic", "issue_id"):
            known = concerned[concerned[of].notna()]
            pairs = pd.MultiIndex.from_frame(known[["customer_id", of]])
            returning = pairs.isin(pd.MultiIndex.from_frame(coming[["customer_id", of]]))
            back |= {str(name) for name in known.loc[returning, "customer_id"]}
        rows = moments.eq(moment) & who.isin(concerned["customer_id"].astype("str"))
        repeated[rows] = who[rows].isin(back).astype(np.float64)
    return repeated
