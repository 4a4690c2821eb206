"""The published scores in order: whom to look at first, by risk or by the money at stake.

An order is made once a night and kept; a page of it is a slice. Who has news since is marked: their
numbers here are the night's, ``/v1/predictions`` has those of now.

>>> frame = pd.DataFrame({"customer_id": ["a", "b", "c"], "risk_14d": [0.1, 0.5, 0.3],
...                       "topic": ["billing", "billing", None]})
>>> people = pd.DataFrame({"segment": ["gold", None, "gold"], "value": [900.0, 10.0, 100.0]})
>>> ranking = Ranking(frame, people)
>>> [ranking.ids[at] for at in ranking.page(Wanted(14, "risk"), 0, 2)[0]]
['b', 'c']
>>> [ranking.ids[at] for at in ranking.page(Wanted(14, "value", segment="gold"), 0, 9)[0]]
['a', 'c']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from data.arrays import Floats, Ints
from data.tables import Tables
from features.asof import as_of_view
from serving.published import Published

Order = Literal["risk", "value"]


@dataclass(frozen=True)
class Wanted:
    """Which customers, by what: the risk within ``horizon`` days, or that times what they are
    worth a year; only of a segment or likely topic, only from a probability on."""

    horizon: int
    order: Order = "risk"
    segment: str | None = None
    topic: str | None = None
    min_probability: float = 0.0


@dataclass
class Ranking:
    """Scores (``frame``) beside what is known of each customer (``people``: segment, value)."""

    frame: pd.DataFrame
    people: pd.DataFrame
    _orders: dict[tuple[Order, int], Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ids: Sequence[str] = self.frame["customer_id"].array
        self.segment, self.segments = pd.factorize(self.people["segment"])
        self.topic, self.topics = pd.factorize(self.frame["topic"])
        self.value: Floats = self.people["value"].to_numpy(np.float64, na_value=np.nan)

    def risk(self, horizon: int) -> Floats:
        """Everybody's risk within so many days."""
        return self.frame[f"risk_{horizon}d"].to_numpy(np.float64)

    def page(self, wanted: Wanted, start: int, limit: int) -> tuple[list[int], bool]:
        """Rows of the frame from ``start`` on in the order wanted, and whether more follow.

        Of equals the one first in the frame comes first. By value those whose value is not known
        are left out.
        """
        order = self._ordered(wanted.order, wanted.horizon)
        keep = np.ones(len(order), dtype=bool)
        for text, codes, names in (
            (wanted.segment, self.segment, self.segments),
            (wanted.topic, self.topic, self.topics),
        ):
            if text is not None:
                (code,) = pd.Index(names, dtype=object).get_indexer([text])
                keep &= (codes[order] == code) & (code >= 0)
        if wanted.min_probability > 0:
            keep &= self.risk(wanted.horizon)[order] >= wanted.min_probability
        chosen = order if keep.all() else order[keep]
        return chosen[start : start + limit].tolist(), start + limit < len(chosen)

    def _ordered(self, order: Order, horizon: int) -> Ints:
        if (order, horizon) not in self._orders:
            by = self.risk(horizon)
            by = by * self.value if order == "value" else by
            places = np.argsort(-by, kind="stable")
            self._orders[order, horizon] = places[~np.isnan(by[places])]
        return self._orders[order, horizon]


def ranking_of(published: Published, snapshot: Tables) -> Ranking:
    """The published scores beside the customers as known at their moment."""
    frame = published.frame
    nothing = pd.DataFrame({"segment": None, "value": np.nan}, index=frame.index)
    if not snapshot.has("customers"):
        return Ranking(frame, nothing)
    names = ["customer_id", "segment", "value"]
    known = as_of_view(snapshot, "customers", published.as_of, names).set_index("customer_id")
    return Ranking(frame, known.reindex(frame["customer_id"]).reset_index(drop=True))
