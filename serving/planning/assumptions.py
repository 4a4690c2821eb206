"""A planner's assumptions as they are kept, sent and put one on another.

``serving.staffing.changes.Changes`` is the value; here it goes to JSON and back, and a what-if is
put upon the assumptions of a scenario that is the plan already.

>>> busy = Changes(volume={EVERY: 1.2}, shrinkage=0.4)
>>> of_json(as_json(busy)) == busy
True
>>> both = combined(busy, Changes(volume={"phone": 0.5}))
>>> both.factor("volume", "phone"), both.factor("volume", "email"), both.shrinkage
(0.6, 1.2, 0.4)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from serving.staffing.changes import EVERY, FACTORS, Changes, Span

SPANS = ("closed", "campaigns")
TIMES = ("starts_at", "ends_at")


def as_json(changes: Changes) -> dict[str, Any]:
    """What is otherwise, and only that, as JSON."""
    document = {
        name: value for name, value in asdict(changes).items() if value not in (None, (), {}, [])
    }
    for name in SPANS:
        document[name] = [
            {**span, **{at: span[at].isoformat() for at in TIMES}}
            for span in document.get(name, ())
        ]
    return {name: value for name, value in document.items() if value != []}


def of_json(document: Mapping[str, Any]) -> Changes:
    """What ``as_json`` wrote."""
    spans = {
        name: tuple(
            Span(**{**span, **{at: datetime.fromisoformat(span[at]) for at in TIMES}})
            for span in document.get(name, ())
        )
        for name in SPANS
    }
    return Changes(**{**document, **spans})


def combined(first: Changes, second: Changes) -> Changes:
    """Both at once: factors multiply, spans add up, of two new values the second one's holds."""
    values: dict[str, Any] = {}
    for one in fields(Changes):
        before, after = getattr(first, one.name), getattr(second, one.name)
        if one.name in SPANS:
            values[one.name] = (*before, *after)
        elif one.name in FACTORS:
            channels = set(before) | set(after)
            values[one.name] = {
                channel: first.factor(one.name, channel) * second.factor(one.name, channel)
                for channel in channels
            }
        elif isinstance(before, Mapping):
            values[one.name] = {**({} if EVERY in after else before), **after}
        else:
            values[one.name] = before if after is None else after
    return Changes(**values)
