"""Who may be contacted, through what and when, and why not: the one table of rules.

Deciding asks it of everybody (``facts_of`` a frame of candidates), sending of one customer in the
transaction that sends (still_allowed.py): the facts are looked up in two ways, the rules are these.
They stand in order: of several that forbid, the first is told. Unknown consent is refused unless
``[outreach] consent_when_unknown``. A customer who was selected and held out counts as contacted,
or the arms would part: one would be selected again each day.

>>> [rule.name for rule in RULES][:3]
['closed', 'do_not_contact', 'vulnerable']
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.arrays import Bools, Floats, Ints, Times
from data.settings import Outreach
from serving.outreach.actions import CHANNELS
from serving.outreach.quiet import windows

QUARTER = timedelta(days=90)
UNWELCOME = {"complained": "complained of a contact", "disagreed": "an agent disagreed"}
"""Outcomes after which a customer is left alone for ``[outreach] suppress_days``, in words."""
OPTIONAL = {
    "time_zone": None,
    "contacts_90d": 0.0,
    "has_open_complaint": False,
    "vulnerable": False,
    "closed": False,
    "segment": None,
    "unwelcome": None,
}
"""Columns of candidates that may be left out, and what then holds for everybody."""
QUIET_ALL_DAY = "quiet hours all day"
NO_CHANNEL = "no consent for any channel"


@dataclass(frozen=True)
class Facts:
    """What the rules ask of n customers: arrays (n,) unless said otherwise.

    ``consent``: (n, channels), 1 given, 0 refused, NaN unknown. ``unwelcome``: what was said of a
    contact in the last ``suppress_days``, None: nothing. ``last_contact``: NaT: never.
    ``time_zone``: None where they state none.
    """

    consent: Floats
    do_not_contact: Bools
    closed: Bools
    vulnerable: Bools
    segment: npt.NDArray[np.object_]
    unwelcome: npt.NDArray[np.object_]
    open_complaint: Bools
    last_contact: Times
    contacts_90d: Floats
    time_zone: npt.NDArray[np.object_]


@dataclass(frozen=True)
class _Situation:
    """The facts, and what follows from them at a moment under a policy."""

    facts: Facts
    policy: Outreach
    now: datetime
    channels: Bools
    opens: Times
    zone_known: Bools


@dataclass(frozen=True)
class Rule:
    """``forbids``: whom (n,); ``words``: why, for the rows at some positions."""

    name: str
    forbids: Callable[[_Situation], Bools]
    words: Callable[[_Situation, Ints], object]


RULES = (
    Rule("closed", lambda a: a.facts.closed, lambda a, _: "the account is closed"),
    Rule(
        "do_not_contact", lambda a: a.facts.do_not_contact, lambda a, _: "asked not to be contacted"
    ),
    Rule(
        "vulnerable",
        lambda a: a.facts.vulnerable & (not a.policy.contact_vulnerable),
        lambda a, _: "vulnerable: a person decides, not a machine",
    ),
    Rule(
        "segment",
        lambda a: np.isin(a.facts.segment.astype(str), list(a.policy.suppress_segments)),
        lambda a, _: "the segment is suppressed: [outreach] suppress_segments",
    ),
    Rule(
        "unwelcome",
        lambda a: np.asarray(pd.notna(a.facts.unwelcome)),
        lambda a, rows: "left alone for a while: " + a.facts.unwelcome[rows],
    ),
    Rule(
        "open_complaint",
        lambda a: a.facts.open_complaint,
        lambda a, _: "has an open complaint: an agent answers it",
    ),
    Rule(
        "days_between",
        lambda a: (
            a.facts.last_contact
            > np.datetime64(a.now - timedelta(days=a.policy.min_days_between), "us")
        ),
        lambda a, _: f"selected or contacted within the last {a.policy.min_days_between:g} days",
    ),
    Rule(
        "in_90_days",
        lambda a: a.facts.contacts_90d >= a.policy.most_in_90_days,
        lambda a, _: (
            f"selected or contacted {a.policy.most_in_90_days} times in 90 days, the most there "
            "may be"
        ),
    ),
    Rule("consent", lambda a: ~np.asarray(a.channels.any(axis=1)), lambda a, _: NO_CHANNEL),
    Rule(
        "time_zone",
        lambda a: ~a.zone_known,
        lambda a, _: "the time zone is unknown, so quiet hours could not be kept",
    ),
    Rule("quiet_hours", lambda a: np.isnat(a.opens), lambda a, _: QUIET_ALL_DAY),
)
"""Every rule, the one that is told first first."""


@dataclass(frozen=True)
class Eligibility:
    """``channels`` (n, channels): through which they may be contacted, ``unknown`` where they never
    said; ``blocked``: why not, "" where they may; ``opens``, ``closes``: when, outside their quiet
    hours (naive UTC)."""

    channels: Bools
    unknown: Bools
    blocked: npt.NDArray[np.object_]
    opens: Times
    closes: Times

    def through(self, row: int, channel: str) -> str:
        """Why a customer may not be contacted through a channel, "" where they may."""
        if channel not in CHANNELS:
            return f"{channel} is no channel of outreach: {', '.join(CHANNELS)}"
        at = CHANNELS.index(channel)
        if self.blocked[row] in ("", NO_CHANNEL) and not self.channels[row, at]:
            return f"no consent for {channel}" + " is known" * bool(self.unknown[row, at])
        return str(self.blocked[row])


def eligibility(
    facts: Facts, policy: Outreach, now: datetime, time_zone: str = "UTC"
) -> Eligibility:
    """Every rule for every customer at ``now``; ``time_zone``: of those who state none."""
    opens, closes, known = windows(
        now, facts.time_zone, time_zone, policy.quiet_from, policy.quiet_to
    )
    unknown = np.isnan(facts.consent)
    channels: Bools = np.where(unknown, policy.consent_when_unknown, facts.consent == 1.0)
    situation = _Situation(facts, policy, now, channels, opens, known)
    blocked = np.full(len(channels), "", dtype=object)
    for rule in reversed(RULES):
        rows = np.flatnonzero(rule.forbids(situation))
        blocked[rows] = rule.words(situation, rows)
    return Eligibility(channels, unknown, blocked, opens, closes)


def facts_of(candidates: pd.DataFrame) -> Facts:
    """The facts of a frame of candidates, columns as ``policy.plan`` takes them."""
    consent = [candidates[f"{name}_consent"].astype("Float64") for name in CHANNELS]
    last = candidates["last_contacted_at"].astype("datetime64[us]")
    return Facts(
        np.column_stack([one.to_numpy(np.float64, na_value=np.nan) for one in consent]),
        truth(candidates["do_not_contact"]),
        truth(column(candidates, "closed")),
        truth(column(candidates, "vulnerable")),
        column(candidates, "segment").to_numpy(object),
        column(candidates, "unwelcome").to_numpy(object),
        truth(column(candidates, "has_open_complaint")),
        last.to_numpy("datetime64[us]"),
        numbers(candidates, "contacts_90d"),
        column(candidates, "time_zone").to_numpy(object),
    )


def column(candidates: pd.DataFrame, name: str) -> pd.Series:
    """The column, or what holds for everybody where it is left out."""
    if name in candidates:
        return candidates[name]
    return pd.Series([OPTIONAL[name]] * len(candidates), index=candidates.index, dtype=object)


def truth(values: pd.Series) -> Bools:
    """Nullable flags as bools; null is false."""
    return values.astype("boolean").fillna(False).to_numpy(bool)


def numbers(candidates: pd.DataFrame, name: str) -> Floats:
    """A column of numbers as floats."""
    return column(candidates, name).astype("float64").to_numpy(np.float64)
