"""A batch of a job's rows with what was published of each customer.

All rows of a job are of one publication: one moment, one model. What was posted since does not
change a number, but it is heeded: who left or asked not to be profiled meanwhile is not answered,
and ``news`` marks whom ``/v1/predictions`` would score anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from serving.items import LIFETIME
from serving.night import Scores
from serving.of_customers import standing_of
from serving.outreach.actions import action_for
from serving.predictor import REPEAT

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from serving.live import Live

ERRORS = {
    "unknown": "nobody of this id is known; post them to /v1/events",
    "closed": "they have left",
    "not_profiled": "they asked not to be profiled",
    "not_scored": "they came after these scores were made; ask /v1/predictions",
}
"""Why a row whose id can be read is not answered, by its status."""
NUMBERS = ("contact_30d", "expected_tickets_30d", REPEAT)
LISTS = ("topics", "channels", "reasons")
"""Columns that hold JSON."""


class Standing(Protocol):
    """What was posted since the scores were made."""

    def take_in(self) -> None:
        """Know of what was posted so far."""
        ...

    def has_news(self, customer_id: str, since: datetime) -> bool: ...

    def standing(self, customer_ids: Sequence[str]) -> Mapping[str, str]:
        """By customer ``here``, ``closed`` or ``not_profiled``, as of now; others are unknown."""
        ...


@dataclass(frozen=True)
class SincePosted:
    """The same of a running service."""

    live: Live

    def has_news(self, customer_id: str, since: datetime) -> bool:
        return self.live.has_news(customer_id, since)

    def standing(self, customer_ids: Sequence[str]) -> dict[str, str]:
        rows = self.live.rows_of(customer_ids)
        return standing_of(rows, set(customer_ids), self.live.clock.now())

    def take_in(self) -> None:
        self.live.take_in()


@dataclass(frozen=True)
class Source:
    """A publication as jobs read it: where each customer stands, and the rows."""

    scores: Scores
    table: pa.Table
    as_of: datetime
    model_version: str


def answers(
    rows: pa.Table, first: int, horizons: Sequence[int], source: Source, live: Standing
) -> pa.Table:
    """One row a row of ``rows`` (``ids.rows_of``), in order, the first one numbered ``first``."""
    import pyarrow as pa

    live.take_in()
    ids, status = rows.column("customer_id").to_pylist(), rows.column("status").to_pylist()
    errors = rows.column("error").to_pylist()
    wanted = [i if kind is None else None for i, kind in zip(ids, status, strict=True)]
    places = source.scores.places(wanted)
    news = [i is not None and live.has_news(i, source.as_of) for i in wanted]
    unsure = [i for i, at, new in zip(wanted, places, news, strict=True) if i and (new or at < 0)]
    here = live.standing(unsure) if unsure else {}
    for number, (i, at, new) in enumerate(zip(wanted, places, news, strict=True)):
        if i is None:
            continue
        kind = "here" if at >= 0 and not new else here.get(i, "unknown")
        if kind == "here":
            kind = "scored" if at >= 0 else "not_scored"
        status[number], errors[number] = kind, ERRORS.get(kind)
    scored = np.array([kind == "scored" for kind in status], dtype=bool)
    columns = _scored_columns(source, horizons, np.where(scored, places, -1))
    return pa.table(
        {
            "row": pa.array(range(first, first + len(ids)), pa.int64()),
            "customer_id": pa.array(ids, pa.string()),
            "status": pa.array(status, pa.string()),
            "error": pa.array(errors, pa.string()),
            **columns,
            "news": pa.array((np.array(news, dtype=bool) & scored).tolist(), pa.bool_()),
        }
    )


def _scored_columns(
    source: Source, horizons: Sequence[int], places: npt.NDArray[np.int64]
) -> dict[str, pa.ChunkedArray]:
    """What was published, null where the place is -1."""
    import pyarrow as pa

    absent = places < 0
    number, text, time = pa.float64(), pa.string(), pa.timestamp("us")
    kinds = {
        **{f"risk_{h}d": number for h in horizons},
        **dict.fromkeys(("topic", "channel", *LISTS), text),
        **dict.fromkeys(NUMBERS, number),
    }
    names = [name for name in kinds if name in source.table.column_names]
    rows = source.table.select(names).take(pa.array(places, mask=absent))
    columns = {
        name: rows.column(name).cast(kind) if name in names else pa.nulls(len(places), kind)
        for name, kind in kinds.items()
    }

    def same(value: Any, kind: pa.DataType) -> pa.Array:
        return pa.array([None if gone else value for gone in absent], kind)

    return {
        **columns,
        "action": _actions(columns["topic"], absent),
        "as_of": same(source.as_of, time),
        "expires_at": same(source.as_of + LIFETIME, time),
        "model_version": same(source.model_version, text),
    }


def _actions(topics: Any, absent: npt.NDArray[np.bool_]) -> pa.Array:
    import pyarrow as pa

    words = topics.to_pylist()
    actions = {topic: action_for(topic).name for topic in set(words)}
    named = [None if gone else actions[topic] for topic, gone in zip(words, absent, strict=True)]
    return pa.array(named, pa.string())
