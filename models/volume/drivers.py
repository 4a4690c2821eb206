"""How many contacts each driver makes, and by what a forecast without drivers is multiplied.

Contacts of a node on day *d* are taken as Poisson with mean ``s_d (b people_d + sum_k r_k E_kd)``:
weekday times a base rate of all customers plus a rate for each unit of each driver. Of every ticket
it is known how much of each driver its customer had on that day, so the rates are found by
expectation maximisation over tickets (which cause made this one?), not from a few hundred daily
sums: a hundred late orders tell the rate, long before the first strike. They are found for each
channel and topic, a gamma prior worth one contact a cause pulling them to its share of everybody's;
a node's rates are the sums of its parts'.

``m_d = b people_d + sum_k r_k E_kd``, relative to its own median, is the node's **load**. The
members forecast counts divided by the past loads, and their forecast is multiplied by the projected
ones: what drivers explain is taken out, forecast by what is known, and put back. A load that is
wrong by a constant factor cancels out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.arrays import Floats, Times
from features.calendar import utc_times
from models.coherence import is_node
from models.volume.driver_source import DriverSource, Known
from models.volume.panel import Panel
from models.volume.projection import MOST_STEPS
from models.volume.series import TOTAL, node

__all__ = ["DriverSource", "Known", "Loads", "known_after", "loads_at"]

LEAST_DAYS = 28
LEAST_LOAD = 0.05


@dataclass(frozen=True)
class Loads:
    """``past`` (series x days) of the local days from ``first`` on and ``ahead`` of those after
    them, and of those the ``paths`` (paths x series x days, see ``Projection``);
    ``rates`` (series x (base, *DRIVERS)) in contacts a customer or unit and day.
    """

    first: int
    past: Floats
    ahead: Floats
    paths: Floats
    rates: Floats

    def without(self, panel: Panel) -> Panel:
        """The panel's counts divided by the loads of their days."""
        return replace(panel, y=panel.y / self._on(panel.grid.days(panel.index), self.ahead))

    def coming(self, panel: Panel, horizon: int) -> Floats:
        """What the forecast of the next steps is multiplied by (series x steps)."""
        return self._on(panel.grid.days(panel.future(horizon)), self.ahead)

    def coming_by_path(self, panel: Panel, horizon: int) -> Floats:
        """The same for each path (paths x series x steps)."""
        days = panel.grid.days(panel.future(horizon))
        return np.stack([self._on(days, path) for path in self.paths])

    def _on(self, days: Times, ahead: Floats) -> Floats:
        whole = np.concatenate([self.past, ahead], axis=1)
        place = np.clip(days.astype("int64") - self.first, 0, whole.shape[1] - 1)
        return whole[:, place]


def known_after(source: DriverSource, panel: Panel) -> Known:
    """What was known at the first moment of the local day on which the step after the panel begins,
    or of the day before where that is later: where days come as dates, west of UTC.
    """
    end = panel.future(1)
    day = panel.grid.days(end)
    late = utc_times(day, source.time_zone) > panel.grid.ds(end)
    return source.at(int(day.astype("int64")[0] - late[0]))


def loads_at(source: DriverSource, panel: Panel) -> Loads | None:
    """The loads of a panel's series as known at its end; None where too little was seen.

    Projections reach ``MOST_STEPS`` days; later days are as the last of them.
    """
    if panel.grid.frequency.unit not in ("minute", "day"):
        return None
    known = known_after(source, panel)
    if not known.useful or known.day - known.first < LEAST_DAYS:
        return None
    rates = _members(panel.ids, known.cells) @ known.rates
    contacts = rates @ np.column_stack([known.people, known.exposure])[:-1].T
    middle = np.maximum(np.median(contacts, axis=1, keepdims=True), 1e-9)
    people = np.full(MOST_STEPS, known.people[-1])

    def load(exposure: Floats) -> Floats:
        coming = rates @ np.column_stack([people, exposure]).T
        return np.maximum(coming / middle, LEAST_LOAD)

    return Loads(
        known.first,
        np.maximum(contacts / middle, LEAST_LOAD),
        load(known.ahead.mean),
        np.stack([load(path) for path in known.ahead.paths]),
        rates,
    )


def _members(ids: Sequence[str], cells: Sequence[tuple[object, object]]) -> Floats:
    """Which channel and topic belongs to which series (series x cells); all to other ids. What else
    a series is split by is not looked at: it has the loads of its channel and topic.
    """
    out = np.ones((len(ids), len(cells)))
    names = [{node(channel=c, topic=t), node(channel=c), node(topic=t), node()} for c, t in cells]
    for row, one in enumerate(ids):
        if is_node(one):
            parts = [part for part in one.split("/") if part.startswith(("channel=", "topic="))]
            out[row] = [("/".join(parts) or TOTAL) in of for of in names]
    return out
