"""Who and when: the customers there were at each T, left column of everything that follows.

>>> import pandas as pd
>>> from datetime import datetime
>>> from data.tables import MemoryTables
>>> customers = pd.DataFrame({"customer_id": ["a", "b"], "closed_at": [None, "2026-01-04"],
...                           "signed_up_at": ["2026-01-01", "2026-01-02"]})
>>> tables = MemoryTables({"customers": customers})
>>> customers_at(tables, [datetime(2026, 1, 3), datetime(2026, 1, 5)])
  customer_id      as_of
0           a 2026-01-03
1           b 2026-01-03
2           a 2026-01-05
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Floats
from data.errors import DataError
from data.tables import Tables
from features.asof import microseconds
from features.compute import in_shards
from features.history import History
from features.language import count, now
from features.program import Program
from features.sources import (
    ARTICLE_EVENTS,
    BOT_SESSIONS,
    CUSTOMERS,
    FEEDBACK,
    ORDERS,
    SIGHTINGS,
    TICKETS,
    USAGE,
    Source,
)
from features.spec import Feature, FeatureView, Node, Term

ACTIVITY = (ORDERS, USAGE, TICKETS, BOT_SESSIONS, FEEDBACK, ARTICLE_EVENTS)
"""What makes a customer active."""


def customers_at(
    tables: Tables,
    as_ofs: Sequence[datetime],
    active_within_days: int | None = None,
    *,
    memory_limit: int | None = None,
) -> pd.DataFrame:
    """Every (customer_id, as_of) signed up and not closed as of T, by T and then customer_id.

    Without a customers table: everybody seen before T in orders, usage or tickets. With
    ``active_within_days`` only those with an order, use, ticket, bot session, feedback or article
    view in that many days before T. ``as_of`` is datetime64[us]; equal times are taken once.
    ``memory_limit``: as in ``compute``.
    """
    moments = np.unique(np.array([microseconds(t) for t in as_ofs], dtype=np.int64))
    who = membership(tables, active_within_days)
    customers, times = [], []
    with in_shards(FeatureView(who.features), tables, moments, memory_limit) as shards:
        for number in range(shards.count):
            run = shards.run_of(number)
            names = names_of(run.history, [node.source for node in who.here])
            names = names[shards.owners(names) == number]
            values = run.shared(moments).values(run.program, names, np.arange(len(names)))
            keep = who.there(run.program, values).reshape(len(names), len(moments))
            line, time = np.nonzero(keep)
            customers.append(names[line])
            times.append(moments[time])
    name, when = np.concatenate(customers), np.concatenate(times)
    order = np.lexsort((name.astype(str), when))
    return pd.DataFrame(
        {
            "customer_id": pd.Series(name[order], dtype="str"),
            "as_of": when[order].astype("datetime64[us]"),
        }
    )


def names_of(history: History, sources: Sequence[Source]) -> npt.NDArray[np.object_]:
    """The customers whom rows of these sources name, in order."""
    names: set[str] = set()
    for source in sources:
        names.update(history.rows(source).column(source["customer_id"]).categories)  # type: ignore[arg-type]
    return np.array(sorted(names), dtype=object)


@dataclass(frozen=True)
class Membership:
    """Who is a customer at T: whoever has a value above 0 in ``here``, and in ``active`` too."""

    here: tuple[Term, ...]
    active: tuple[Term, ...] | None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All terms that decide."""
        return tuple(dict.fromkeys((*self.here, *(self.active or ()))))

    @property
    def features(self) -> tuple[Feature, ...]:
        """The same as features, to be read."""
        return tuple(Feature(f"member_{at}", node) for at, node in enumerate(self.nodes))

    def there(self, program: Program, values: Floats) -> npt.NDArray[np.bool_]:
        """Who is one at each slot, from the values of a program with these nodes."""
        keep = self._any(self.here, program, values)
        return keep if self.active is None else keep & self._any(self.active, program, values)

    def _any(
        self, nodes: tuple[Term, ...], program: Program, values: Floats
    ) -> npt.NDArray[np.bool_]:
        keep = np.zeros(values.shape[1], dtype=bool)
        for node in nodes:
            keep |= values[program.row[node]] > 0
        return keep


def membership(tables: Tables, active_within_days: int | None = None) -> Membership:
    """What decides who is a customer, given which tables there are.

    Raises DataError for days that are not above 0.
    """
    if active_within_days is not None and active_within_days <= 0:
        raise DataError(f"active_within_days is {active_within_days}; it must be above 0")
    here = (
        [now(CUSTOMERS, until="closed_at", label="open")]
        if tables.has("customers")
        else [count(s) for s in SIGHTINGS if tables.has(s.table)]
    )
    active = [count(s, days=active_within_days) for s in ACTIVITY if tables.has(s.table)]
    return Membership(_terms(here), None if active_within_days is None else _terms(active))


def _terms(features: Sequence[Feature]) -> tuple[Term, ...]:
    return tuple(f.node for f in features if isinstance(f.node, Term))
