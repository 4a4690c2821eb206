"""Which tickets are complaints: as they say, else by the ``[complaint]`` rule of the settings.

>>> from data.settings import Complaint
>>> complaint_predicate(Complaint(topics=("billing",), csat_at_most=2)).text
'(is_complaint or (is_complaint is null and (topic in (billing) or csat <= 2))) and ...'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from features.predicate import Compare, In, Is, Null, Or, Predicate
from features.sources import TICKETS


class ComplaintRule(Protocol):
    """What ``[complaint]`` says; ``data.settings.Complaint`` is one."""

    @property
    def topics(self) -> Sequence[str]: ...
    @property
    def priorities(self) -> Sequence[str]: ...
    @property
    def csat_at_most(self) -> float | None: ...
    @property
    def all(self) -> bool: ...


def complaint_predicate(rule: ComplaintRule) -> Predicate:
    """The rule as a predicate of tickets, named ``complaint``; low satisfaction counts from
    csat_at on, machine tickets never do."""
    human = Null(TICKETS["is_machine"]) | ~Is(TICKETS["is_machine"])
    stated = Is(TICKETS["is_complaint"])
    unstated = Null(TICKETS["is_complaint"])
    if rule.all:
        return ((stated | unstated) & human).named("complaint")
    ways: list[Predicate] = []
    if rule.topics:
        ways.append(In(TICKETS["topic"], tuple(rule.topics)))
    if rule.priorities:
        ways.append(In(TICKETS["priority"], tuple(rule.priorities)))
    if rule.csat_at_most is not None:
        ways.append(Compare("<=", TICKETS["csat"], float(rule.csat_at_most)))
    if not ways:
        return (stated & human).named("complaint")
    of_rule = ways[0] if len(ways) == 1 else Or(tuple(ways))
    return ((stated | (unstated & of_rule)) & human).named("complaint")


def is_complaint(tickets: pd.DataFrame, rule: ComplaintRule) -> pd.Series:
    """The rule applied to tickets as of some T (``as_of_view``): bool per row.

    Needs is_complaint, topic, priority and csat; a csat that is not yet known is null there.
    """
    stated = tickets["is_complaint"]
    by_rule = pd.Series(rule.all, index=tickets.index, dtype=bool)
    by_rule |= tickets["topic"].isin(list(rule.topics))
    by_rule |= tickets["priority"].isin(list(rule.priorities))
    if rule.csat_at_most is not None:
        by_rule |= (tickets["csat"] <= rule.csat_at_most).fillna(False)
    return stated.astype("boolean").fillna(by_rule.astype("boolean")).astype(bool)
