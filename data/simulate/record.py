"""What the company writes down: one log a table, in small integers, named and dated on export.

The world never reads its own log, so a clone that is only run on for probabilities has none.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from data.arrays import Floats
from data.simulate.rows import Log


def _orders() -> Log:
    times = dict.fromkeys(
        ("ordered_at", "promised_at", "shipped_at", "delivered_at", "cancelled_at"), "int64"
    )
    more = dict.fromkeys(("returned_at", "refunded_at"), "int64")
    return Log(
        key="int64",
        customer="int32",
        product="int16",
        carrier="int8",
        region="int8",
        quantity="int16",
        amount="float64",
        defective="bool",
        **times,
        **more,
    )


def _tickets() -> Log:
    times = (
        "opened_at",
        "first_response_at",
        "resolved_at",
        "reopened_at",
        "csat_at",
        "answered_at",
        "abandoned_at",
    )
    return Log(
        key="int64",
        customer="int32",
        channel="int8",
        topic="int8",
        cause="int8",
        complaint="bool",
        machine="bool",
        language="int8",
        order="int64",
        product="int16",
        issue="int64",
        handle_seconds="float64",
        csat="int8",
        **dict.fromkeys(times, "int64"),
    )


@dataclass
class Record:
    """The logs of all tables, and of the truth beside them."""

    orders: Log = field(default_factory=_orders)
    tickets: Log = field(default_factory=_tickets)
    usage: Log = field(
        default_factory=lambda: Log(
            key="int64",
            customer="int32",
            at="int64",
            feature="int8",
            quantity="int16",
            errors="int8",
            seconds="float32",
            platform="int8",
            version="int16",
        )
    )
    bots: Log = field(
        default_factory=lambda: Log(
            key="int64",
            customer="int32",
            topic="int8",
            started_at="int64",
            ended_at="int64",
            contained="bool",
            handed_over_at="int64",
            ticket="int64",
        )
    )
    views: Log = field(
        default_factory=lambda: Log(
            key="int64", customer="int32", at="int64", article="int16", helpful="bool"
        )
    )
    treatments: Log = field(
        default_factory=lambda: Log(
            key="int64",
            customer="int32",
            at="int64",
            campaign="int16",
            treated="bool",
            propensity="float64",
            action="int16",
            effect="float64",
        )
    )
    versions: Log = field(
        default_factory=lambda: Log(customer="int32", at="int64", plan="int8", region="int8")
    )
    closed: Log = field(default_factory=lambda: Log(customer="int32", at="int64"))
    actions: list[str] = field(default_factory=list)
    campaigns: list[str] = field(default_factory=list)
    hazards: list[tuple[int, Floats, Floats]] = field(default_factory=list)
    expected: list[Floats] = field(default_factory=list)
    expected_causes: list[Floats] = field(default_factory=list)
    staffed: list[Floats] = field(default_factory=list)

    def copy(self) -> Record:
        """An independent copy."""
        return Record(**{f.name: getattr(self, f.name).copy() for f in fields(self)})

    def action(self, name: str) -> int:
        """The number under which an action is logged."""
        return _number(self.actions, name)

    def campaign(self, name: str) -> int:
        """The number under which a campaign is logged."""
        return _number(self.campaigns, name)


def _number(names: list[str], name: str) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)
