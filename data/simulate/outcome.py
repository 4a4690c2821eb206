"""What a day brought: the hazards it had, who came, who waited how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from data.arrays import Bools, Floats, Ints
from data.errors import UsageError
from data.simulate.contacts import Contacts
from data.simulate.rates import CAUSES, QUESTIONS
from data.simulate.record import Record
from data.simulate.timeline import NEVER
from data.simulate.words import Words

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DayOutcome:
    """What a day brought.

    ``complaint_hazard`` and ``contact_hazard``: the day's intensities a customer (position c of
    customer ``c00000c``), 0 for those not with us. ``expected``: expected tickets by channel
    × topic (``rates.CHANNELS``, ``rates.TOPICS``). ``agents`` and ``load``: staffed agents and the
    handle time begun, in agents, by channel × local hour.
    """

    day: date
    starts_at: datetime
    ends_at: datetime
    complaints: int
    tickets: int
    complained: Bools
    contacted: Bools
    complaint_hazard: Floats
    contact_hazard: Floats
    expected: Floats
    agents: Floats
    load: Floats
    offered: Contacts
    events: dict[str, Ints]
    handle_seconds: Floats
    words: Words = field(default_factory=Words)

    def contacts(self) -> pd.DataFrame:
        """The day's contacts (machines aside), one row each, and what became of them that day.

        ``answered_at`` and ``abandoned_at`` are null while a contact waits; ``wait_seconds`` is to
        the first of both.
        """
        import pandas as pd

        people = ~self.offered.machine
        got = self.offered.where(people)
        begin = _lookup(got.key, self.events["key"], self.events["begin"])
        end = _lookup(got.key, self.events["key"], self.events["end"])
        lost = _lookup(got.key, self.events["lost"], self.events["lost_at"])
        decided = np.minimum(begin, lost)
        return pd.DataFrame(
            {
                "ticket_id": [f"t{k}" for k in got.key],
                "customer_id": [f"c{c:06d}" if c >= 0 else None for c in got.customer],
                "channel": np.array(self.words.channels)[got.channel],
                "topic": np.array(self.words.topics)[got.topic],
                "is_complaint": got.complaint,
                "opened_at": got.opened.astype("datetime64[us]"),
                "answered_at": _times(begin),
                "ended_at": _times(end),
                "abandoned_at": _times(lost),
                "wait_seconds": np.where(
                    decided == NEVER, np.nan, (decided - got.opened).astype(np.float64) / 1e6
                ),
                "handle_seconds": self.handle_seconds[people],
            }
        )


def service(record: Record | None, end: int, words: Words) -> pd.DataFrame:
    """All contacts but the machines', one row each, as known at ``end`` (UTC microseconds).

    ``ticket_id, customer_id, channel, topic, cause, is_complaint, opened_at, answered_at,
    first_response_at, resolved_at, abandoned_at, handle_seconds``. ``cause`` is a complaint's
    cause, a question's kind or ``public``. UsageError for a clone that keeps no tables.
    """
    import pandas as pd

    if record is None:
        raise UsageError("this clone keeps no tables; make it with clone(record=True).")
    log = {
        name: values[~record.tickets["machine"]]
        for name, values in record.tickets.columns().items()
    }
    causes = (*CAUSES, *(f"question: {name}" for name in QUESTIONS), "public")
    columns = {
        "ticket_id": [f"t{k}" for k in log["key"]],
        "customer_id": [f"c{c:06d}" if c >= 0 else None for c in log["customer"]],
        "channel": np.array(words.channels)[log["channel"]],
        "topic": np.array(words.topics)[log["topic"]],
        "cause": np.array(causes)[log["cause"]],
        "is_complaint": log["complaint"],
    }
    moments = ("opened_at", "answered_at", "first_response_at", "resolved_at", "abandoned_at")
    for name in moments:
        columns[name] = _times(np.where(log[name] < end, log[name], NEVER))
    columns["handle_seconds"] = log["handle_seconds"]
    return pd.DataFrame(columns)


def _lookup(keys: Ints, known: Ints, values: Ints) -> Ints:
    value_of = dict(zip(known.tolist(), values.tolist(), strict=True))
    return np.array([value_of.get(k, NEVER) for k in keys.tolist()], dtype=np.int64)


def _times(values: Ints) -> Any:
    times = values.copy()
    times[values == NEVER] = np.iinfo(np.int64).min
    return times.astype("datetime64[us]")
